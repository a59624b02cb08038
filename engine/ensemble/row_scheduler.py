"""Who computes: the streams that are most in need are on the rows of one pool.

A call of the network costs a row all the same whether it has something to compose, and memory that
was used just now is near. So there are few rows, all at work, and streams take turns on them by
the bar: whoever is far enough ahead makes room for one whose music ends sooner.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count

from engine.ensemble.stream_clock import NEVER, StreamClock
from engine.network.runtime import Pool

_Entry = tuple[int, int, StreamClock]  # a time, a ticket that no other entry has, and whose it is


class RowScheduler:
    """Streams that have a row, those that wait for a row by when their music ends, and those that
    rest because they are far enough ahead, by when that changes."""

    def __init__(self, pool: Pool, rows: int, lookahead: int, horizon: int) -> None:
        """The pool has one row more than may compute at once, so that whoever is new finds one."""
        self.pool, self._rows = pool, rows
        self.lookahead, self._horizon = lookahead, horizon
        self.in_rows: list[StreamClock] = []
        self._waiting: list[_Entry] = []
        self._resting: list[_Entry] = []
        self._tickets = count(1)

    def enter(self, member: StreamClock) -> None:
        """Somebody new, on a row."""
        if len(self.in_rows) < self._rows:
            self.in_rows.append(member)
        else:
            self._give_up_row(member)

    def leave(self, member: StreamClock) -> None:
        if member in self.in_rows:
            self.in_rows.remove(member)
        member.ticket = 0
        member.composer.close()

    def look_again(self, member: StreamClock) -> None:
        """When this one's music ends, or how far ahead it is, has changed from outside."""
        if member.composer.is_aside:
            self._queue(self._resting, 0, member)

    def settle(self, now: int) -> list[StreamClock]:
        """Time has passed, or bars were finished: who has a row now."""
        for member in self.in_rows:
            member.pass_time(now, self._horizon)
        self._wake(now)
        while (waiting := _first(self._waiting)) and self._has_room_for(waiting):
            heappop(self._waiting)
            waiting.composer.lease.take_row()
            self.in_rows.append(waiting)
        return self.in_rows

    @property
    def due(self) -> int:
        """When the composed music of any stream that may compose ends first; NEVER if none."""
        dues = [member.due for member in self.in_rows if member.is_needy(self.lookahead)]
        waiting = _first(self._waiting)
        return min([*dues, waiting.due] if waiting else dues, default=NEVER)

    @property
    def wakes(self) -> int:
        """When there may be something to compose again after `settle` found nothing."""
        resting = self._resting[0][0] if _first(self._resting) else NEVER
        return min([resting, *(member.wakes for member in self.in_rows)])

    def _wake(self, now: int) -> None:
        while (member := _first(self._resting)) and self._resting[0][0] <= now:
            heappop(self._resting)
            self._stand_by(member, now)

    def _stand_by(self, member: StreamClock, now: int) -> None:
        member.pass_time(now, self._horizon)
        if member.is_needy(self.lookahead):
            self._queue(self._waiting, member.due, member)
        else:
            self._queue(self._resting, member.wakes, member)

    def _has_room_for(self, member: StreamClock) -> bool:
        """Whether there is a row, if need be one that somebody leaves who is better off."""
        if len(self.in_rows) < self._rows:
            return True
        between_bars = [m for m in self.in_rows if not m.composer.is_under_way]
        spare = [m for m in between_bars if not m.is_needy(self.lookahead)] or between_bars
        last = max(spare, key=_due, default=None)
        if last is None or (last.is_needy(self.lookahead) and last.due <= member.due):
            return False
        self.in_rows.remove(last)
        self._give_up_row(last)
        return True

    def _give_up_row(self, member: StreamClock) -> None:
        member.composer.lease.give_up_row()
        self._queue(self._resting, 0, member)

    def _queue(self, queue: list[_Entry], time: int, member: StreamClock) -> None:
        member.ticket = next(self._tickets)
        heappush(queue, (time, member.ticket, member))


def _first(queue: list[_Entry]) -> StreamClock | None:
    """Whoever is first, once entries are gone that something later has overtaken."""
    while queue and queue[0][1] != queue[0][2].ticket:
        heappop(queue)
    return queue[0][2] if queue else None


def _due(member: StreamClock) -> int:
    return member.due
