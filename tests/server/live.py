"""A whole server with a tiny model in this process, and an ear that notes what sounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from server.base.wire import WireBar
from server.configuration.settings import Configuration
from server.house.events import BarPlanned, StreamEvent
from server.house.settings import StationSettings
from server.house.stream import Stream
from server.playing.outputs import Event, NoteOff, NoteOn
from server.serving.server import OpenedServer, Server

# 2/4 at 300: a bar lasts 0.4 seconds.
BRISK: dict[str, Any] = {"tempo": 300, "metre": "2/4", "density": 4}
PATIENCE = 60.0


def configuration(model: Path, state: Path, **changes: Any) -> Configuration:
    base = Configuration(
        model=str(model),
        state=state,
        lookahead=5,
        snapshot_bars=4,
        stations=(StationSettings("test", "Test", None, 7, None, BRISK),),
    )
    base = replace(
        base,
        web=replace(base.web, port=0),
        osc=replace(base.osc, port=0),
        midi=replace(base.midi, enabled=False),
        audio=replace(base.audio, enabled=False),
    )
    return replace(base, **changes)


@asynccontextmanager
async def opened(configuration: Configuration) -> AsyncIterator[tuple[Server, OpenedServer]]:
    """A running server, and what it tells of itself."""
    server = Server(configuration)
    told = await server.open()
    try:
        yield server, told
    finally:
        await server.close()


@asynccontextmanager
async def running(configuration: Configuration) -> AsyncIterator[Server]:
    async with opened(configuration) as (server, _):
        yield server


async def play_into(server: Server, output: RecordingOutput) -> None:
    """Have the station played into an output as well, and wait until it does: with the first bar
    that is planned from now on."""
    server.player.add("test", [output])
    async with asyncio.timeout(PATIENCE):
        while not output.events:
            await asyncio.sleep(0.02)


def socket_address(told: OpenedServer) -> str:
    """Of the WebSocket."""
    return told.page.replace("http", "ws", 1)


def osc_address(told: OpenedServer) -> tuple[str, int]:
    return "127.0.0.1", int(told.osc.split()[-1])


class Ear:
    """A listener that knows, at each moment, which bars have begun to sound and how."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.events: list[StreamEvent] = []
        self.planned: dict[int, WireBar] = {}
        self._due: dict[int, int] = {}
        self._changed = asyncio.Event()
        self.stream = server.house.first_station()
        for planned in self.stream.bars.values():
            self._plan(BarPlanned(planned))
        server.house.listen(self.stream, self)

    def hear(self, stream: Stream, event: StreamEvent) -> None:
        self.events.append(event)
        if isinstance(event, BarPlanned):
            self._plan(event)
        self._changed.set()

    def _plan(self, event: BarPlanned) -> None:
        self.planned[event.planned.index] = event.planned.bar
        self._due[event.planned.index] = event.planned.due

    def sounded(self) -> dict[int, WireBar]:
        """The bars that have begun by now."""
        now = self.server.house.now()
        return {i: bar for i, bar in self.planned.items() if self._due[i] <= now}

    async def until_bar(self, index: int) -> None:
        """Wait until this bar has begun to sound."""

        async def wait() -> None:
            while index not in self.sounded():
                await asyncio.sleep(0.02)

        await asyncio.wait_for(wait(), PATIENCE)

    async def until_revised(self, index: int) -> None:
        """Wait until everything planned from this bar on was composed a second time."""
        last = max(self.planned)

        async def wait() -> None:
            while not all(self.planned[i].revision for i in range(index, last + 1)):
                await asyncio.sleep(0.02)

        await asyncio.wait_for(wait(), PATIENCE)


class RecordingOutput:
    """An output that keeps everything."""

    def __init__(self) -> None:
        self.name = "recording"
        self.wants_clock = False
        self.events: list[tuple[int, Event]] = []
        self.silenced = 0

    def send(self, event: Event, due: int) -> None:
        self.events.append((due, event))

    def silence(self) -> None:
        self.silenced += 1

    def is_alive(self) -> bool:
        return True

    def revive(self) -> bool:
        return True

    def close(self) -> None:
        pass

    def hanging(self) -> set[tuple[int, int]]:
        """Notes that sound when all is over."""
        sounding: set[tuple[int, int]] = set()
        for _, event in self.events:
            if isinstance(event, NoteOn):
                sounding.add((event.part, event.pitch))
            elif isinstance(event, NoteOff):
                sounding.discard((event.part, event.pitch))
        return sounding


def music(bar: WireBar) -> tuple[object, ...]:
    """What is heard of a bar, whichever revision it is."""
    return bar.tick, bar.ticks, bar.tempo, bar.notes
