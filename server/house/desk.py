"""The streams as the composing process knows them: beginning, bars, beginning again.

Each join has a number that is never used again, so what a stream that is over still sends finds
nobody. Use in the event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, TypeVar

from engine.controls import Controls
from engine.errors import PerpetuoError, StreamError
from engine.fallback import BEFORE_A_FALLBACK
from server.clock import seconds_until
from server.composing.messages import (
    Change,
    Changed,
    Composed,
    Failed,
    GoOn,
    Join,
    Joined,
    Keep,
    Kept,
    Leapt,
    Leave,
    Load,
    Order,
    Report,
    Rest,
    Resume,
    Shift,
    Trouble,
)
from server.house import events
from server.house.counters import Counters
from server.house.events import (
    NEEDED_BEFORE,
    BarPlanned,
    HeardAsItWas,
    Moved,
    PlannedBar,
    Postponed,
    Turned,
)
from server.house.stream import ENDED, PLAYING, STOPPED, Opening, Settled, Stream
from server.house.watch import Watch
from server.playing.bridging import bridged

log = logging.getLogger("perpetuo.house")

OUT_OF_STEP, IN_STEP_WITHIN = 2_000, 5_000_000  # microseconds
_A_LITTLE = 0.002  # seconds

R = TypeVar("R")
_OfStream = Composed | Changed | Kept | Leapt | Failed


class Line(Protocol):
    """The line to the composing processes (`server.composing.crew`)."""

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
        lost: Callable[[Stream], None],
        failed: Callable[[Stream, str], None],
        changed: Callable[[Stream, Changed], None],
    ) -> None:
        """`lost` is called with a stream whose process ended, `failed` with one that could not be
        composed, and why; `changed` when a change was made."""
        self.line, self.now, self.counters, self.horizon = line, clock, counters, horizon
        self._lost, self._failed, self._changed = lost, failed, changed
        self.watch = Watch(clock, self._look)
        self._numbers = 0
        self._by_number: dict[int, Stream] = {}
        self._without: set[int] = set()  # numbers whose process ended before a join was through
        self._early: dict[int, list[_OfStream]] = {}  # what came before a join was through

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

    def lose(self, numbers: frozenset[int]) -> list[Stream]:
        """A process that composed these has ended: the streams that were theirs. What was just to
        begin there is told when it has."""
        found = {number: self._by_number.get(number) for number in numbers}
        known = {number: stream for number, stream in found.items() if stream is not None}
        self._without.update(number for number, stream in known.items() if stream.number != number)
        return [stream for number, stream in known.items() if stream.number == number]

    # -- beginning -------------------------------------------------------------------------------

    async def begin(
        self,
        stream: Stream,
        opening: Opening,
        reason: str,
        *,
        due: int = 0,
        resume: Resume | None = None,
        admit: Callable[[], None] = lambda: None,
    ) -> None:
        """Have a stream begin, or begin anew, with this opening. It takes the stream's place only
        when composing has joined it: refused or lost, the stream is as it was. `admit` is called
        right before its listeners are told."""
        number, joined = await self._join(stream, opening, opening.controls, due, resume)
        before, kept = stream.number, stream.kept
        lent = replace(opening, controls=Controls.from_dict(joined.controls))
        begins = await self._bar_line(stream, joined.due)
        if stream.state == ENDED:
            raise self._gone(stream, number)
        if begins != joined.due:
            self.line.send(Shift(number, joined.first, begins - joined.due))
        stream.begin(lent, number, joined.first, begins)
        stream.sha256, stream.styles = joined.sha256, joined.styles
        if resume is not None:
            stream.kept, stream.begun_with = kept, opening.controls
        self._by_number.pop(before, None)
        if before >= 0:
            self.line.send(Leave(before))
        admit()
        stream.tell(Turned(PLAYING, stream.epoch, reason))
        self.watch.expect(stream)
        self._take_early(stream)

    async def take_up(self, stream: Stream) -> None:
        """Have a composing process go on with a stream where another one was."""
        now = self.now()
        self.settle(stream)
        # Where only fallbacks come now, from before them: what was to come there is pushed back.
        bar = min(stream.first_open(now, self.horizon), stream.composed_until)
        due = stream.bars[bar].due if bar in stream.bars else stream.planned_until
        revisions = {i: planned.revision for i, planned in stream.bars.items() if i >= bar}
        kept = stream.kept
        resume = Resume(
            kept.path, tuple(kept.changes), bar, due, revisions, stream.changes, kept.bar
        )
        number, joined = await self._join(stream, stream.opening, stream.begun_with, 0, resume)
        before, stream.number, stream.is_lost = stream.number, number, False
        self._by_number.pop(before, None)
        self._meet(stream, joined)
        self._take_early(stream)

    def _meet(self, stream: Stream, joined: Joined) -> None:
        """Time went on while a stream was taken up: composing is told how it stands now."""
        if stream.state == STOPPED:
            self.rest(stream)
        elif stream.bars and stream.composed_until <= joined.first <= stream.missing:
            self._go_on(stream)

    async def _join(
        self,
        stream: Stream,
        opening: Opening,
        controls: Controls,
        due: int,
        resume: Resume | None,
    ) -> tuple[int, Joined]:
        self._numbers += 1
        number = self._numbers
        self._by_number[number] = stream
        order = Join(
            0,  # the line numbers it
            number,
            stream.name,
            opening.model,
            opening.seed,
            0,
            controls.as_dict(),  # what is left out, a prompt may lend
            due,
            opening.prompt.plain() if opening.prompt else None,
            resume,
        )
        try:
            joined = await self.ask(order, Joined)
        except BaseException:
            self._forget(number)
            raise
        if stream.state == ENDED:
            raise self._gone(stream, number)
        return number, joined

    def _gone(self, stream: Stream, number: int) -> StreamError:
        """It was closed while it was to begin."""
        self._forget(number)
        self.line.send(Leave(number, forget=not stream.is_station))
        return StreamError(f"'{stream.name}' has ended")

    def _forget(self, number: int) -> None:
        self._by_number.pop(number, None)
        self._early.pop(number, None)
        self._without.discard(number)

    async def _bar_line(self, stream: Stream, due: int) -> int:
        """When an epoch begins that was to begin at `due`: at a bar line of the one before, if
        that plays on and its line is not too near by now."""
        if stream.epoch < 0 or stream.state != PLAYING:
            return due
        now = self.now()
        playing = stream.playing_at(now)
        if playing is None or (due >= now and due == playing.end):
            return due
        if playing.end - now < self.horizon:  # too near: what begins there still plays
            await asyncio.sleep(seconds_until(playing.end, self.now) + _A_LITTLE)
            playing = stream.playing_at(self.now()) or playing
        return max(playing.end, due)

    # -- what the composing process says -----------------------------------------------------------

    def take(self, report: Report) -> None:
        """Everything that the composing processes say, in their order. Of the answers to requests,
        which `Line.request` gives back, those that belong between the bars come here first."""
        match report:
            case Load():
                self._take_load(report)
            case Trouble(message=message):
                self.counters.troubles += 1
                log.warning("%s", message)
            case Composed() | Changed() | Kept() | Leapt() | Failed():
                stream = self._by_number.get(report.stream)
                if stream is None or stream.state == ENDED:
                    self.counters.discarded_bars += isinstance(report, Composed)
                elif stream.number != report.stream:  # it begins with this: `Joined` is being read
                    self._early.setdefault(report.stream, []).append(report)
                else:
                    self._take_news(stream, report)

    def _take_news(self, stream: Stream, report: _OfStream) -> None:
        match report:
            case Composed():
                self._take_bar(stream, report)
            case Changed():
                self._changed(stream, report)
            case Kept(bar=bar, path=path):
                stream.was_kept(bar, path)
            case Leapt(bar=bar, to=to, tick=tick):
                leap = events.Leapt(bar, to, tick)
                stream.leapt(leap)
                self.counters.leaps += 1
                stream.tell(leap)
            case Failed(message=message):
                self.counters.troubles += 1
                self.line.send(Leave(stream.number))
                self._failed(stream, message)

    def _take_bar(self, stream: Stream, report: Composed) -> None:
        self.settle(stream)
        planned = PlannedBar(
            report.index,
            report.revision,
            report.due,
            report.length,
            report.bar,
            serial=report.change,
        )
        later = stream.accept(planned)
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
        """A first bar that took too long begins later, so that it reaches everybody before its
        first note; `_keep_in_step` tells of it."""
        later = self.now() + self.horizon - planned.frontier(stream.sealed_before)
        if later > 0:
            stream.move(planned.index, later)

    def _keep_in_step(self, stream: Stream, report: Composed) -> None:
        """Tell the composing process when it takes a bar to be due that is due at another time,
        because the stream began later, or a bar was bridged by a fallback of another length. Not
        at once again: what is on its way was composed before it heard of it."""
        later, now = stream.bars[report.index].due - report.due, self.now()
        is_next = report.index == stream.missing - 1
        is_apart = abs(later) > OUT_OF_STEP
        if is_next and is_apart and now - stream.in_step_since > IN_STEP_WITHIN:
            stream.in_step_since = now
            self.line.send(Shift(stream.number, report.index + 1, later))

    def _take_load(self, load: Load) -> None:
        counters = self.counters
        counters.composer_speed, counters.composer_demand = load.speed, load.demand
        counters.composer_busy, counters.composer_memory = load.busy, load.memory
        counters.composer_notes, counters.guards = load.notes, load.guards
        counters.composers = load.processes

    def _take_early(self, stream: Stream) -> None:
        number = stream.number
        for report in self._early.pop(number, []):
            self.take(report)
        if number in self._without:
            self._without.discard(number)
            self._lost(stream)

    # -- what falls due ----------------------------------------------------------------------------

    def settle(self, stream: Stream) -> None:
        """Say which bars stay as they are, and what that means for what was promised."""
        self._tell_settled(stream, stream.settle(self.now()))

    def tell_outdated(self, stream: Stream, outdated: list[PlannedBar]) -> None:
        """These bars are heard as they were before a change that was to reach them."""
        for planned in outdated:
            self.counters.outdated_bars += 1
            stream.tell(HeardAsItWas(planned))

    def _tell_settled(self, stream: Stream, settled: Settled) -> None:
        self.tell_outdated(stream, settled.outdated)
        for promise in settled.postponed:
            due = stream.due_of(promise.bar) or stream.planned_until
            stream.postpone(promise.change, promise.bar, due)
            stream.tell(Postponed(promise.change, promise.bar, due))

    def _look(self, stream: Stream) -> None:
        """Something of a stream is due: a promise, or a bar that is not there."""
        now = self.now()
        if not stream.bars:
            self._failed(stream, "its first bar did not come")
        elif stream.planned_until - NEEDED_BEFORE <= now:
            self._bridge(stream, now)
        self.settle(stream)

    def _bridge(self, stream: Stream, now: int) -> None:
        """The bar that is needed now is not there: play something made of the ones before, and
        have composing go on after it."""
        planned = stream.bridge(bridged(stream.recent(BEFORE_A_FALLBACK)), now)
        self.counters.late_bars += 1
        log.warning("%s: bar %d was not ready in time and is bridged", stream.name, planned.index)
        stream.tell(BarPlanned(planned))
        if not stream.is_lost:
            self._go_on(stream)

    def rest(self, stream: Stream) -> None:
        """A stream was stopped."""
        self.line.send(Rest(stream.number, stream.resting_bar(self.now())))

    def play_on(self, stream: Stream, bar: int) -> None:
        """A stream goes on in this bar."""
        planned = stream.bars.get(bar)
        if planned is None:
            self.line.send(GoOn(stream.number, bar, stream.begins, 0))
        else:
            self.line.send(GoOn(stream.number, bar, planned.due, planned.bar.tick))
            self._go_on(stream)
        self.watch.expect(stream)

    def _go_on(self, stream: Stream) -> None:
        """Say which bar is wanted next, and when."""
        last = stream.bars[stream.missing - 1].bar
        stream.in_step_since = self.now()  # this says it all
        self.line.send(
            GoOn(stream.number, stream.missing, stream.planned_until, last.tick + last.ticks)
        )
