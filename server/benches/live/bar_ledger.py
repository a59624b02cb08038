"""What a client sees of a stream's bars: whether all came, each once, and in time.

No clock, no sockets: whoever calls says what time it is (microseconds, monotonic).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

TIGHT = 50_000  # a bar that comes less than this before it is due is hardly to be scheduled


class Arrival(NamedTuple):
    """A bar as it came. `bridged`: the server made it from others, as composing was late."""

    epoch: int
    bar: int
    revision: int
    due: int
    length: int
    bridged: bool
    at: int

    @property
    def margin(self) -> int:
        """How long before its bar line it came."""
        return self.due - self.at

    @property
    def end(self) -> int:
        return self.due + self.length


class Ledger:
    """One stream. `found` counts, by name, what was seen since `begin`; `margins` are how long
    before their bar lines bars came."""

    def __init__(self) -> None:
        self.found: Counter[str] = Counter()
        self.margins: list[int] = []
        self._held: dict[int, tuple[int, int]] = {}  # index: epoch and revision
        self._newest: Arrival | None = None

    def begin(self) -> None:
        """Count from now on; what is held stays held."""
        self.found.clear()
        self.margins.clear()

    def take(self, bar: Arrival) -> None:
        newest = self._newest
        if newest is not None and bar.epoch > newest.epoch:
            self._held.clear()
            newest = None
        self.found["bars"] += 1
        self.found["bridged"] += bar.bridged
        self.found["revised"] += bar.revision > 0
        self.found["late"] += bar.margin < 0
        self.found["tight"] += 0 <= bar.margin < TIGHT
        self.margins.append(bar.margin)
        if newest is not None:
            self.found["gaps"] += max(0, bar.bar - newest.bar - 1)
        version = (bar.epoch, bar.revision)
        self.found["doubles"] += self._held.get(bar.bar, (-1, -1)) >= version
        self._held[bar.bar] = version
        if newest is None or bar.bar >= newest.bar:
            self._newest = bar
            self._held.pop(bar.bar - 256, None)

    def is_silent(self, now: int) -> bool:
        """Whether all that came has sounded: the music has stopped."""
        return self._newest is None or self._newest.end < now


def percentiles(values: Sequence[float], *percents: float) -> list[float | None]:
    """The smallest values that so many percent do not exceed; None if there are none at all."""
    ordered = sorted(values)
    if not ordered:
        return [None for _ in percents]
    places = (max(0, -(-len(ordered) * percent // 100) - 1) for percent in percents)
    return [ordered[int(place)] for place in places]
