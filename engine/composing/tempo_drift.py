"""Tempo that wanders: how long a quarter lasts in each bar.

Looked up by (seed, stream, bar), so the same bar always has the same tempo, whatever came before.
"""

from __future__ import annotations

from math import cos, pi

from engine.music.noise import TEMPO_RIPPLE, TEMPO_WAVE, uniforms

# A slow wave with a faster small ripple on it: their shares sum to 1.
_WAVE_BARS, _WAVE = 12, 0.8
_RIPPLE_BARS, _RIPPLE = 4, 0.2


class TempoDrift:
    """The drift of one stream. Holds nothing but what saves work."""

    def __init__(self, seed: int, stream: int) -> None:
        self._seed, self._stream = seed, stream
        self._heights: dict[int, tuple[int, float, float]] = {}  # by purpose, those looked up last

    def drifted(self, microseconds_per_quarter: int, percent: float, bar: int) -> int:
        """The length of a quarter in one bar, its tempo at most so many percent faster or
        slower."""
        if not percent:
            return microseconds_per_quarter
        return round(microseconds_per_quarter / (1 + percent / 100 * self.wandering(bar)))

    def wandering(self, bar: int) -> float:
        """Where the tempo stands between slowest, -1, and fastest, 1."""
        wave = self._eased(TEMPO_WAVE, bar, _WAVE_BARS)
        return _WAVE * wave + _RIPPLE * self._eased(TEMPO_RIPPLE, bar, _RIPPLE_BARS)

    def _eased(self, purpose: int, bar: int, bars: int) -> float:
        """From one random height to the next in so many bars, setting out and arriving gently."""
        knot, place = divmod(bar, bars)
        known, here, there = self._heights.get(purpose, (-1, 0.0, 0.0))
        if known != knot:
            here, there = self._height(purpose, knot), self._height(purpose, knot + 1)
            self._heights[purpose] = (knot, here, there)
        share = (1 - cos(pi * place / bars)) / 2
        return here + (there - here) * share

    def _height(self, purpose: int, knot: int) -> float:
        return 2 * float(uniforms(self._seed, self._stream, purpose, knot, 1)[0]) - 1
