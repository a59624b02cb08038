"""A MIDI file as performances are measured: its grid, the time of its bars, what each note is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.files.midi import PEDAL_DOWN, Smf, performance_times, to_score
from engine.music.score import BarGrid, Note, Score, bar_grid
from engine.music.time import TICKS_PER_QUARTER
from engine.performing.roles import roles_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PlayedPiece:
    """`bar` is each note's bar and `role` its voice; `quarter` the microseconds of a quarter bar by
    bar, `slope` how much longer the second half of each bar lasts than its first (a logarithm).
    `pedals` are (tick down, tick up), not rounded."""

    score: Score
    grid: BarGrid
    bar: Ints
    role: Ints
    quarter: Floats
    slope: Floats
    pedals: Floats

    @property
    def bars(self) -> int:
        return len(self.grid.starts)

    @property
    def ticks(self) -> Floats:
        """The length of each bar."""
        return np.array([metre.ticks for metre in self.grid.metres], np.float64)


def piece_of(smf: Smf) -> PlayedPiece:
    score = to_score(smf)
    grid = bar_grid(score)
    starts = grid.starts.astype(np.float64)
    ticks = np.array([metre.ticks for metre in grid.metres], np.float64)
    per_tick = smf.division / TICKS_PER_QUARTER
    begin, middle, end = (
        performance_times(smf, (tick * per_tick).astype(np.int64))
        for tick in (starts, starts + ticks / 2, starts + ticks)
    )
    notes = [Note(*row) for row in score.notes.tolist()]
    return PlayedPiece(
        score,
        grid,
        grid.bar_of(score.notes["onset"].astype(np.int64)),
        np.array(roles_of(notes), np.int64),
        (end - begin) / ticks * TICKS_PER_QUARTER,
        np.log((end - middle) / (middle - begin)),
        _pedals(smf),
    )


def _pedals(smf: Smf) -> Floats:
    """When the pedal of any channel is down, in ticks; one row each."""
    per_tick = smf.division / TICKS_PER_QUARTER
    down = smf.pedals["value"] >= PEDAL_DOWN
    turns = np.flatnonzero(np.diff(down, prepend=False))
    ticks = smf.pedals["tick"][turns] / per_tick
    pairs = len(ticks) // 2
    found: Floats = ticks[: 2 * pairs].reshape(pairs, 2)
    return found
