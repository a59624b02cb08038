"""When drummers strike beside the grid of sixteenths, and how one stroke's lateness lasts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engine.files.midi import Smf, performance_times
from export.performing.pieces import Floats, Ints

PLACES = 16  # sixteenths of a bar of 4/4
FEWEST = 64  # notes
NEIGHBOURS = 20  # pairs of strokes a sixteenth apart, from which on their likeness is told


class DrumTiming(NamedTuple):
    """Milliseconds after the sixteenth, less the median of the whole performance: by place in the
    bar (nan where nothing is struck), the robust spread of what remains, and its correlation from
    one sixteenth to the next."""

    places: Floats
    spread: float
    memory: float


def drum_timing(smf: Smf) -> DrumTiming | None:
    """Of a performance in 4/4 to a steady beat; None if it is none or too short."""
    metre = smf.metres[0][1:] if smf.metres else (4, 4)
    if len(smf.notes) < FEWEST or metre != (4, 4):
        return None
    nearest = np.rint(4 * smf.notes["start"] / smf.division).astype(np.int64)
    grid = performance_times(smf, nearest * smf.division // 4)
    late = (performance_times(smf, smf.notes["start"]) - grid) / 1000
    late -= np.median(late)
    place = nearest % PLACES
    count = np.bincount(place, minlength=PLACES)
    with np.errstate(invalid="ignore"):
        places = np.bincount(place, late, PLACES) / count
    rest = late - places[place]
    spread = 1.4826 * float(np.median(np.abs(rest)))
    return DrumTiming(places, spread, _memory(nearest, np.clip(rest, -3 * spread, 3 * spread)))


def _memory(nearest: Ints, rest: Floats) -> float:
    strokes, which = np.unique(nearest, return_inverse=True)
    mean = np.bincount(which, rest) / np.bincount(which)
    beside = np.flatnonzero(np.diff(strokes) == 1)
    if len(beside) < NEIGHBOURS:
        return float("nan")
    return float(np.corrcoef(mean[beside], mean[beside + 1])[0, 1])
