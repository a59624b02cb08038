"""The bias of pitches by part (`Pool.paired`) while a bar is composed."""

from __future__ import annotations

import numpy as np

from engine.composing.arrival import Arrival
from engine.composing.counterpoint import Counterpoint, Lines
from engine.composing.counterpoint_weights import Bias

STRUCK = -20.0  # log-weight of what a part has struck at this onset already
_NOWHERE = -1
_NO_BIAS: Bias = np.zeros((0, 0), np.float32)


class PairedBias:
    """Kept up to date note by note: what was struck at an onset bears on what comes after it."""

    def __init__(
        self, lines: Lines, start: int, counterpoint: Counterpoint | None, arrival: Arrival | None
    ) -> None:
        self._lines, self._start = lines, start
        self._counterpoint, self._arrival = counterpoint, arrival
        self._written = _NOWHERE  # the onset that the bias stands for
        self._bias = _NO_BIAS

    def on(self, bias: Bias) -> None:
        """Write to this bias from now on; it must stay where it is as long as the bar."""
        self._bias = bias
        if self._counterpoint is not None:
            self._counterpoint.on(bias)

    def write(self, tick: int, chord: int) -> None:
        """For the next note at `tick`, under a chord."""
        self._lines.reach(tick)
        if tick != self._written:
            self._written = tick
            self._bias.fill(0)
            if self._counterpoint is not None:
                self._counterpoint.meet(chord)
            if self._arrival is not None:
                self._arrival.meet(self._bias, tick - self._start, chord)
        if self._lines.latest is not None:
            part, pitch = self._lines.latest
            self._bias[1 + part, 1 + pitch] += STRUCK
            self._lines.latest = None  # once
        if self._counterpoint is not None:
            self._counterpoint.answer(chord)
