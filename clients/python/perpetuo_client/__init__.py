"""Listen to the streams of a perpetuo server and steer them.

    async with connect("ws://127.0.0.1:8770") as server:
        stream = await server.listen()
        async for bar in stream:
            print(bar.index, bar.key, *bar.chords)

`perpetuo_client.sync` has the same without async.
"""

from perpetuo_client.bars import DRUMS, TICKS_PER_QUARTER, Bar, Note, Pedal, TimedNote
from perpetuo_client.capabilities import Capabilities, Control, Preset, Station
from perpetuo_client.controllers import Controller
from perpetuo_client.errors import (
    ClientError,
    Disconnected,
    PortError,
    ProtocolError,
    Refused,
    StreamEnded,
)
from perpetuo_client.messages import Prompt
from perpetuo_client.playing import play, record
from perpetuo_client.ports import open_port, port_names
from perpetuo_client.recording import Recording
from perpetuo_client.server import Server, connect
from perpetuo_client.stream import Heard, Postponed, Stream

__all__ = [
    "DRUMS",
    "TICKS_PER_QUARTER",
    "Bar",
    "Capabilities",
    "ClientError",
    "Control",
    "Controller",
    "Disconnected",
    "Heard",
    "Note",
    "Pedal",
    "PortError",
    "Postponed",
    "Preset",
    "Prompt",
    "ProtocolError",
    "Recording",
    "Refused",
    "Server",
    "Station",
    "Stream",
    "StreamEnded",
    "TimedNote",
    "connect",
    "open_port",
    "play",
    "port_names",
    "record",
]
