"""What the server's clock shows, estimated from pings. Knows no clock and no socket itself."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

REMEMBERED = 64  # samples
# How far two good clocks may drift apart, as a share of the time that passes.
DRIFT = 50e-6


class ClockSample(NamedTuple):
    """What an answered ping tells of both clocks, in microseconds: `sent` and `received` of the
    local one, `server` of the server's."""

    sent: int
    server: int
    received: int

    @property
    def offset(self) -> int:
        """By how much the server's clock is ahead, if the way there was as long as the way back."""
        return self.server - (self.sent + self.received) // 2

    def uncertainty(self, now: int) -> float:
        """The most that `offset` can be wrong by now, in microseconds."""
        return (self.received - self.sent) / 2 + DRIFT * (now - self.received) + 1


class ServerClock:
    """Turns times of the server into local ones and back, by the most certain sample of late."""

    def __init__(self) -> None:
        self._samples: deque[ClockSample] = deque(maxlen=REMEMBERED)
        self._best: ClockSample | None = None

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

    def add(self, sample: ClockSample) -> None:
        """Learn from an answered ping. One that contradicts what is known tells of another clock:
        the server is another one now, and everything older is forgotten."""
        best, now = self._best, sample.received
        if best is not None:
            possible = sample.uncertainty(now) + best.uncertainty(now)
            if abs(sample.offset - best.offset) > possible:
                self._samples.clear()
        self._samples.append(sample)
        self._best = min(self._samples, key=lambda known: known.uncertainty(now))

    def to_server(self, local: int) -> int:
        return local + self.offset

    def to_local(self, server: int) -> int:
        return server - self.offset
