"""How phrases close: which chords lead to a close and which one arrives.

A close asks for its chords in any key as if that were C major or A minor, like all statistics of
the planner. What the styles make of them stays: only what would be no such close is left out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.music.fields import CHORDS
from engine.music.harmony import chord_id
from engine.planning.form_state import AUTHENTIC, DECEPTIVE, HALF
from engine.planning.planner_table import Floats

_PLAGAL = 0.15  # share of the closes on the tonic that come from the subdominant, at most
Roots = tuple[tuple[int, tuple[str, ...]], ...]  # steps above the tonic with qualities

# By minor: what leads on, where it leads from the other side, and where each close arrives.
_DOMINANT: tuple[Roots, Roots] = (((7, ("maj", "7")),), ((7, ("maj", "7")),))
_SUBDOMINANT: tuple[Roots, Roots] = (((5, ("maj",)),), ((5, ("min",)),))
_ARRIVALS: dict[int, tuple[Roots, Roots]] = {
    AUTHENTIC: (((0, ("maj",)),), ((0, ("min",)),)),
    DECEPTIVE: (((9, ("min",)), (5, ("maj",))), ((8, ("maj",)), (5, ("min",)))),
    HALF: (((7, ("maj",)),), ((7, ("maj",)),)),
}
_TONIC = (0, 9)  # pitch class of the home tonic in C major, in A minor


def of_close(weights: Floats, close: int, left: int, half: int, minor: bool) -> Floats:
    """The weights of chords [CHORDS] for a half of a bar, `left` bars before the one in which its
    phrase closes so."""
    if left == 0 and (half == 0 or close != HALF):
        return _only(weights, _ARRIVALS[close][minor], minor)
    if left == 0:
        return _only(weights, _DOMINANT[minor], minor)
    if left == 1 and half == 1 and close == HALF:
        return _without(weights, _DOMINANT[minor], minor)
    if left == 1 and half == 1:
        return _led(weights, minor)
    return weights


def _led(weights: Floats, minor: bool) -> Floats:
    dominant = _only(weights, _DOMINANT[minor], minor)
    subdominant = _only(weights, _SUBDOMINANT[minor], minor)
    share = min(_PLAGAL, float(subdominant.sum() / (dominant.sum() + subdominant.sum())))
    found: Floats = dominant * ((1 - share) / dominant.sum())
    found += subdominant * (share / subdominant.sum())
    return found


def _only(weights: Floats, roots: Roots, minor: bool) -> Floats:
    chosen = _mask(roots, minor)
    # A style that has none of them closes all the same.
    found: Floats = (weights + 1e-9) * chosen
    return found


def _without(weights: Floats, roots: Roots, minor: bool) -> Floats:
    left: Floats = weights * ~_mask(roots, minor)
    return left if left.any() else weights


def _mask(roots: Roots, minor: bool) -> NDArray[np.bool_]:
    mask = np.zeros(CHORDS, np.bool_)
    for steps, qualities in roots:
        for quality in qualities:
            mask[chord_id(_TONIC[minor] + steps, quality)] = True
    return mask
