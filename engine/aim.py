"""Aim: corrects what the network is told, until what is heard is what a hand asked for.

A network that is asked for a density, a register, a polyphony or a loudness comes near it, in some
styles less than in others. What it misses bar after bar is added to what it is told.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.fields import ATTRIBUTES

GAIN = 0.12  # share of a bar's miss that is corrected in the next
FURTHEST = 3.0  # buckets that the network is told more or less than is asked

Trims = tuple[float, ...]  # buckets by attribute, in the order of ATTRIBUTES
NO_TRIMS: Trims = (0.0,) * len(ATTRIBUTES)


def aimed(trims: Trims, asked: Sequence[float | None], heard: Sequence[float | None]) -> Trims:
    """The trims after a bar. `asked` are positions as `Attribute.position` has them, None where
    nobody asks; `heard` are values in the attribute's unit, None where no note tells."""
    return tuple(
        _trim(trim, attribute.position(value) - position)
        if position is not None and value is not None
        else (trim if position is not None else 0.0)
        for trim, attribute, position, value in zip(trims, ATTRIBUTES, asked, heard, strict=True)
    )


def _trim(trim: float, excess: float) -> float:
    return min(FURTHEST, max(-FURTHEST, trim - GAIN * excess))
