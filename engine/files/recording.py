"""Composed bars put together as a piece, for files."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.files.midi import WRITTEN_DIVISION
from engine.music.bars import Bar, Pedal
from engine.music.controllers import USUAL, Controller
from engine.music.score import NOTE, PARTS, TIED_FROM, TIED_ON, Score
from engine.music.time import file_ticks

T = TypeVar("T")


def score_of(bars: Sequence[Bar]) -> tuple[Score, NDArray[np.int64]]:
    """The bars in a row as a score that begins at tick 0, ties joined, and by how much each of
    its notes is shifted, in the units of `engine.files.midi.write`."""
    base = bars[0].start if bars else 0
    rows: list[list[int]] = []
    tied: dict[tuple[int, int], list[int]] = {}
    for bar in bars:
        going_on: dict[tuple[int, int], list[int]] = {}
        for note, shift in zip(bar.notes, bar.shifts, strict=True):
            key = (note.part, note.pitch)
            row = tied.get(key) if note.tie & TIED_FROM else None
            if row is None:
                units = file_ticks(shift, bar.microseconds_per_quarter, WRITTEN_DIVISION)
                row = [note.onset - base, 0, note.pitch, note.velocity, note.part, units]
                rows.append(row)
            row[1] += note.duration
            if note.tie & TIED_ON:
                going_on[key] = row
        tied = going_on
    rows.sort(key=lambda row: (row[0], row[4], -row[2]))
    notes = np.array([tuple(row[:5]) for row in rows], NOTE)
    shifts = np.array([row[5] for row in rows], np.int64)
    metres = _changes([(bar.start - base, bar.metre) for bar in bars])
    tempos = _changes([(bar.start - base, bar.microseconds_per_quarter) for bar in bars])
    programs = bars[0].programs if bars else (0,) * PARTS
    if not bars:
        return Score(notes), shifts
    return Score(notes, metres, tempos, programs), shifts


def program_changes(bars: Sequence[Bar]) -> tuple[tuple[int, int, int], ...]:
    """(tick, part, program) wherever a part changes its instrument after the first bar."""
    base = bars[0].start if bars else 0
    return tuple(
        (bar.start - base, part, program)
        for before, bar in pairwise(bars)
        for part, (old, program) in enumerate(zip(before.programs, bar.programs, strict=True))
        if old != program
    )


def pedals(bars: Sequence[Bar]) -> tuple[Pedal, ...]:
    """The pedals of all bars, their ticks from the beginning of the first."""
    base = bars[0].start if bars else 0
    return tuple(
        pedal._replace(tick=bar.start - base + pedal.tick) for bar in bars for pedal in bar.pedals
    )


def controllers(bars: Sequence[Bar]) -> tuple[tuple[int, Controller], ...]:
    """What is set at the beginning and, with its tick, wherever that changes; what is asked for no
    longer goes back to what is usual."""
    base = bars[0].start if bars else 0
    found: list[tuple[int, Controller]] = []
    known: dict[tuple[int, int], int] = {}
    for bar in bars:
        asked = {key: USUAL[key[1]] for key in known}
        asked |= {(part, number): value for part, number, value in bar.controllers}
        changed = sorted(key for key, value in asked.items() if known.get(key) != value)
        found += [(bar.start - base, Controller(*key, asked[key])) for key in changed]
        known |= asked
    return tuple(found)


def _changes(values: list[tuple[int, T]]) -> tuple[tuple[int, T], ...]:
    """Only those values that differ from the one before."""
    kept = [v for i, v in enumerate(values) if i == 0 or values[i - 1][1] != v[1]]
    return tuple(kept)
