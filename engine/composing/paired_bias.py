"""The bias of pitches by part (`Pool.paired`) while a bar is composed."""

from __future__ import annotations

from engine.composing.arrival import Arrival
from engine.composing.counterpoint import Bias, Counterpoint, Lines
from engine.music.harmony import CHORD_CLASSES

_NOWHERE = -1


class PairedBias:
    """Kept up to date note by note: what was struck at an onset bears on what comes after it."""

    def __init__(
        self, lines: Lines, start: int, counterpoint: Counterpoint | None, arrival: Arrival | None
    ) -> None:
        self._lines, self._start = lines, start
        self._counterpoint, self._arrival = counterpoint, arrival
        self._written = _NOWHERE  # the onset that the bias stands for

    @property
    def is_idle(self) -> bool:
        return self._counterpoint is None and self._arrival is None

    def write(self, bias: Bias, tick: int, chord: int) -> None:
        """For the next note at `tick`, under a chord."""
        self._lines.reach(tick)
        if tick != self._written:
            self._written = tick
            bias[:] = 0
            if self._counterpoint is not None:
                self._counterpoint.meet(bias, CHORD_CLASSES[chord])
            if self._arrival is not None:
                self._arrival.meet(bias, tick - self._start, chord)
        if self._counterpoint is not None:
            self._counterpoint.answer(bias, CHORD_CLASSES[chord])
