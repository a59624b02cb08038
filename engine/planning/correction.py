"""Corrects what the network is told, until what is heard is what a performer asked for.

A network that is asked for a density, a register, a polyphony or a loudness comes near it, in some
styles less than in others. What it misses bar after bar is added to what it is told. Where it can
be told no more, and misses still, what it draws is made to lean that way.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.music.fields import ATTRIBUTE, ATTRIBUTES, MELODIC_PITCHES, Attribute
from engine.music.measures import Floats
from engine.music.time import TICKS_PER_QUARTER

GAIN = 0.25  # share of a bar's miss that is corrected in the next
FURTHEST = 3.0  # buckets that the network is told more or less than is asked
# What can lean: it may be told less before it does, and is corrected further in all.
LEANS = {"density": 1.5, "polyphony": 1.5, "register": FURTHEST}
LAST = 9.0
TILT = 0.5  # log-weight against each octave that a pitch is off, by bucket of lean
SHORTEST_GAP = 3.0  # ticks: nothing leans towards more than a run of thirty-second notes
_AN_OCTAVE = 3.0  # buckets, beyond the last one

Trims = tuple[float, ...]  # buckets by attribute, in the order of ATTRIBUTES
Positions = Sequence[float | None]  # as `Attribute.position` has them, None where nobody asks
NO_TRIMS: Trims = (0.0,) * len(ATTRIBUTES)
_DENSITY, _POLYPHONY, _REGISTER = map(list(ATTRIBUTE).index, LEANS)
_PITCHES = np.arange(MELODIC_PITCHES)


class Leaning(NamedTuple):
    """How firmly what is drawn is to lean, in buckets: towards more notes, or fewer, with gaps of
    so many ticks; towards more voices at once, or fewer; upwards to a pitch, or downwards. Last, a
    gap that is worn out, with the log-weight by which it is avoided."""

    density: float = 0.0
    gap: float = 1.0
    polyphony: float = 0.0
    register: float = 0.0
    pitch: float = 0.0
    worn: tuple[int, float] = (0, 0.0)

    def against(self, gaps: Floats) -> Floats:
        """How far a gap is from what is wanted, in octaves by buckets: both ways off if more notes
        are, or they would pour; if fewer are, no gap is too long."""
        off: Floats = np.log2(gaps / self.gap)
        return self.density * np.abs(off) if self.density > 0 else self.density * np.minimum(off, 0)

    @property
    def strain(self) -> float:
        """How far beyond what the network follows by itself, in buckets."""
        return max(abs(self.density), abs(self.polyphony), abs(self.register))

    @property
    def tilt(self) -> NDArray[np.float32]:
        """What is added to the log-weights of melodic pitches: against those on the wrong side."""
        off = np.maximum(np.sign(self.register) * (self.pitch - _PITCHES), 0) / 12
        tilt: NDArray[np.float32] = (-TILT * abs(self.register) * off).astype(np.float32)
        return tilt


UPRIGHT = Leaning()


def corrected(trims: Trims, asked: Positions, heard: Sequence[float | None]) -> Trims:
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
    most = LEANS.get(attribute.name, FURTHEST)
    return max(-most, 1 - position, min(most, attribute.buckets - position, trim))


def leaning(
    trims: Trims,
    asked: Positions,
    values: Sequence[float | None],
    worn: tuple[int, float] = UPRIGHT.worn,
) -> Leaning:
    """What it cannot be told; `values` are what is asked, in the attributes' units, `worn` what a
    guard found (`Nudge.worn`)."""
    left = [
        0.0 if position is None else trim - said
        for trim, said, position in zip(trims, told(trims, asked), asked, strict=True)
    ]
    if not (left[_DENSITY] or left[_POLYPHONY] or left[_REGISTER]):
        return UPRIGHT._replace(worn=worn)
    density, register = values[_DENSITY], values[_REGISTER]
    gap = max(TICKS_PER_QUARTER / density, SHORTEST_GAP) if density else 1.0
    return Leaning(left[_DENSITY], gap, left[_POLYPHONY], left[_REGISTER], register or 0.0, worn)
