"""Watches that every stream's next bar is there in time, and that promises are kept."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

from server.base.clock import seconds_until
from server.house.stream import Stream


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
