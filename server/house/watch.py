"""Watches that every stream's next bar is there in time."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

from server.clock import seconds_until
from server.house.stream import PLAYING, Stream

# How long before its due time a bar must be there: time to make a fallback and to send it.
NEEDED_BEFORE = 60_000


class Watch:
    """One timer for all streams. `bridge` is called with a stream whose next bar is needed now;
    it must plan something there. Use in the event loop."""

    def __init__(self, clock: Callable[[], int], bridge: Callable[[Stream], None]) -> None:
        self._clock, self._bridge = clock, bridge
        self._needs: list[tuple[int, int, int, Stream]] = []  # when, tie-break, bar
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None
        self._set_for = 0

    def expect(self, stream: Stream) -> None:
        """Its next bar is needed when its plan ends. Call whenever its plan has grown or moved."""
        if stream.state != PLAYING or not stream.bars:
            return  # before its first bar a stream has nothing that could be bridged
        self._count += 1
        when = stream.planned_until - NEEDED_BEFORE
        heapq.heappush(self._needs, (when, self._count, stream.missing, stream))
        self._arm()

    def check(self, now: int) -> None:
        """Bridge what is needed by now."""
        while self._needs and self._needs[0][0] <= now:
            when, _, bar, stream = heapq.heappop(self._needs)
            outdated = stream.missing != bar or stream.planned_until - NEEDED_BEFORE > when
            if outdated or stream.state != PLAYING:
                continue
            self._bridge(stream)
            self.expect(stream)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._needs.clear()

    def _arm(self) -> None:
        when = self._needs[0][0]
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
        if self._needs:
            self._arm()
