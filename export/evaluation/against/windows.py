"""Music cut into windows of a few bars, of which only onsets and pitches are looked at.

Loudness, durations, tempo and how many notes there are tell little of the music and much of the
machine that wrote it down; a listener who goes by what was composed does without them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.music.analysis import bar_bounds, home_key, shift_home, transposed
from engine.music.measures import Ints
from engine.music.score import DRUMS, Score, bar_grid

BARS = 8
LEAST_NOTES = 16  # fewer say nothing


@dataclass(frozen=True)
class Window:
    """`piece` tells windows of one piece or stream from others. Of every note `onset` (ticks since
    the first bar line) and `pitch`, ordered by both; `bounds` are the bar lines, the last included.
    """

    piece: str
    onset: Ints
    pitch: Ints
    bounds: Ints

    @cached_property
    def strikes(self) -> Ints:
        """The ticks at which something begins."""
        return np.unique(self.onset)

    @cached_property
    def chords(self) -> list[Ints]:
        """What begins at each strike, from the lowest note up."""
        return np.split(self.pitch, np.flatnonzero(np.diff(self.onset)) + 1)

    @cached_property
    def top(self) -> Ints:
        return np.array([chord[-1] for chord in self.chords], np.int64)

    @cached_property
    def bottom(self) -> Ints:
        return np.array([chord[0] for chord in self.chords], np.int64)

    @cached_property
    def sizes(self) -> Ints:
        return np.array([len(chord) for chord in self.chords], np.int64)

    @property
    def bars(self) -> int:
        return len(self.bounds) - 1

    @cached_property
    def bar(self) -> Ints:
        """The bar of each note."""
        return np.searchsorted(self.bounds, self.onset, side="right") - 1

    @cached_property
    def struck_in(self) -> Ints:
        """The bar of each strike."""
        return np.searchsorted(self.bounds, self.strikes, side="right") - 1

    @cached_property
    def place(self) -> Ints:
        """Ticks of each strike since its bar line."""
        found: Ints = self.strikes - self.bounds[self.struck_in]
        return found


def at_home(score: Score) -> Score:
    """The score in C major or A minor, whichever it is nearer to."""
    return transposed(score, shift_home(*home_key(score)))


def windows(score: Score, piece: str, bars: int = BARS) -> Iterator[Window]:
    """All windows of so many bars, one after the other; what is left at the end is left out."""
    notes = score.notes[score.notes["part"] != DRUMS]
    bounds = bar_bounds(bar_grid(score))
    onset, pitch = notes["onset"].astype(np.int64), notes["pitch"].astype(np.int64)
    order = np.lexsort((pitch, onset))
    onset, pitch = onset[order], pitch[order]
    for first in range(0, len(bounds) - bars, bars):
        lines = bounds[first : first + bars + 1]
        inside = _between(onset, lines)
        if np.count_nonzero(inside) >= LEAST_NOTES:
            yield Window(piece, onset[inside] - lines[0], pitch[inside], lines - lines[0])


def _between(onset: Ints, lines: Ints) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (onset >= lines[0]) & (onset < lines[-1])
    return found
