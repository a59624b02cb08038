"""The clock of the music: microseconds of the machine's monotonic clock, never the wall clock.

It may run faster than time does: a soak test then hears in an hour what others do in a day.
"""

from __future__ import annotations

import time
from collections.abc import Callable


def monotonic_us() -> int:
    return time.monotonic_ns() // 1000


class Clock:
    """Calling it gives the time. It is the machine's at `origin`, and `speed` times as fast; two
    processes with the same of both have the same time."""

    def __init__(self, speed: float = 1.0, origin: int = 0) -> None:
        self.speed, self.origin = speed, origin

    def __call__(self) -> int:
        now = monotonic_us()
        if self.speed == 1.0:
            return now
        return self.origin + round((now - self.origin) * self.speed)


def seconds_until(when: int, clock: Callable[[], int]) -> float:
    """How many seconds to wait for a time of this clock; 0 if it is past."""
    speed = clock.speed if isinstance(clock, Clock) else 1.0
    return max(0, when - clock()) / 1e6 / speed
