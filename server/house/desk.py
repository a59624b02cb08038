"""The streams as the composing process knows them: beginning, bars, beginning again.

Each join has a number that is never used again, so what a stream that is over still sends finds
nobody. Use in the event loop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from engine.controls import Controls
from engine.errors import PerpetuoError
from engine.fallback import BEFORE_A_FALLBACK
from server.composing.messages import (
    Change,
    Changed,
    Composed,
    Failed,
    Join,
    Joined,
    Keep,
    Kept,
    Leave,
    Load,
    Order,
    Report,
    Resume,
    Shift,
    Trouble,
)
from server.house.counters import Counters
from server.house.events import BarPlanned, Moved, PlannedBar, Turned
from server.house.stream import ENDED, FAR, PLAYING, STOPPED, Stream
from server.house.watch import Watch
from server.playing.bridging import bridged

log = logging.getLogger("perpetuo.house")

OUT_OF_STEP, IN_STEP_WITHIN = 2_000, 5_000_000  # microseconds
BEGIN_LEAD = 50_000  # from its first bar's coming to a stream's beginning, if it came too late

R = TypeVar("R")


class Line(Protocol):
    """The line to the composing process (`server.composing.link`)."""

    def send(self, order: Order) -> None: ...

    async def request(self, order: Join | Change | Keep) -> Joined | Changed | Kept: ...


class Desk:
    """Orders streams from the composing process and takes what it delivers."""

    def __init__(
        self,
        line: Line,
        clock: Callable[[], int],
        counters: Counters,
        horizon: int,
        announce: Callable[[Stream], None],
    ) -> None:
        """`announce` is called with a stream that has begun, before its listeners are told."""
        self.line, self.now, self.counters, self.horizon = line, clock, counters, horizon
        self.announce = announce
        self.watch = Watch(clock, self._bridge)
        self._numbers = 0
        self._by_number: dict[int, Stream] = {}
        self._early: dict[int, list[Composed]] = {}  # bars that came before the answer to a join

    async def ask(self, order: Join | Change | Keep, answer: type[R]) -> R:
        """Send an order and wait for its answer; a PerpetuoError if it is refused."""
        try:
            found = await self.line.request(order)
        except PerpetuoError:
            self.counters.refusals += 1
            raise
        assert isinstance(found, answer), f"{order} was answered by {found}"
        return found

    def dismiss(self, stream: Stream) -> None:
        """Have a stream no longer composed; that of a station may be taken up again."""
        self._by_number.pop(stream.number, None)
        self.line.send(Leave(stream.number, forget=not stream.is_station))

    # -- beginning -------------------------------------------------------------------------------

    async def begin_anew(self, stream: Stream, reason: str, **changed: Any) -> None:
        """Another epoch, from the next bar line on; `changed` are attributes of the stream. If it
        is refused, the old one goes on."""
        before = {name: getattr(stream, name) for name in changed}
        number = stream.number
        playing = stream.playing_at(self.now()) if stream.state == PLAYING else None
        for name, value in changed.items():
            setattr(stream, name, value)
        try:
            await self.begin(stream, playing.end if playing else 0, reason)
        except PerpetuoError:
            for name, value in before.items():
                setattr(stream, name, value)
            raise
        self.line.send(Leave(number))

    async def begin(
        self, stream: Stream, due: int = 0, reason: str = "begun", resume: Resume | None = None
    ) -> None:
        number, controls = self._number(stream), stream.controls
        try:
            order = self._join(stream, number, controls, due, resume)
            joined = await self.ask(order, Joined)
        except PerpetuoError:
            del self._by_number[number]
            raise
        self._by_number.pop(stream.number, None)
        stream.sha256, stream.styles = joined.sha256, joined.styles
        stream.controls = Controls.from_dict(joined.controls)
        kept = stream.kept
        stream.begin(number, joined.first, joined.due)
        if resume is not None:
            stream.kept, stream.begun_with = kept, controls
        self.announce(stream)
        stream.tell(Turned(PLAYING, stream.epoch, reason))
        self.watch.expect(stream)
        self._take_early(number)

    # -- what the composing process says -----------------------------------------------------------

    def take(self, report: Report) -> None:
        """Everything but the answers to requests, which `Line.request` gives back."""
        match report:
            case Composed():
                self._take_bar(report)
            case Kept():
                stream = self._by_number.get(report.stream)
                if stream is not None:
                    stream.was_kept(report.bar, report.path)
            case Load():
                self._take_load(report)
            case Failed():
                log.error("%s", report.message)
            case Trouble():
                self.counters.troubles += 1
                log.warning("%s", report.message)

    def _take_bar(self, report: Composed) -> None:
        stream = self._by_number.get(report.stream)
        if stream is None or stream.state == ENDED:
            self.counters.discarded_bars += 1
            return
        if stream.number != report.stream:  # it begins with these: its `Joined` is being read
            self._early.setdefault(report.stream, []).append(report)
            return
        planned = PlannedBar(report.index, report.revision, report.due, report.length, report.bar)
        later = stream.accept(planned, self.now())
        if later is None:
            self.counters.discarded_bars += 1
            return
        self.counters.bars += 1
        self.counters.revised_bars += planned.revision > 0
        if stream.state == PLAYING:
            if planned.index == stream.first:
                self._put_off(stream, planned)
            self._keep_in_step(stream, report)
        stream.tell(BarPlanned(stream.bars[planned.index]))
        if later:
            stream.tell(Moved(planned.index + 1, later))
        self.watch.expect(stream)

    def _put_off(self, stream: Stream, planned: PlannedBar) -> None:
        """A first bar that took too long begins later; `_keep_in_step` tells of it."""
        later = self.now() + BEGIN_LEAD - planned.due
        if later > 0:
            stream.move(planned.index, later)

    def _keep_in_step(self, stream: Stream, report: Composed) -> None:
        """Tell the composing process when it takes a bar to be due that is due at another time,
        because the stream began later, or a bar was bridged by a fallback of another length. Not
        at once again: what is on its way was composed before it heard of it. So was a bar that is
        due in the far future, when the stream has just gone on."""
        later, now = stream.bars[report.index].due - report.due, self.now()
        is_next = report.index == stream.missing - 1
        is_apart = OUT_OF_STEP < abs(later) < FAR // 2
        if is_next and is_apart and now - stream.in_step_since > IN_STEP_WITHIN:
            stream.in_step_since = now
            self.line.send(Shift(stream.number, report.index + 1, later))

    def _take_load(self, load: Load) -> None:
        counters = self.counters
        counters.composer_speed, counters.composer_demand = load.speed, load.demand
        counters.composer_busy, counters.composer_memory = load.busy, load.memory
        counters.composer_notes, counters.guards = load.notes, load.guards
        counters.composers = load.processes

    # -- the composing process ends, and begins again ----------------------------------------------

    async def take_up(self, stream: Stream) -> None:
        """Have a new composing process go on with a stream where the last one was."""
        now = self.now()
        bar = stream.first_open(now, self.horizon)
        due = stream.bars[bar].due if bar in stream.bars else stream.planned_until
        revisions = {i: planned.revision for i, planned in stream.bars.items() if i >= bar}
        kept = stream.kept
        resume = Resume(kept.path, tuple(kept.changes), bar, due, revisions)
        number = self._number(stream)
        await self.ask(self._join(stream, number, stream.begun_with, 0, resume), Joined)
        self._by_number.pop(stream.number, None)
        stream.number = number
        if stream.state == STOPPED:
            self.line.send(Shift(number, stream.resting_bar(self.now()) + 1, FAR))
        self._take_early(number)

    def _number(self, stream: Stream) -> int:
        self._numbers += 1
        self._by_number[self._numbers] = stream
        return self._numbers

    def _join(
        self, stream: Stream, number: int, controls: Controls, due: int, resume: Resume | None
    ) -> Join:
        return Join(
            0,  # the line numbers it
            number,
            stream.name,
            stream.model,
            stream.seed,
            0,
            controls.as_dict(),  # what is left out, a prompt may lend
            due,
            stream.prompt.plain() if stream.prompt else None,
            resume,
        )

    def _take_early(self, number: int) -> None:
        for report in self._early.pop(number, []):
            self._take_bar(report)

    def _bridge(self, stream: Stream) -> None:
        """The bar that is needed now is not there: play something made of the ones before."""
        before = stream.recent(BEFORE_A_FALLBACK)
        planned = stream.bridge(bridged(before))
        self.counters.late_bars += 1
        log.warning("%s: bar %d was not ready in time and is bridged", stream.name, planned.index)
        stream.tell(BarPlanned(planned))
