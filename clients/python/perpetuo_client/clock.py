"""What the server's clock shows, estimated from pings. Knows no clock and no socket itself."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

REMEMBERED = 64  # pings
# How far two good clocks may drift apart, as a share of the time that passes.
DRIFT = 50e-6


class Ping(NamedTuple):
    """Microseconds: `sent` and `received` of the local clock, `server` of the server's."""

    sent: int
    server: int
    received: int

    @property
    def offset(self) -> int:
        """By how much the server's clock is ahead, if the way there was as long as the way back."""
        return self.server - (self.sent + self.received) // 2

    def doubt(self, now: int) -> float:
        """The most that `offset` can be wrong by now, in microseconds."""
        return (self.received - self.sent) / 2 + DRIFT * (now - self.received) + 1


class Clock:
    """Turns times of the server into local ones and back, by the least doubtful ping of late."""

    def __init__(self) -> None:
        self._pings: deque[Ping] = deque(maxlen=REMEMBERED)
        self._best: Ping | None = None

    @property
    def is_set(self) -> bool:
        return self._best is not None

    @property
    def offset(self) -> int:
        """Microseconds by which the server's clock is ahead of the local one."""
        assert self._best is not None, "no ping was answered yet"
        return self._best.offset

    @property
    def round_trip(self) -> int:
        """Of the ping that is believed, in microseconds; the error is at most half of it."""
        assert self._best is not None, "no ping was answered yet"
        return self._best.received - self._best.sent

    def add(self, ping: Ping) -> None:
        """Learn from an answered ping. One that contradicts what is known tells of another clock:
        the server is another one now, and everything older is forgotten."""
        best, now = self._best, ping.received
        if best is not None and abs(ping.offset - best.offset) > ping.doubt(now) + best.doubt(now):
            self._pings.clear()
        self._pings.append(ping)
        self._best = min(self._pings, key=lambda known: known.doubt(now))

    def to_server(self, local: int) -> int:
        return local + self.offset

    def to_local(self, server: int) -> int:
        return server - self.offset
