"""Aim: corrects what the network is told, until what is heard is what a hand asked for.

A network that is asked for a density, a register, a polyphony or a loudness comes near it, in some
styles less than in others. What it misses bar after bar is added to what it is told. Where it can
be told no more, and misses still, what it draws is made to lean that way.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from typing import NamedTuple

import numpy as np

from engine.fields import ATTRIBUTE, ATTRIBUTES, Attribute
from engine.measures import Floats
from engine.time import TICKS_PER_QUARTER

GAIN = 0.25  # share of a bar's miss that is corrected in the next
FURTHEST = 3.0  # buckets that the network is told more or less than is asked
# Those that can lean: they are told less, and are corrected further in all.
LEANS = ("density", "polyphony")
FIRST, LAST = 1.5, 9.0
SHORTEST_GAP = 3.0  # ticks: nothing leans towards more than a run of thirty-second notes
_AN_OCTAVE = 3.0  # buckets, beyond the last one

Trims = tuple[float, ...]  # buckets by attribute, in the order of ATTRIBUTES
Positions = Sequence[float | None]  # as `Attribute.position` has them, None where nobody asks
NO_TRIMS: Trims = (0.0,) * len(ATTRIBUTES)
_DENSITY, _POLYPHONY = map(list(ATTRIBUTE).index, LEANS)


class Lean(NamedTuple):
    """How firmly what is drawn is to lean, in buckets: towards more notes, or fewer, with gaps of
    so many ticks, and towards more voices at once, or fewer."""

    density: float = 0.0
    gap: float = 1.0
    polyphony: float = 0.0

    def against(self, gaps: Floats) -> Floats:
        """How far a gap is from what is wanted, in octaves by buckets: both ways off if more notes
        are, or they would pour; if fewer are, no gap is too long."""
        off: Floats = np.log2(gaps / self.gap)
        return self.density * np.abs(off) if self.density > 0 else self.density * np.minimum(off, 0)


UPRIGHT = Lean()


def aimed(trims: Trims, asked: Positions, heard: Sequence[float | None]) -> Trims:
    """The trims after a bar; `heard` are values in the attribute's unit, None where no note
    tells."""
    return tuple(
        _trim(trim, _place(attribute, value) - position, attribute)
        if position is not None and value is not None
        else (trim if position is not None else 0.0)
        for trim, attribute, position, value in zip(trims, ATTRIBUTES, asked, heard, strict=True)
    )


def _trim(trim: float, excess: float, attribute: Attribute) -> float:
    most = LAST if attribute.name in LEANS else FURTHEST
    return min(most, max(-most, trim - GAIN * excess))


def _place(attribute: Attribute, value: float) -> float:
    """Its position, but beyond the last bucket it goes on by octaves: too much is too much."""
    top = attribute.centre(attribute.buckets)
    return attribute.position(value) + _AN_OCTAVE * log2(max(value / top, 1.0))


def told(trims: Trims, asked: Positions) -> Trims:
    """What the network is told more or less than is asked: as far as there are buckets."""
    return tuple(map(_told, trims, ATTRIBUTES, asked))


def _told(trim: float, attribute: Attribute, position: float | None) -> float:
    if position is None:
        return 0.0
    most = FIRST if attribute.name in LEANS else FURTHEST
    return max(-most, 1 - position, min(most, attribute.buckets - position, trim))


def leaning(trims: Trims, asked: Positions, density: float | None) -> Lean:
    """What it cannot be told; `density` is what is asked of that, in notes a quarter."""
    left = [trim - said for trim, said in zip(trims, told(trims, asked), strict=True)]
    more = 0.0 if density is None else left[_DENSITY]
    fuller = 0.0 if asked[_POLYPHONY] is None else left[_POLYPHONY]
    if not (more or fuller):
        return UPRIGHT
    gap = max(TICKS_PER_QUARTER / density, SHORTEST_GAP) if density else 1.0
    return Lean(more, gap, fuller)
