"""Which earlier bar each bar resembles, and how closely.

Two bars are compared as sets of (tick in the bar, pitch, part) by the Dice overlap. Instead of
pairs of bars, pairs of equal elements are walked: each adds to the overlap of its two bars, so
the cost follows what really repeats.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.music.fields import ECHO_LOOSE, ECHO_NEW
from engine.music.measures import Floats, Ints

# Distances in bars at which an echoed bar may stand.
ECHO_DISTANCES = (*range(1, 33), 48, 64)
EXACT, NEAR, LOOSE = 0.95, 0.65, 0.4
# A bar also echoes loosely one of the same rhythm whose pitches lie a near-constant step away.
SAME_RHYTHM = 0.9
CONTOUR_SPREAD = 2.0  # standard deviation of that step, semitones
CONTOUR_NOTES = 3  # fewer notes make no contour

_FARTHEST = max(ECHO_DISTANCES)
_COLUMN = np.full(_FARTHEST + 1, -1)
_COLUMN[list(ECHO_DISTANCES)] = np.arange(len(ECHO_DISTANCES))


def echoes(
    bar: Ints, tick: Ints, pitch: Ints, part: Ints, metre: Ints
) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """(echo, source) of each bar, for notes given by bar, tick in it, pitch and part.

    `metre` numbers the metre of each bar: only bars of the same metre are compared. Of equally
    close bars the nearest is taken.
    """
    bars = len(metre)
    distances = np.array(ECHO_DISTANCES)
    source = np.arange(bars)[:, None] - distances
    comparable = (source >= 0) & (metre[np.maximum(source, 0)] == metre[:, None])
    likeness = np.where(comparable, _note_likeness(bar, tick, pitch, part, bars), 0.0)
    best = likeness.argmax(axis=1)
    closest = likeness[np.arange(bars), best]
    echo = ECHO_NEW + np.searchsorted((LOOSE, NEAR, EXACT), closest + 1e-9, side="right")
    moved = comparable & _moved_copies(bar, tick, pitch, part, bars)
    loose = (echo == ECHO_NEW) & moved.any(axis=1)
    best = np.where(loose, moved.argmax(axis=1), best)
    echo = np.where(loose, ECHO_LOOSE, echo)
    chosen = np.where(echo > ECHO_NEW, source[np.arange(bars), best], -1)
    return echo.astype(np.int16), chosen.astype(np.int16)


def _note_likeness(bar: Ints, tick: Ints, pitch: Ints, part: Ints, bars: int) -> Floats:
    """Dice overlap of each bar with those at ECHO_DISTANCES before it, [bars, distances]."""
    element = (tick * 128 + pitch) * 8 + part
    element, where, _ = _distinct(element, bar, bars, pitch)
    later, column, _, _ = _repetitions(element, where)
    shape = (bars, len(ECHO_DISTANCES))
    shared = _tally(later, column, shape)
    return _dice(shared, np.bincount(where, minlength=bars))


def _moved_copies(bar: Ints, tick: Ints, pitch: Ints, part: Ints, bars: int) -> NDArray[np.bool_]:
    """Whether a bar has the rhythm of an earlier one and nearly its contour."""
    element, where, height = _distinct(tick * 8 + part, bar, bars, pitch)
    later, column, here, there = _repetitions(element, where)
    shape = (bars, len(ECHO_DISTANCES))
    shared = _tally(later, column, shape)
    step = height[here] - height[there]
    count = np.maximum(shared, 1)
    mean = _tally(later, column, shape, step) / count
    spread = _tally(later, column, shape, step * step) / count - mean * mean
    size = np.bincount(where, minlength=bars)
    same_rhythm = _dice(shared, size) >= SAME_RHYTHM - 1e-9
    contour = (size[:, None] >= CONTOUR_NOTES) & (spread <= CONTOUR_SPREAD**2)
    moved: NDArray[np.bool_] = same_rhythm & contour
    return moved


def _distinct(element: Ints, bar: Ints, bars: int, pitch: Ints) -> tuple[Ints, Ints, Floats]:
    """Elements once a bar, ordered by (element, bar), with the mean pitch of each."""
    key, inverse, count = np.unique(element * bars + bar, return_inverse=True, return_counts=True)
    height = np.bincount(inverse, pitch, minlength=len(key)) / np.maximum(count, 1)
    return key // bars, key % bars, height


def _repetitions(element: Ints, bar: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """All pairs of an element in a bar and in one before it at a distance in ECHO_DISTANCES.

    Gives (later bar, column of the distance, index of the later, index of the earlier).
    """
    found: list[tuple[Ints, Ints]] = []
    earlier = np.arange(len(element))
    for lag in range(1, _FARTHEST + 1):
        earlier = earlier[earlier + lag < len(element)]
        later = earlier + lag
        near = (element[later] == element[earlier]) & (bar[later] - bar[earlier] <= _FARTHEST)
        earlier, later = earlier[near], later[near]
        if not len(earlier):
            break
        found.append((later, earlier))
    if not found:
        none = np.zeros(0, np.int64)
        return none, none, none, none
    here = np.concatenate([later for later, _ in found])
    there = np.concatenate([before for _, before in found])
    column = _COLUMN[bar[here] - bar[there]]
    usable = column >= 0
    here, there, column = here[usable], there[usable], column[usable]
    return bar[here], column, here, there


def _tally(
    rows: Ints, columns: Ints, shape: tuple[int, int], weights: Floats | None = None
) -> Floats:
    flat = np.bincount(rows * shape[1] + columns, weights, minlength=shape[0] * shape[1])
    return flat.reshape(shape).astype(np.float64)


def _dice(shared: Floats, size: Ints) -> Floats:
    """Twice the shared elements over both bars' elements, for each bar and distance."""
    source = np.maximum(np.arange(len(size))[:, None] - np.array(ECHO_DISTANCES), 0)
    found: Floats = 2 * shared / np.maximum(size[:, None] + size[source], 1)
    return found
