"""Bundles that wait for the time of their timetags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from server.osc.addresses import OscError
from server.osc.packets import time_of

MAX_AHEAD = 60  # seconds
MAX_WAITING = 256  # bundles


class TimerHandle(Protocol):
    def cancel(self) -> None: ...


class Timers(Protocol):
    """What is used of an event loop."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[], object]) -> TimerHandle: ...


class TimetagScheduler:
    """Calls at the time of a timetag: NTP's, told from the system's clock when the bundle comes.

    From then on the monotonic clock counts, so a jump of the system's clock moves nothing that
    waits already. `clock` gives microseconds since 1970.
    """

    def __init__(self, timers: Timers, clock: Callable[[], int]) -> None:
        self._timers, self._clock = timers, clock
        self._waiting: dict[int, TimerHandle] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def at(self, timetag: int, act: Callable[[], object]) -> None:
        """Call `act` at a timetag, at once if that is past; OscError if it is too far off, or too
        much waits already."""
        wait = (time_of(timetag) - self._clock()) / 1_000_000
        if wait <= 0:
            act()
            return
        if wait > MAX_AHEAD:
            raise OscError(
                f"the timetag is {wait:.0f} seconds ahead, and at most {MAX_AHEAD} are taken: is"
                " the clock right?"
            )
        if len(self._waiting) >= MAX_WAITING:
            raise OscError(f"{MAX_WAITING} bundles wait already: send them later")
        self._count += 1
        number = self._count

        def due() -> None:
            del self._waiting[number]
            act()

        self._waiting[number] = self._timers.call_at(self._timers.time() + wait, due)

    def clear(self) -> None:
        """Forget everything that waits."""
        for handle in self._waiting.values():
            handle.cancel()
        self._waiting.clear()
