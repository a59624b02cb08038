"""A house over a real composing process, real outputs and real logs, in simulated time.

Nothing here waits for the machine: time passes when a test says so, the composing process works
when it is let, what it says arrives when it is let through, and every request is suspended until
then. Whatever two things happen at once, in whatever order, can be said in a test.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from common.errors import PerpetuoError
from engine.files.control_log import ControlLog, read
from engine.library.bars import Length, composer_of
from engine.library.by_seed import BySeed, OneOf
from engine.library.presets import Preset
from engine.network.runtime import Network
from server.base.wire import WireBar
from server.commands.offline import compose
from server.composing import messages, process
from server.composing.reports import wire_bar
from server.house.events import (
    BarPlanned,
    BarsMoved,
    ChangeAnnounced,
    ChangePostponed,
    PlannedBar,
    StateTurned,
    StreamEvent,
)
from server.house.house import House, HouseRules
from server.house.log_writer import ControlLogWriter, LogRules, LogSegment
from server.house.requests import RequestDone, StreamRequest
from server.house.resume_state import ResumeState
from server.house.stream import Stream
from server.playing.dispatch import Dispatch, OutputState
from server.playing.outputs import Event, NoteOff, NoteOn
from server.playing.player import PlayingStreams
from tests.bundles import tiny
from tests.server.simulated_composing import SECOND, AtOnce, Composing, Models

MILLISECOND = 1000
SPIN = 6  # turns of the loop after which everything that can go on has gone on
# 2/4 at 240: a bar lasts half a second.
BRISK: dict[str, Any] = {"tempo": 240, "metre": "2/4", "density": 3}
KEYS = OneOf(("C major", "D minor", "F major", "G minor", "A major"), (1, 1, 1, 1, 1))
PRESETS = {
    "calm": Preset("calm", "Calm", "Soft.", {**BRISK, "density": 1.0}),
    "busy": Preset("busy", "Busy", "Much.", {**BRISK, "density": 6.0}),
    "other": Preset("other", "Other", "Another network.", BRISK, "lstm"),
    "open": Preset(
        "open", "Open", "Another key from another seed.", BRISK, by_seed=BySeed({"key": KEYS})
    ),
}
T = TypeVar("T")


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Its time is that of the simulation."""

    def __init__(self) -> None:
        super().__init__()
        self.microseconds = 1000 * SECOND

    def time(self) -> float:
        return self.microseconds / 1e6

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.run_until_complete(work)

    def spin(self) -> None:
        """Let everything go on that need not wait for time or for the composing process."""

        async def turns() -> None:
            for _ in range(SPIN):
                await asyncio.sleep(0)

        self.run_until_complete(turns())


class Mirror:
    """A client: all that it knows of a stream is what it was told."""

    def __init__(self) -> None:
        self.state, self.epoch = "", -1
        self.seed, self.model, self.preset = 0, "", None
        self.controls: dict[str, Any] = {}
        self.bars: dict[int, PlannedBar] = {}
        self.dues: dict[int, int] = {}
        self.announced: dict[int, int] = {}  # by change, the bar in which it is heard

    def hear(self, stream: Stream, event: StreamEvent) -> None:
        match event:
            case StateTurned():
                if event.epoch != self.epoch:
                    self.bars.clear()
                    self.dues.clear()
                    self.announced.clear()
                self.state, self.epoch = event.state, event.epoch
                self.seed, self.model = stream.seed, stream.model
                self.controls = stream.controls.complete()
            case ChangeAnnounced():
                self.controls |= event.controls
                if event.change:
                    self.announced[event.change] = event.bar
            case ChangePostponed(change, bar):
                assert self.announced[change] < bar
                self.announced[change] = bar
            case BarPlanned(planned):
                held = self.bars.get(planned.index)
                assert held is None or planned.revision > held.revision
                self.bars[planned.index] = planned
                self.dues[planned.index] = planned.due
            case BarsMoved(bar, later):
                for index in self.dues:
                    if index >= bar:
                        self.dues[index] += later
            case _:
                pass


class Ear:
    """What an output was played: every note must end."""

    name, wants_clock = "ear", False

    def __init__(self) -> None:
        self.sounding: set[tuple[int, int]] = set()
        self.notes = 0

    def send(self, event: Event, due: int) -> None:
        if isinstance(event, NoteOn):
            key = event.part, event.pitch
            assert key not in self.sounding, "a note is struck while it sounds"
            self.sounding.add(key)
            self.notes += 1
        elif isinstance(event, NoteOff):
            self.sounding.discard((event.part, event.pitch))

    def silence(self) -> None:
        self.sounding.clear()

    def is_alive(self) -> bool:
        return True

    def revive(self) -> bool:
        return True

    def close(self) -> None:
        self.silence()


class Listening(PlayingStreams):
    """What the player's thread does, in this one."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.ears: dict[str, Ear] = {}
        self.dispatch = Dispatch(clock, lambda report: None)
        super().__init__(self.dispatch, self._attach)  # type: ignore[arg-type]

    def _attach(self, stream: Stream) -> None:
        ear = self.ears[stream.name] = Ear()
        self.dispatch.add(stream.name, [OutputState(stream.name, ear)], 0)


class World:
    """All of it: a house, its composing process, a client and an output for each stream, logs."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.loop = SimulatedLoop()
        self.folder = folder
        self.logs = folder / "logs"
        for one in (self.logs, folder / "streams"):
            one.mkdir(exist_ok=True)
        self.is_full = False
        monkeypatch.setattr(process, "LoadedModels", Models)
        monkeypatch.setattr(process, "key_of", lambda model: model)
        monkeypatch.setattr("server.composing.snapshots.SnapshotWriter", AtOnce)
        write = LogSegment.write
        monkeypatch.setattr(
            LogSegment, "write", lambda segment, line: self._write(write, segment, line)
        )
        self.composing = Composing(self.now, folder / "streams")
        rules = HouseRules(idle=4 * SECOND, max_streams=3)
        self.house = House(self.composing, rules, PRESETS, self.now)
        self.composing.house = self.house
        self.mirrors: dict[str, Mirror] = {}
        self.heard: dict[tuple[str, int], dict[int, WireBar]] = {}
        self.steered: list[tuple[Stream, StreamRequest, asyncio.Future[RequestDone]]] = []
        self.answers: list[int] = []
        self._ticks: set[asyncio.Task[None]] = set()
        self.listening = Listening(self.now)
        self.log_writer = ControlLogWriter(
            LogRules(self.logs, 1 << 20, 1000), self.now, self.house.counters, self._keep
        )
        self.house.observers.append(self.log_writer)
        self.house.observers.append(self)

    def now(self) -> int:
        return self.loop.microseconds

    async def _keep(self, stream: Stream) -> ResumeState:
        await self.house.composing.ask(
            messages.SnapshotOrder(0, stream.number), messages.SnapshotReport
        )
        return stream.kept

    def _write(self, write: Any, segment: LogSegment, line: bytes) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(segment, line)

    # -- what happens ----------------------------------------------------------------------------

    def hear(self, stream: Stream, event: StreamEvent) -> None:
        """As an observer of all streams: what is heard is what stands when its time comes."""
        self.mirrors.setdefault(stream.name, Mirror()).hear(stream, event)
        self.listening.hear(stream, event)

    def begin(self, work: Coroutine[Any, Any, T], *, composes: int = 12) -> T:
        """Do something that the composing process must answer."""
        task = self.loop.create_task(work)
        for _ in range(400):
            self.turn(composes=composes)
            if task.done():
                return task.result()
        raise AssertionError("it was never done")

    def station(self, name: str, **more: Any) -> Stream:
        chosen: dict[str, Any] = {"preset": None, "seed": 7, "controls": BRISK, **more}
        return self.begin(self.house.add_station(name, **chosen))

    def steer(self, stream: Stream, request: StreamRequest) -> asyncio.Future[RequestDone] | None:
        """Ask for something; None if it is refused at once."""

        async def ask() -> asyncio.Future[RequestDone]:
            return self.house.steer(stream, request)

        try:
            future = self.loop.run(ask())
        except PerpetuoError:
            return None
        number = len(self.steered)
        self.steered.append((stream, request, future))
        future.add_done_callback(lambda _: self.answers.append(number))
        future.add_done_callback(_looked_at)
        return future

    def turn(self, *, composes: int = 12, delivers: int = 100) -> None:
        """Composing works a little, and is heard."""
        self.loop.spin()
        self.composing.work(composes)
        self.deliver(delivers)

    def deliver(self, most: int) -> None:
        """So many reports arrive, and everything goes on that waited for them."""

        async def arrive() -> None:
            self.composing.deliver(most)

        self.loop.spin()
        self.loop.run(arrive())
        self.loop.spin()

    def die(self, reports: int = 0) -> None:
        """The process ends, its last reports still arrive: before anybody who waited for them has
        gone on."""

        async def end() -> None:
            self.composing.deliver(reports)
            self.composing.die()

        self.loop.run(end())

    def come_back(self) -> None:
        async def begin() -> None:
            self.composing.start()

        self.loop.run(begin())

    def pass_time(self, milliseconds: int, *, composes: int = 0, delivers: int = 100) -> None:
        """So much time passes, and what falls due is done."""
        end = self.now() + milliseconds * MILLISECOND
        while self.now() < end:
            self.loop.microseconds = min(end, self.now() + 10 * MILLISECOND)
            if composes:
                self.composing.work(composes)
            self.deliver(delivers)
            self._note_what_sounds()
            self.listening.dispatch.step()
            if self.now() // SECOND != (self.now() - 10 * MILLISECOND) // SECOND:
                self.loop.run(self._tick())

    async def _tick(self) -> None:
        self.house.tick()
        task = self.loop.create_task(self.log_writer.tick())
        self._ticks.add(task)
        task.add_done_callback(self._ticks.discard)

    def _note_what_sounds(self) -> None:
        for stream in self.house.streams.values():
            if stream.state != "playing":
                continue
            heard = self.heard.setdefault((stream.name, stream.epoch), {})
            for index, planned in stream.bars.items():
                if planned.due <= self.now():
                    was = heard.setdefault(index, planned.bar)
                    assert was is planned.bar or was == planned.bar, "what sounds is not changed"

    def settle(self) -> None:
        """Composing is there and free, the disk has room, and some time passes."""
        self.is_full = False
        self.composing.refuses = 0
        if self.composing.process is None:
            self.come_back()
        for _ in range(20):
            self.turn(composes=60)
        self.pass_time(3000, composes=12)
        self.turn()  # what was said in the last moment is obeyed

    def close(self) -> None:
        async def close() -> None:
            await self.house.steering.close()
            for stream in list(self.house.streams.values()):
                await self.house.close(stream, "the server ends")

        self.loop.run(close())
        self.loop.spin()
        self.house.composing.time.watch.close()
        self.log_writer.close()
        self.listening.dispatch.step()
        self.loop.close()

    # -- what must hold --------------------------------------------------------------------------

    def check(self) -> None:
        """At a quiet point."""
        self._check_joined()
        self._check_answers()
        self._check_told()
        self._check_promises()

    def _check_joined(self) -> None:
        """Exactly one joined epoch a living stream, and none besides."""
        assert self.composing.process is not None
        joined = sorted(self.composing.process.composed_streams)
        assert joined == sorted(stream.number for stream in self.house.streams.values())
        assert not any(stream.is_lost for stream in self.house.streams.values())
        assert not any(len(stream.queue) for stream in self.house.streams.values())

    def _check_answers(self) -> None:
        assert sorted(self.answers) == list(range(len(self.steered))), "each is answered once"

    def _check_told(self) -> None:
        """What clients were told is how it stands."""
        for stream in self.house.streams.values():
            mirror = self.mirrors[stream.name]
            assert (mirror.state, mirror.epoch) == (stream.state, stream.epoch)
            assert (mirror.seed, mirror.model) == (stream.seed, stream.model)
            assert mirror.controls == stream.controls.complete()
            held = {i: (planned.revision, planned.due) for i, planned in stream.bars.items()}
            known = {i: (mirror.bars[i].revision, mirror.dues[i]) for i in held}
            assert known == held

    def _check_promises(self) -> None:
        counts = self.house.counters.promises
        still = sum(len(stream.promises) for stream in self.house.streams.values())
        assert counts.open == still
        for stream in self.house.streams.values():
            for change, bar in self.mirrors[stream.name].announced.items():
                held = stream.bars.get(bar)
                if held is not None and bar <= stream.sealed:
                    assert held.serial >= change, "it is heard where it was announced last"

    def check_replay(self) -> int:
        """Every log that was written without a gap gives back what was heard; how many did."""
        found = 0
        for name, epoch in sorted(self.heard):
            heard = self.heard[name, epoch]
            logs = self._logs_of(name)
            if epoch < len(logs) and heard and logs[epoch].snapshot is None:
                self._check_log(logs[epoch], heard)
                found += 1
        return found

    def _logs_of(self, name: str) -> list[ControlLog]:
        paths = sorted(self.logs.glob(f"{name}-2*.jsonl"), key=lambda path: path.stem[-6:])
        return [read(path.read_bytes()) for path in paths]

    def _check_log(self, log: ControlLog, heard: dict[int, WireBar]) -> None:
        network: Network = tiny("lstm" if log.model == "lstm" else "gpt")
        composer = composer_of(network, log, self.logs)
        first, last = composer.next_bar, max(heard)
        bars = compose(composer, Length(last + 1 - first), log)
        again = {bar.index: wire_bar(bar, composer.controls.key, 0) for bar in bars}
        for index, bar in heard.items():
            assert again[index].notes == bar.notes, f"bar {index} is replayed otherwise"
            assert (again[index].ticks, again[index].tempo) == (bar.ticks, bar.tempo)


def _looked_at(future: asyncio.Future[RequestDone]) -> None:
    if not future.cancelled():
        future.exception()
