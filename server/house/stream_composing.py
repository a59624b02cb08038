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

from common.errors import PerpetuoError, StreamError
from engine.controls.controls import Controls
from server.base.clock import seconds_until
from server.composing.messages import (
    BarReport,
    ChangeOrder,
    ChangeReport,
    FailureReport,
    JoinOrder,
    JoinReport,
    LeapReport,
    LeaveOrder,
    LoadReport,
    Order,
    Report,
    ResumePoint,
    ShiftOrder,
    SnapshotOrder,
    SnapshotReport,
    TroubleReport,
)
from server.house import events
from server.house.events import BarPlanned, BarsMoved, PlannedBar, StateTurned
from server.house.metrics import Counters
from server.house.stream import ENDED, PLAYING, STOPPED, EpochStart, Stream
from server.house.timekeeping import Timekeeping

log = logging.getLogger("perpetuo.house")

_A_LITTLE = 0.002  # seconds

R = TypeVar("R")
_OfStream = BarReport | ChangeReport | SnapshotReport | LeapReport | FailureReport


class Composers(Protocol):
    """The line to the composing processes (`server.composing.pool`)."""

    def send(self, order: Order) -> None: ...

    async def request(
        self, order: JoinOrder | ChangeOrder | SnapshotOrder
    ) -> JoinReport | ChangeReport | SnapshotReport: ...


class StreamComposing:
    """Orders streams from the composing process and takes what it delivers."""

    def __init__(
        self,
        composers: Composers,
        clock: Callable[[], int],
        counters: Counters,
        horizon: int,
        lost: Callable[[Stream], None],
        failed: Callable[[Stream, str], None],
        changed: Callable[[Stream, ChangeReport], None],
    ) -> None:
        """`lost` is called with a stream whose process ended, `failed` with one that could not be
        composed, and why; `changed` when a change was made."""
        self.composers, self.now, self.counters, self.horizon = composers, clock, counters, horizon
        self._lost, self._failed, self._changed = lost, failed, changed
        self.time = Timekeeping(composers.send, clock, counters, horizon, failed)
        self._numbers = 0
        self._by_number: dict[int, Stream] = {}
        self._without: set[int] = set()  # numbers whose process ended before a join was through
        self._early: dict[int, list[_OfStream]] = {}  # what came before a join was through

    async def ask(self, order: JoinOrder | ChangeOrder | SnapshotOrder, answer: type[R]) -> R:
        """Send an order and wait for its answer; a PerpetuoError if it is refused."""
        try:
            found = await self.composers.request(order)
        except PerpetuoError:
            self.counters.refusals += 1
            raise
        assert isinstance(found, answer), f"{order} was answered by {found}"
        return found

    def dismiss(self, stream: Stream) -> None:
        """Have a stream no longer composed; that of a station may be taken up again."""
        self._by_number.pop(stream.number, None)
        self.composers.send(LeaveOrder(stream.number, forget=not stream.is_station))

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
        opening: EpochStart,
        reason: str,
        *,
        due: int = 0,
        resume: ResumePoint | None = None,
        admit: Callable[[], None] = lambda: None,
    ) -> None:
        """Have a stream begin, or begin anew, with this opening. It takes the stream's place only
        when composing has joined it: refused or lost, the stream is as it was. `admit` is called
        right before its listeners are told."""
        number, joined = await self._join(stream, opening, opening.controls, due, resume)
        before, kept = stream.number, stream.kept
        lent = replace(opening, controls=Controls.from_dict(joined.controls), asked=frozenset())
        begins = await self._bar_line(stream, joined.due)
        if stream.state == ENDED:
            raise self._gone(stream, number)
        if begins != joined.due:
            self.composers.send(ShiftOrder(number, joined.first, begins - joined.due))
        stream.begin(lent, number, joined.first, begins)
        stream.sha256, stream.styles = joined.sha256, joined.styles
        stream.unfollowed = joined.unfollowed
        if resume is not None:
            stream.kept, stream.begun_with = kept, opening.controls
        self._by_number.pop(before, None)
        if before >= 0:
            self.composers.send(LeaveOrder(before))
        admit()
        stream.tell(StateTurned(PLAYING, stream.epoch, reason + _without(stream, joined)))
        self.time.watch.expect(stream)
        self._take_early(stream)

    async def take_up(self, stream: Stream) -> None:
        """Have a composing process go on with a stream where another one was."""
        now = self.now()
        self.time.settle(stream)
        # Where only fallbacks come now, from before them: what was to come there is pushed back.
        bar = min(stream.first_open(now, self.horizon), stream.composed_until)
        if stream.state == STOPPED:
            bar = min(bar, stream.resting_bar(now))  # where it goes on
        due = stream.bars[bar].due if bar in stream.bars else stream.planned_until
        revisions = {i: planned.revision for i, planned in stream.bars.items() if i >= bar}
        kept = stream.kept
        resume = ResumePoint(
            kept.path, tuple(kept.changes), bar, due, revisions, stream.changes, kept.bar
        )
        if not stream.bars:
            stream.move(stream.first, max(0, now - stream.begins))  # its first bar is yet to come
        number, joined = await self._join(stream, stream.opening, stream.begun_with, 0, resume)
        before, stream.number, stream.is_lost = stream.number, number, False
        self._by_number.pop(before, None)
        self._meet(stream, joined)
        self._take_early(stream)

    def _meet(self, stream: Stream, joined: JoinReport) -> None:
        """Time went on while a stream was taken up: composing is told how it stands now."""
        if stream.state == STOPPED:
            self.time.rest(stream)
        elif stream.bars and stream.composed_until <= joined.first <= stream.missing:
            self.time.go_on(stream)

    async def _join(
        self,
        stream: Stream,
        opening: EpochStart,
        controls: Controls,
        due: int,
        resume: ResumePoint | None,
    ) -> tuple[int, JoinReport]:
        self._numbers += 1
        number = self._numbers
        self._by_number[number] = stream
        order = JoinOrder(
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
            tuple(sorted(opening.asked)),
        )
        try:
            joined = await self.ask(order, JoinReport)
        except BaseException:
            self._forget(number)
            raise
        if stream.state == ENDED:
            raise self._gone(stream, number)
        return number, joined

    def _gone(self, stream: Stream, number: int) -> StreamError:
        """It was closed while it was to begin."""
        self._forget(number)
        self.composers.send(LeaveOrder(number, forget=not stream.is_station))
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
        which `Composers.request` gives back, those that belong between the bars come here first."""
        match report:
            case LoadReport():
                self._take_load(report)
            case TroubleReport(message=message):
                self.counters.troubles += 1
                log.warning("%s", message)
            case BarReport() | ChangeReport() | SnapshotReport() | LeapReport() | FailureReport():
                stream = self._by_number.get(report.stream)
                if stream is None or stream.state == ENDED:
                    self.counters.discarded_bars += isinstance(report, BarReport)
                elif (
                    stream.number != report.stream
                ):  # it begins with this: `JoinReport` is being read
                    self._early.setdefault(report.stream, []).append(report)
                else:
                    self._take_news(stream, report)

    def _take_news(self, stream: Stream, report: _OfStream) -> None:
        match report:
            case BarReport():
                self._take_bar(stream, report)
            case ChangeReport():
                self._changed(stream, report)
            case SnapshotReport(bar=bar, path=path):
                stream.was_kept(bar, path)
            case LeapReport(bar=bar, to=to, tick=tick):
                leap = events.BarsLeapt(bar, to, tick)
                stream.leapt(leap)
                self.counters.leaps += 1
                stream.tell(leap)
            case FailureReport(message=message):
                self.counters.troubles += 1
                self.composers.send(LeaveOrder(stream.number))
                self._failed(stream, message)

    def _take_bar(self, stream: Stream, report: BarReport) -> None:
        self.time.settle(stream)
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
            if len(stream.bars) == 1 and planned.index == stream.first:
                self.time.put_off(stream, planned)
            self.time.keep_in_step(stream, report)
        stream.tell(BarPlanned(stream.bars[planned.index]))
        if later:
            stream.tell(BarsMoved(planned.index + 1, later))
        self.time.watch.expect(stream)

    def _take_load(self, load: LoadReport) -> None:
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


def _without(stream: Stream, joined: JoinReport) -> str:
    """What is added to the reason why a stream began, where controls had to be left out of it."""
    if not joined.left_out:
        return ""
    for name in joined.left_out:
        log.warning("%s begins without %s: %s", stream.name, name, joined.unfollowed[name])
    return f"; without {', '.join(joined.left_out)}, which the model does not follow"
