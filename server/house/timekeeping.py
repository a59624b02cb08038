"""What falls due: bars that can no longer be revised, promises, bars that are not there; and that
composing has the same times as the house. Use in the event loop.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable

from engine.composing.fallback import BEFORE_A_FALLBACK
from server.base.clock import seconds_until
from server.composing.messages import BarReport, GoOnOrder, Order, RestOrder, ShiftOrder
from server.house.bridging import bridged
from server.house.events import (
    NEEDED_BEFORE,
    BarKeptAsItWas,
    BarPlanned,
    ChangePostponed,
    PlannedBar,
)
from server.house.metrics import Counters
from server.house.stream import SealedBars, Stream


class Watch:
    """One timer for all streams. `look` is called with a stream that has something due now; it
    must see to it. Use in the event loop."""

    def __init__(self, clock: Callable[[], int], look: Callable[[Stream], None]) -> None:
        self._clock, self._look = clock, look
        self._coming: list[tuple[int, int, Stream]] = []  # when, ticket
        self._tickets = 0
        self._timer: asyncio.TimerHandle | None = None
        self._set_for = 0

    def expect(self, stream: Stream) -> None:
        """Call whenever its plan has grown or moved, or something was promised."""
        when = stream.next_look()
        if when is None:
            return
        self._tickets += 1
        stream.watched = self._tickets
        heapq.heappush(self._coming, (when, self._tickets, stream))
        self._arm()

    def check(self, now: int) -> None:
        """See to what is due by now."""
        while self._coming and self._coming[0][0] <= now:
            _, ticket, stream = heapq.heappop(self._coming)
            if stream.watched != ticket:
                continue  # something later overtook it
            due = stream.next_look()
            if due is not None and due <= now:
                self._look(stream)
            self.expect(stream)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._coming.clear()

    def _arm(self) -> None:
        when = self._coming[0][0]
        if self._timer is not None:
            if self._set_for <= when and not self._timer.cancelled():
                return
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._set_for = when
        self._timer = loop.call_later(seconds_until(when, self._clock), self._ring)

    def _ring(self) -> None:
        self._timer = None
        self.check(self._clock())
        if self._coming:
            self._arm()


log = logging.getLogger("perpetuo.house")

OUT_OF_STEP, IN_STEP_WITHIN = 2_000, 5_000_000  # microseconds


class Timekeeping:
    """See the module. `send` gives composing an order; `horizon` is in microseconds; `failed` is
    called with a stream that composing has forgotten, and why."""

    def __init__(
        self,
        send: Callable[[Order], None],
        clock: Callable[[], int],
        counters: Counters,
        horizon: int,
        failed: Callable[[Stream, str], None],
    ) -> None:
        self._send, self.now, self.counters, self.horizon = send, clock, counters, horizon
        self._failed = failed
        self.watch = Watch(clock, self._look)

    def settle(self, stream: Stream) -> None:
        """Say which bars stay as they are, and what that means for what was promised."""
        self._tell_settled(stream, stream.settle(self.now()))

    def tell_outdated(self, stream: Stream, outdated: list[PlannedBar]) -> None:
        """These bars are heard as they were before a change that was to reach them."""
        for planned in outdated:
            self.counters.outdated_bars += 1
            stream.tell(BarKeptAsItWas(planned))

    def _tell_settled(self, stream: Stream, settled: SealedBars) -> None:
        self.tell_outdated(stream, settled.outdated)
        for promise in settled.postponed:
            due = stream.due_of(promise.bar) or stream.planned_until
            stream.postpone(promise.change, promise.bar, due)
            stream.tell(ChangePostponed(promise.change, promise.bar, due))

    def _look(self, stream: Stream) -> None:
        """Something of a stream is due: a promise, or a bar that is not there."""
        now = self.now()
        self.settle(stream)  # what a fallback follows is as it is heard
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
            self.go_on(stream)

    def rest(self, stream: Stream) -> None:
        """A stream was stopped."""
        self._send(RestOrder(stream.number, stream.resting_bar(self.now())))

    def play_on(self, stream: Stream, bar: int) -> None:
        """A stream goes on in this bar."""
        planned = stream.bars.get(bar)
        if planned is None:
            self._send(GoOnOrder(stream.number, bar, stream.begins, 0))
        else:
            stream.in_step_since = self.now()
            self._send(GoOnOrder(stream.number, bar, planned.due, planned.bar.tick))
            if stream.composed_until < stream.missing:
                self.go_on(stream)
        self.watch.expect(stream)

    def go_on(self, stream: Stream) -> None:
        """Say which bar is wanted next, and when. Only where all before it are as they are heard,
        or composing may still be at one of them."""
        last = stream.bars[stream.missing - 1].bar
        stream.in_step_since = self.now()  # this says it all
        self._send(
            GoOnOrder(stream.number, stream.missing, stream.planned_until, last.tick + last.ticks)
        )

    # -- in step with composing ------------------------------------------------------------------

    def put_off(self, stream: Stream, planned: PlannedBar) -> None:
        """A first bar that took too long begins later, so that it reaches everybody before its
        first note; `keep_in_step` tells of it."""
        later = self.now() + self.horizon - planned.frontier(stream.sealed_before)
        if later > 0:
            stream.move(planned.index, later)

    def keep_in_step(self, stream: Stream, report: BarReport) -> None:
        """Tell the composing process when it takes a bar to be due that is due at another time,
        because the stream began later, or a bar was bridged by a fallback of another length. Not
        at once again: what is on its way was composed before it heard of it."""
        later, now = stream.bars[report.index].due - report.due, self.now()
        is_next = report.index == stream.missing - 1
        is_apart = abs(later) > OUT_OF_STEP
        if is_next and is_apart and now - stream.in_step_since > IN_STEP_WITHIN:
            stream.in_step_since = now
            self._send(ShiftOrder(stream.number, report.index + 1, later))
