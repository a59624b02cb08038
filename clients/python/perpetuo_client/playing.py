"""Playing a stream into a MIDI port, and recording it into a MIDI file."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from perpetuo_client.bars import Bar
from perpetuo_client.player import MidiPlayer
from perpetuo_client.ports import Port, open_port
from perpetuo_client.recording import Recording
from perpetuo_client.stream import Stream
from perpetuo_client.timeline import CommittedCursor


async def play(stream: Stream, port: str | Port | None = None) -> None:
    """Play into a MIDI port until the stream ends; PortError if the port cannot be had or is gone.

    `port` is a name or a part of it, an open `rtmidi.MidiOut` or alike, or None for a virtual
    port. Every note is ended when this ends, is cancelled, or the stream stops. To do other things
    meanwhile, make it a task: `asyncio.create_task(play(stream))`.
    """
    if port is not None and not isinstance(port, str):
        return await _play_into(port, stream)
    opened = open_port(port)
    try:
        await _play_into(opened, stream)
    finally:
        opened.close_port()


async def _play_into(port: Port, stream: Stream) -> None:
    loop = asyncio.get_running_loop()

    def wake() -> None:
        loop.call_soon_threadsafe(stream.wake)

    player = MidiPlayer(port, wake)
    try:
        await _follow(player, stream)
    finally:
        player.close()


async def _follow(player: MidiPlayer, stream: Stream) -> None:
    timeline, clock = stream.timeline, stream.server.clock
    cursor = CommittedCursor(timeline, stream.server.capabilities.horizon)
    stops, panics, epoch = timeline.stops, timeline.panics, timeline.epoch
    while player.failure is None:
        if timeline.stops > stops:
            player.stop()
        if timeline.panics > panics:
            player.silence()
        if timeline.epoch != epoch:
            player.drop()
        stops, panics, epoch = timeline.stops, timeline.panics, timeline.epoch
        found = cursor.next(stream.server.now())
        if isinstance(found, Bar):
            player.add(replace(found, due=clock.to_local(found.due)))
        elif not await stream.wait(found):
            return
    raise player.failure


async def record(
    stream: Stream, path: str | Path, *, bars: int | None = None, seconds: float | None = None
) -> int:
    """Write what is heard from now on into a MIDI file; how many bars there are in it.

    Ends after so many bars or so many seconds of music, or with the stream. When it is cancelled
    it still writes what was heard so far.
    """
    recording = Recording()
    try:
        async for bar in stream.bars():
            recording.add(bar)
            if bars is not None and len(recording) >= bars:
                break
            if seconds is not None and recording.length >= seconds * 1e6:
                break
    finally:
        if len(recording):
            Path(path).write_bytes(recording.to_midi())
    return len(recording)
