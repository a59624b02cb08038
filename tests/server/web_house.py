"""A house for the web door's tests: streams with bars that tests plan by hand.

It keeps the contract of `server.house.house.House` without composing anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from common.errors import BundleError, CapacityError, PlanError, StreamError
from common.words import nearest
from engine.controls.controls import Controls
from engine.library.presets import Preset
from server.base.wire import WireBar, WireNote, encode_bar
from server.house.events import (
    BarPlanned,
    BarsMoved,
    ChangeAnnounced,
    ChangePostponed,
    Panicked,
    PlannedBar,
    StateTurned,
    StreamEvent,
    StreamListener,
)
from server.house.house import HouseRules
from server.house.metrics import Counters
from server.house.requests import ModelRequest, RequestDone, StreamRequest
from server.house.stream import Stream
from tests.server.steering import carried_out

LENGTH = 2_000_000  # microseconds a bar
HORIZON = 150_000
PRESETS = {
    "study": Preset("study", "Study", "Quiet.", {"density": 2.0}),
    "dance": Preset("dance", "Dance", "Lively.", {"density": 6.0, "tempo": 128}),
}


def bar(index: int, revision: int = 0, notes: int = 4) -> WireBar:
    told = tuple(WireNote(1 + i % 8, 60 + i % 24, 80, (i * 7) % 96, 12, 0, 0) for i in range(notes))
    return WireBar(
        index, revision, 96 * index, 96, "4/4", 500_000, "C major", ("C", "G"), "A", -1, (0,) * 8,
        told,
    )  # fmt: skip


class WebHouse:
    """A station "study", and "dance"; time stands still unless a clock is given."""

    def __init__(self, clock: Callable[[], int] | None = None, bars: int = 4) -> None:
        self.time = 10_000_000
        self.now = clock or (lambda: self.time)
        self.presets = PRESETS
        self.rules = HouseRules(HORIZON)
        self.counters = Counters()
        self.streams: dict[str, Stream] = {}
        self.carries = 1000  # own streams
        self.asked: list[tuple[Any, ...]] = []  # what doors had it do
        self.health: dict[str, Any] = {"status": "ok"}
        self.lazy = asyncio.Event()  # what is asked is done when it is set
        self.lazy.set()
        for name in ("study", "dance"):
            self.begin(name, True, bars)

    # -- what tests do ---------------------------------------------------------------------------

    def begin(self, name: str, is_station: bool, bars: int = 4, seed: int = 7) -> Stream:
        stream = Stream(name, seed, "default", Controls(), None)
        stream.title = "Quiet hours" if name == "study" else name
        stream.is_station, stream.styles = is_station, ("folk", "romantic")
        stream.state, stream.epoch, stream.begins = "playing", 0, self.now()
        self.streams[name] = stream
        for _ in range(bars):
            self.plan(stream)
        return stream

    def plan(self, stream: Stream, index: int | None = None, notes: int = 4) -> PlannedBar:
        """Plan the next bar, or another revision of one."""
        at = stream.missing if index is None else index
        held = stream.bars.get(at)
        revision = held.revision + 1 if held else 0
        due = held.due if held else stream.planned_until
        planned = PlannedBar(at, revision, due, LENGTH, encode_bar(bar(at, revision, notes)))
        stream.bars[at] = planned
        self.tell(stream, BarPlanned(planned))
        return planned

    def postpone(self, stream: Stream) -> None:
        """The last change is heard a bar later than it was told."""
        last = stream.history[-1]
        bar = last.bar + 1
        stream.postpone(last.change, bar, stream.bars[bar].due)
        self.tell(stream, ChangePostponed(last.change, bar, stream.bars[bar].due))

    def tell(self, stream: Stream, event: StreamEvent) -> None:
        for listener in tuple(stream.listeners):
            listener.hear(stream, event)

    # -- what doors use --------------------------------------------------------------------------

    @property
    def stations(self) -> dict[str, Stream]:
        return {name: one for name, one in self.streams.items() if one.is_station}

    def find(self, name: str) -> Stream:
        if name not in self.streams:
            raise StreamError(f"there is no stream '{name[:40]}': {nearest(name, self.stations)}")
        return self.streams[name]

    def listen(self, stream: Stream, listener: StreamListener) -> None:
        if listener not in stream.listeners:
            stream.listeners.append(listener)

    def unlisten(self, stream: Stream, listener: StreamListener) -> None:
        if listener in stream.listeners:
            stream.listeners.remove(listener)

    async def open(
        self,
        *,
        preset: str | None,
        seed: int | None,
        controls: Mapping[str, Any],
        prompt: Any,
        owner: str,
    ) -> Stream:
        self.asked.append(("open", preset, seed, dict(controls), prompt, owner))
        Controls().with_values(controls)
        await self.lazy.wait()
        own = len(self.streams) - len(self.stations)
        if own >= self.carries:
            raise CapacityError("this machine carries no more streams: try again later")
        return self.begin(f"own-{own}", False, seed=seed or 1)

    async def close(self, stream: Stream, reason: str) -> None:
        self.asked.append(("close", stream.name, reason))
        if self.streams.pop(stream.name, None):
            stream.state = "ended"
            self.tell(stream, StateTurned("ended", stream.epoch, reason))
            stream.listeners.clear()

    async def change(
        self,
        stream: Stream,
        controls: Mapping[str, Any],
        plan: Mapping[int, Mapping[str, int]] = {},
        *,
        by: str,
    ) -> ChangeAnnounced:
        changed = stream.controls.with_values(controls)
        if any("nonsense" in values for values in plan.values()):
            raise PlanError("a plan has no 'nonsense': name a value of the plan")
        await self.lazy.wait()
        stream.controls = changed
        first = stream.first_open(self.now(), HORIZON)
        known = {name: changed.plain(name) for name in controls}
        stream.changes += 1
        event = ChangeAnnounced(known, plan, first, stream.bars[first].due, by, stream.changes)
        stream.history.append(event)
        self.tell(stream, event)
        for index in range(first, stream.missing):
            self.plan(stream, index)
        return event

    async def apply_preset(self, stream: Stream, name: str, *, by: str) -> ChangeAnnounced:
        steered = await self.change(stream, self.presets[name].controls, by=by)
        stream.preset = name
        return steered

    async def start(self, stream: Stream, *, by: str) -> None:
        self._anew(stream, f"started by {by}")

    async def reseed(self, stream: Stream, seed: int, *, by: str) -> None:
        stream.opening = replace(stream.opening, seed=seed)
        self._anew(stream, f"seed {seed} by {by}")

    async def load(self, stream: Stream, model: str, *, by: str) -> None:
        self.asked.append(("load", stream.name, model))
        self._anew(stream, f"model {model} by {by}")

    async def prompt(self, stream: Stream, prompt: Any, *, by: str) -> None:
        self.asked.append(("prompt", stream.name, prompt))
        self._anew(stream, f"prompt by {by}")

    def _anew(self, stream: Stream, reason: str) -> None:
        stream.epoch += 1
        stream.bars.clear()
        stream.begins = self.now()
        self.tell(stream, StateTurned("playing", stream.epoch, reason))
        for _ in range(4):
            self.plan(stream)

    async def stop(self, stream: Stream, *, by: str) -> None:
        stream.state = "stopped"
        self.tell(stream, StateTurned("stopped", stream.epoch, f"stopped by {by}"))

    async def go_on(self, stream: Stream, *, by: str) -> None:
        stream.state = "playing"
        stream.move(1, 500_000)
        self.tell(stream, BarsMoved(1, 500_000))
        self.tell(stream, StateTurned("playing", stream.epoch, f"continued by {by}"))

    def models(self) -> dict[str, str]:
        return {name: name for name in ("default", "lstm", "performance")}

    def steer(self, stream: Stream, request: StreamRequest) -> asyncio.Future[RequestDone]:
        if isinstance(request, ModelRequest) and request.model not in (*self.models(), "mine"):
            raise BundleError(f"there is no model '{request.model}'")
        return asyncio.ensure_future(carried_out(self, stream, request))

    def panic(self, stream: Stream, *, by: str) -> None:
        self.tell(stream, Panicked())

    def status(self) -> dict[str, Any]:
        return self.health
