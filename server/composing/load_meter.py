"""Counts what the process composes, for its report once a second."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from server.base.machine import resident_memory
from server.composing.messages import LoadReport

EVERY = 1_000_000
# Of a guard's report: bars in which one was awake.
_COUNTED = "_bars"


class LoadMeter:
    """`due` is when the next report is to be made, in microseconds."""

    def __init__(self, now: int) -> None:
        self.due = now + EVERY
        self.notes = self.bars = 0
        self._since = now
        self._busy = 0.0
        self._left: dict[str, int] = {}  # guards of streams that have left

    def worked(self, seconds: float) -> None:
        self._busy += seconds

    def composed(self, notes: int) -> None:
        self.notes += notes
        self.bars += 1

    def left(self, guards: Mapping[str, int | float]) -> None:
        """A stream leaves: what its guards did is remembered."""
        _add(self._left, guards)

    def load(
        self,
        now: int,
        streams: int,
        speed: float,
        demand: float,
        guards: Iterable[Mapping[str, int | float]],
    ) -> LoadReport:
        total = dict(self._left)
        for guard in guards:
            _add(total, guard)
        busy = 1e6 * self._busy / max(now - self._since, 1)
        self._busy, self._since, self.due = 0.0, now, now + EVERY
        return LoadReport(
            streams, speed, demand, self.notes, self.bars, min(busy, 1.0), resident_memory(), total
        )


def _add(total: dict[str, int], guards: Mapping[str, int | float]) -> None:
    for name, count in guards.items():
        if name.endswith(_COUNTED):
            total[name] = total.get(name, 0) + int(count)
