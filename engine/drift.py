"""Tempo that wanders: how long a quarter lasts in each bar.

Looked up by (seed, stream, bar), so the same bar always has the same tempo, whatever came before.
"""

from __future__ import annotations

from functools import lru_cache
from math import cos, pi

from engine.noise import TEMPO_RIPPLE, TEMPO_WAVE, uniforms

# A slow wave with a faster small ripple on it: their shares sum to 1.
_WAVE_BARS, _WAVE = 12, 0.8
_RIPPLE_BARS, _RIPPLE = 4, 0.2


def drifted(microseconds_per_quarter: int, percent: float, key: tuple[int, int, int]) -> int:
    """The length of a quarter in one bar, its tempo at most so many percent faster or slower.
    `key` is (seed, stream, bar)."""
    if not percent:
        return microseconds_per_quarter
    return round(microseconds_per_quarter / (1 + percent / 100 * wandering(key)))


def wandering(key: tuple[int, int, int]) -> float:
    """Where the tempo stands between slowest, -1, and fastest, 1."""
    wave = _eased(key, TEMPO_WAVE, _WAVE_BARS)
    return _WAVE * wave + _RIPPLE * _eased(key, TEMPO_RIPPLE, _RIPPLE_BARS)


def _eased(key: tuple[int, int, int], purpose: int, bars: int) -> float:
    """From one random height to the next in so many bars, setting out and arriving gently."""
    seed, stream, bar = key
    knot, place = divmod(bar, bars)
    here, there = (_height(seed, stream, purpose, knot + step) for step in (0, 1))
    share = (1 - cos(pi * place / bars)) / 2
    return here + (there - here) * share


@lru_cache(maxsize=1024)  # asked for some times a bar, and the same for some bars
def _height(seed: int, stream: int, purpose: int, knot: int) -> float:
    return 2 * float(uniforms(seed, stream, purpose, knot, 1)[0]) - 1
