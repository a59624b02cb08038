"""What the server and the process that makes its sound say to each other.

Each message is one msgpack-encoded value of `Order` or `Report`, preceded by its length in four
bytes. Times (`at`, `due`, `later`) are microseconds of the server's clock, which both share.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from server.child.heartbeat import Alive

# Microseconds by which sound is made later than the stream plays: by then all is told of it.
LAG = 200_000


class SoundSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the process is set up: one JSON argument on its command line. Bitrates in kbit/s."""

    soundfont: str
    loudness: float  # LUFS
    held: float  # seconds of sound that are kept for encoders that begin later
    mp3: int = 128
    opus: int = 96
    hls: int = 128
    speed: float = 1.0  # of the clock, and when it was the machine's: see `server.base.clock`
    origin: int = 0

    def argument(self) -> str:
        return msgspec.json.encode(self).decode()

    @classmethod
    def read(cls, argument: str) -> SoundSettings:
        return msgspec.json.decode(argument, type=cls)


class BarOrder(msgspec.Struct, frozen=True, tag="bar"):
    """A bar was planned, `at` this time; `bar` is encoded by `server.base.wire.encode_bar`."""

    station: str
    at: int
    index: int
    revision: int
    due: int
    bar: bytes


class MoveOrder(msgspec.Struct, frozen=True, tag="move"):
    """All bars from `bar` on are due later."""

    station: str
    at: int
    bar: int
    later: int


class TurnOrder(msgspec.Struct, frozen=True, tag="turn"):
    """The stream stopped, went on or began anew; or was to end what sounds at once."""

    station: str
    at: int
    to: Literal["stop", "go on", "anew", "silence"]


class NameOrder(msgspec.Struct, frozen=True, tag="name"):
    """What sounds from then on is called so, and may be quite other music."""

    station: str
    at: int
    name: str


Happening = BarOrder | MoveOrder | TurnOrder | NameOrder


class BeginOrder(msgspec.Struct, frozen=True, tag="begin"):
    """Make the sound of a station, from this time on, which may be past."""

    station: str
    at: int


class EndOrder(msgspec.Struct, frozen=True, tag="end"):
    station: str


class EncodeOrder(msgspec.Struct, frozen=True, tag="encode"):
    """Encode the sound of a station in this form too, with what of it is still held; or not any
    more."""

    station: str
    form: str
    on: bool


Order = BeginOrder | EndOrder | EncodeOrder | Happening


class SoundReady(msgspec.Struct, frozen=True, tag="ready"):
    """The first report: the libraries and the SoundFont are there."""

    pid: int


class SoundUnable(msgspec.Struct, frozen=True, tag="unable"):
    """The first report, and the last: why no sound can be made."""

    message: str


class EncoderReport(msgspec.Struct, frozen=True, tag="opened"):
    """An encoder begins. `head` is what somebody who joins must have first: for Opus the Ogg
    stream's serial number and its identification header, for HLS the initialisation segment."""

    station: str
    form: str
    head: bytes
    serial: int


class ChunkReport(msgspec.Struct, frozen=True, tag="chunk"):
    """A piece of an encoded stream that can be begun with: whole frames, a page, a segment."""

    station: str
    form: str
    data: bytes
    title: str
    seconds: float


class StationSoundLoad(msgspec.Struct, frozen=True):
    seconds: float  # of sound, made since the process began
    underruns: int  # times that sound was not ready in time
    loudness: float | None  # LUFS of the last half minute as it goes out; None: silence
    gain: float  # decibels


class SoundLoadReport(msgspec.Struct, frozen=True, tag="load"):
    """Once a second. Stations that are not rendered now keep their counts."""

    stations: dict[str, StationSoundLoad]
    busy: float  # share of the last second that was spent working
    memory: int  # resident bytes


Report = Alive | SoundReady | SoundUnable | EncoderReport | ChunkReport | SoundLoadReport
