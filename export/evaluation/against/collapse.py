"""Whether parts that are asked for stay apart, or collapse into one line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.music.analysis import bar_bounds
from engine.music.measures import Ints
from engine.music.score import DRUMS, Score, bar_grid

MOST_DOUBLED = 0.2  # of the notes of a bar, at the pitch of another part
IN_A_ROW = 2  # bars
LEAST_NOTES = 4  # of a bar: of fewer, one unison is too large a share
SILENT = 16  # bars in which a part is not heard while others are
WHAT = DOUBLED, MISSING = "doubled", "missing"


class Fault(NamedTuple):
    """From which bar on (from 0), for how many, and what: parts double each other, or one that is
    asked for is silent while others sound."""

    bar: int
    bars: int
    what: str


def faults(score: Score, parts: Iterable[int]) -> list[Fault]:
    """Of a piece that is meant for these parts (from 0), in the order of bars."""
    bounds = bar_bounds(bar_grid(score))
    notes = score.notes[score.notes["part"] != DRUMS]
    found = [Fault(*run, DOUBLED) for run in _runs(_doubled(notes, bounds), IN_A_ROW)]
    sounding = _sounding(notes, bounds)
    others = sounding.any(axis=0)
    for part in set(parts) - {DRUMS}:
        found += [Fault(*run, MISSING) for run in _runs(others & ~sounding[part], SILENT)]
    return sorted(found)


def affected(found: Iterable[Fault]) -> dict[str, int]:
    """How many bars of a piece have each fault; one that two parts are missing from counts once."""
    bars: dict[str, set[int]] = {what: set() for what in WHAT}
    for fault in found:
        bars[fault.what].update(range(fault.bar, fault.bar + fault.bars))
    return {what: len(some) for what, some in bars.items()}


def _doubled(notes: NDArray[np.void], bounds: Ints) -> NDArray[np.bool_]:
    """By bar, whether too many notes begin at the pitch of another part."""
    bars = len(bounds) - 1
    onset = notes["onset"].astype(np.int64)
    codes, counts = np.unique(onset * 128 + notes["pitch"], return_counts=True)
    bar = np.searchsorted(bounds, codes // 128, side="right") - 1
    whole = np.bincount(bar, counts, minlength=bars)
    twice = np.bincount(bar, counts - 1, minlength=bars)
    found: NDArray[np.bool_] = (whole >= LEAST_NOTES) & (twice > MOST_DOUBLED * whole)
    return found


def _sounding(notes: NDArray[np.void], bounds: Ints) -> NDArray[np.bool_]:
    """Whether each part sounds in each bar, [parts, bars]."""
    onset = notes["onset"].astype(np.int64)
    first = np.searchsorted(bounds, onset, side="right") - 1
    after = np.searchsorted(bounds, onset + notes["duration"], side="left")
    found = np.zeros((DRUMS, len(bounds) - 1), np.bool_)
    for part, start, stop in zip(notes["part"].tolist(), first.tolist(), after, strict=True):
        found[part, start:stop] = True
    return found


def _runs(holds: NDArray[np.bool_], least: int) -> Iterator[tuple[int, int]]:
    """Where it holds so often in a row and more: the first bar and how many."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], holds.astype(np.int64), [0]))))
    for start, stop in edges.reshape(-1, 2).tolist():
        if stop - start >= least:
            yield start, stop - start
