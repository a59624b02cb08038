"""A house without music, timers without time and a socket without network, for the OSC door."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from common.errors import StreamError
from engine.controls.controls import Controls
from engine.library.presets import Preset
from server.base.wire import WireBar, WireNote, encode_bar
from server.composing.messages import ChangeOrder, ChangeReport
from server.house.events import BarPlanned, BarsMoved, Panicked, PlannedBar, StateTurned
from server.house.house_preset import HousePreset
from server.house.metrics import Counters
from server.house.requests import ChangeRequest, ModelRequest, RequestDone, StreamRequest
from server.house.steering import Steering
from server.house.stream import EpochStart, Stream
from server.osc.packets import Value, decode, encode
from server.osc.subscribers import Address, OscCounts

CALM = Preset("calm", "Calm", "Slow and soft.", {"tempo": 60, "density": 1})


class OscHouse:
    """What `server.house.house.House` offers to doors, but nothing is composed: whatever is asked
    is done at once and written down in `deeds`; changes are heard from bar 7 on."""

    def __init__(self, *names: str) -> None:
        self.time = 0  # microseconds
        self.streams = {name: Stream(name, 5, "default", Controls(), None) for name in names}
        for number, stream in enumerate(self.streams.values()):
            stream.begin(stream.opening, number, 0, 0)
        self.presets = {"calm": CALM}
        self.newcomers: list[Any] = []
        self.deeds: list[tuple[Any, ...]] = []
        self.hold: asyncio.Event | None = None  # while set, a change takes until it is
        self.composing = StandInDesk(self)
        self.steering = Steering(self.composing, self._preset_of, self._close)  # type: ignore[arg-type]

    def now(self) -> int:
        return self.time

    def steer(self, stream: Stream, request: StreamRequest) -> asyncio.Future[RequestDone]:
        """As the real one: in order, what can be done together together."""
        if isinstance(request, ModelRequest):
            raise StreamError(f"there is no model '{request.model}'")
        return self.steering.post(stream, request)

    def _preset_of(self, name: str) -> HousePreset:
        if name not in self.presets:
            raise StreamError(f"there is no preset '{name}'")
        return HousePreset(self.presets[name])

    def _close(self, stream: Stream, reason: str) -> None:
        raise AssertionError("nothing is lost here")

    @property
    def stations(self) -> dict[str, Stream]:
        return {name: stream for name, stream in self.streams.items() if stream.is_station}

    def first_station(self) -> Stream:
        return next(iter(self.stations.values()))

    def listen(self, stream: Stream, listener: Any) -> None:
        stream.listeners.append(listener)

    def unlisten(self, stream: Stream, listener: Any) -> None:
        if listener in stream.listeners:
            stream.listeners.remove(listener)

    async def change(self, stream: Stream, controls: Mapping[str, Any], *, by: str) -> None:
        await self.steer(stream, ChangeRequest(by=by, controls=controls))

    async def start(self, stream: Stream, *, by: str) -> None:
        self.deeds.append(("start", stream.name))
        stream.begin(stream.opening, stream.number + 100, 0, self.time)
        stream.tell(StateTurned("playing", stream.epoch, f"started by {by}"))

    async def stop(self, stream: Stream, *, by: str) -> None:
        self.deeds.append(("stop", stream.name))
        stream.stop(self.time)
        stream.tell(StateTurned("stopped", stream.epoch, f"stopped by {by}"))

    async def go_on(self, stream: Stream, *, by: str) -> None:
        """From the bar in which it was stopped, which begins now."""
        self.deeds.append(("continue", stream.name))
        bar, later = stream.go_on(self.time)
        stream.tell(BarsMoved(bar, later))
        stream.tell(StateTurned("playing", stream.epoch, f"continued by {by}"))

    def end(self, stream: Stream) -> None:
        """As `House.close` does it."""
        del self.streams[stream.name]
        stream.state = "ended"
        stream.tell(StateTurned("ended", stream.epoch, "it is over"))
        stream.listeners.clear()

    def panic(self, stream: Stream, *, by: str) -> None:
        self.deeds.append(("panic", stream.name))
        stream.tell(Panicked())

    def plan(self, stream: Stream, bar: WireBar, due: int) -> PlannedBar:
        planned = PlannedBar(bar.index, bar.revision, due, bar.length, encode_bar(bar))
        stream.bars[bar.index] = planned
        stream.tell(BarPlanned(planned))
        return planned


class StandInDesk:
    """What `server.house.stream_composing.Desk` does for steering, without composing."""

    def __init__(self, house: OscHouse) -> None:
        self.house, self.now = house, house.now
        self.line, self.time, self.watch, self.counters = self, self, self, Counters()

    async def ask(self, order: ChangeOrder, answer: type[ChangeReport]) -> ChangeReport:
        await asyncio.sleep(0)
        stream = next(one for one in self.house.streams.values() if one.number == order.stream)
        changed = stream.controls.with_values(order.set)
        if self.house.hold is not None:
            await self.house.hold.wait()
        self.house.deeds.append(("change", stream.name, dict(order.set)))
        known = {name: changed.plain(name) for name in order.set}
        made = ChangeReport(order.request, order.stream, 7, 0, known)
        self.house.steering.execution.changed(stream, made)
        return made

    async def begin(self, stream: Stream, opening: EpochStart, reason: str, *, due: int) -> None:
        await asyncio.sleep(0)
        if opening.seed != stream.seed:
            self.house.deeds.append(("seed", stream.name, opening.seed))
        else:
            self.house.deeds.append(("start", stream.name))
        stream.begin(opening, stream.number + 100, 0, self.house.now())
        stream.tell(StateTurned("playing", stream.epoch, reason))

    def rest(self, stream: Stream) -> None:
        self.house.deeds.append(("stop", stream.name))

    def play_on(self, stream: Stream, bar: int) -> None:
        self.house.deeds.append(("continue", stream.name))

    def settle(self, stream: Stream) -> None:
        pass

    def tell_outdated(self, stream: Stream, outdated: list[PlannedBar]) -> None:
        assert not outdated

    def expect(self, stream: Stream) -> None:
        pass


def wire_bar(index: int, notes: Iterable[tuple[int, ...]] = (), **changed: Any) -> WireBar:
    """A bar of two seconds in 4/4 at 120."""
    fields: dict[str, Any] = {
        "index": index,
        "revision": 0,
        "tick": 96 * index,
        "ticks": 96,
        "metre": "4/4",
        "tempo": 500_000,
        "key": "A minor",
        "chords": ("Am", "F"),
        "section": "A",
        "echo": -1,
        "programs": (0,) * 8,
        "notes": tuple(WireNote(*note) for note in notes),
    }
    return WireBar(**{**fields, **changed})


@dataclass
class _Timer:
    when: float
    act: Callable[[], object]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class FakeTimers:
    """The two methods of an event loop that are used; `advance` lets time pass."""

    now: float = 1000.0
    waiting: list[_Timer] = field(default_factory=list)

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], object]) -> _Timer:
        timer = _Timer(when, callback)
        self.waiting.append(timer)
        return timer

    def advance(self, seconds: float, moving: Callable[[float], None] = lambda _: None) -> None:
        """Everything due within so many seconds happens, each at its time; `moving` is told how
        many seconds passed each time."""
        end = self.now + seconds
        while due := [t for t in self.waiting if not t.cancelled and t.when <= end + 1e-9]:
            first = min(due, key=lambda timer: timer.when)
            self.waiting.remove(first)
            passed, self.now = max(0.0, first.when - self.now), max(self.now, first.when)
            moving(passed)
            first.act()
        moving(end - self.now)
        self.now = end


class RecordingOutlet:
    """Keeps what would be sent, as (to whom, datagram)."""

    def __init__(self) -> None:
        self.counts = OscCounts()
        self.sent: list[tuple[Address, bytes]] = []

    def send(self, datagram: bytes, addresses: Iterable[Address]) -> None:
        self.sent += [(address, datagram) for address in addresses]

    def message(self, addresses: Iterable[Address], address: str, *values: Value) -> None:
        self.send(encode(address, *values), addresses)

    def taken(self) -> list[tuple[Any, ...]]:
        """What was sent since the last call, as (address, value, …); bundles come out flat."""
        datagrams, self.sent = self.sent, []
        return [
            (message.address, *message.values)
            for _, datagram in datagrams
            for timed in decode(datagram)
            for message in timed.messages
        ]
