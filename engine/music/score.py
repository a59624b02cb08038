"""Notes, bars and whole pieces as plain values.

Notes of one piece or stream are ordered by (onset, part, falling pitch): `note_order` is that one
rule, used by the reader, the codecs and the composer alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.music.time import COMMON_TIME, Metre

PARTS = 8
DRUMS = PARTS - 1  # the part that carries percussion, MIDI channel 10

NOTE = np.dtype(
    [("onset", "<i4"), ("duration", "<i4"), ("pitch", "u1"), ("velocity", "u1"), ("part", "u1")]
)


TIED_ON, TIED_FROM = 1, 2


class Note(NamedTuple):
    """One note of a stream, or the piece of it that one bar holds.

    `tie` is a set of flags: TIED_ON, it goes on past the bar line (no note-off here; if the next
    bar does not continue it, it ends on the bar line); TIED_FROM, it continues one of the bar
    before (no note-on here).
    """

    onset: int
    duration: int
    pitch: int
    velocity: int
    part: int
    tie: int = 0


def folded(pitch: int) -> int:
    """A MIDI pitch, moved by octaves into the range."""
    while pitch < 0:
        pitch += 12
    while pitch > 127:
        pitch -= 12
    return pitch


def moved_pitches(pitches: NDArray[np.int64], semitones: int) -> NDArray[np.int64]:
    """MIDI pitches moved, folded back where they would leave the range."""
    table = np.array([folded(pitch + semitones) for pitch in range(128)])
    moved: NDArray[np.int64] = table[pitches]
    return moved


@dataclass(frozen=True, slots=True)
class Score:
    """A whole piece on the tick grid.

    `metres` and `tempos` are (tick, value), the first at tick 0, rising; metres change at bar
    lines. Tempos are microseconds a quarter. `programs` holds General MIDI programs by part.
    """

    notes: NDArray[np.void]
    metres: tuple[tuple[int, Metre], ...] = ((0, COMMON_TIME),)
    tempos: tuple[tuple[int, int], ...] = ((0, 500_000),)
    programs: tuple[int, ...] = (0,) * PARTS

    @property
    def end(self) -> int:
        if not len(self.notes):
            return 0
        return int((self.notes["onset"] + self.notes["duration"]).max())

    @property
    def parts(self) -> tuple[int, ...]:
        """The parts that sound, ascending."""
        return tuple(int(p) for p in np.unique(self.notes["part"]))


@dataclass(frozen=True, slots=True)
class BarGrid:
    """Where the bars of a piece begin, in ticks, and the metre of each."""

    starts: NDArray[np.int64]
    metres: tuple[Metre, ...]

    def bar_of(self, ticks: NDArray[np.int64]) -> NDArray[np.int64]:
        found: NDArray[np.int64] = np.searchsorted(self.starts, ticks, side="right") - 1
        return found


def bar_grid(score: Score) -> BarGrid:
    """Bars from tick 0 to past the last onset; a bar cut short by a metre change stays short."""
    last = int(score.notes["onset"].max()) if len(score.notes) else 0
    starts: list[int] = []
    metres: list[Metre] = []
    for i, (tick, metre) in enumerate(score.metres):
        until = score.metres[i + 1][0] if i + 1 < len(score.metres) else last + 1
        bars = range(tick, min(until, last + 1), metre.ticks)
        starts.extend(bars)
        metres.extend([metre] * len(bars))
    return BarGrid(np.array(starts or [0], np.int64), tuple(metres or [score.metres[0][1]]))


def note_order(notes: NDArray[np.void]) -> NDArray[np.void]:
    """The notes sorted by (onset, part, falling pitch)."""
    order = np.lexsort((255 - notes["pitch"].astype(np.int16), notes["part"], notes["onset"]))
    ordered: NDArray[np.void] = notes[order]
    return ordered


def as_array(notes: list[Note]) -> NDArray[np.void]:
    """Composed notes as an array in note order, ties joined into single notes."""
    joined: list[list[int]] = []
    tied: dict[tuple[int, int], list[int]] = {}
    for note in sorted(notes):
        key = (note.part, note.pitch)
        row = tied.pop(key, None) if note.tie & TIED_FROM else None
        if row is None:
            row = [note.onset, note.duration, note.pitch, note.velocity, note.part]
            joined.append(row)
        else:
            row[1] += note.duration
        if note.tie & TIED_ON:
            tied[key] = row
    return note_order(np.array([tuple(row) for row in joined], NOTE))
