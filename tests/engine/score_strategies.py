"""Scores for laws: random ones, and a short piece as people write them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from engine.music.analysis import transposed
from engine.music.fields import DRUM_PITCHES, LENGTHS
from engine.music.score import DRUMS, NOTE, PARTS, Score, note_order
from engine.music.time import Metre

_METRES = [Metre.parse(text) for text in ("4/4", "3/4", "6/8", "5/8", "2/4", "8/4", "11/8", "1/8")]
_GAPS = st.sampled_from([0, 0, 0, 0, 3, 6, 6, 12, 12, 24]) | st.integers(0, 500)


@st.composite
def scores(
    draw: st.DrawFn, gaps: st.SearchStrategy[int] = _GAPS, most: int = 24, metres: int = 3
) -> Score:
    """Pieces in which no pitch of a part is struck while it sounds. Up to `metres` metres, whose
    last bars may be cut short."""
    notes: list[tuple[int, int, int, int, int]] = []
    ends: dict[tuple[int, int], int] = {}
    onset = draw(st.integers(0, 200))
    for _ in range(draw(st.integers(1, most))):
        part = draw(st.integers(0, PARTS - 1))
        pitches = st.sampled_from(DRUM_PITCHES) if part == DRUMS else st.integers(30, 90)
        pitch = draw(pitches)
        duration = draw(st.sampled_from(LENGTHS[:20]) | st.integers(1, 500))
        if ends.get((part, pitch), 0) <= onset:
            ends[part, pitch] = onset + duration
            notes.append((onset, duration, pitch, draw(st.integers(1, 127)), part))
            onset += draw(gaps)
    changes, tick = [], 0
    for _ in range(draw(st.integers(1, metres))):
        metre = draw(st.sampled_from(_METRES))
        changes.append((tick, metre))
        cut = draw(st.sampled_from([0, 0, metre.ticks // 3]))
        tick += draw(st.integers(1, 4)) * metre.ticks - cut
    return Score(note_order(np.array(notes, NOTE)), tuple(changes))


def small_piece(transpose: int = 0, bars: int = 8) -> Score:
    """A tune over C F G C with chords, bass and drums, repeated; in 4/4, ending on its tonic."""
    harmony = ((60, 64, 67), (60, 65, 69), (59, 62, 67), (60, 64, 67))
    tune = ((76, 74, 72, 74), (77, 76, 74, 72), (74, 71, 74, 79), (76, 74, 72, 72))
    notes = []
    for bar in range(bars):
        start, turn = 96 * bar, bar % 4
        for beat in range(4):
            notes.append((start + 24 * beat, 22, tune[turn][beat], 84 - 4 * beat, 0))
            notes.append((start + 24 * beat, 6, 36 if beat % 2 == 0 else 38, 90, DRUMS))
        for pitch in harmony[turn]:
            notes.append((start, 48, pitch, 60, 1))
            notes.append((start + 48, 48, pitch, 56, 1))
        notes.append((start, 96, (48, 53, 43, 48)[turn], 70, 2))
    score = Score(note_order(np.array(notes, NOTE)), programs=(0, 48, 32, 0, 0, 0, 0, 0))
    return transposed(score, transpose)


def without_velocity(score: Score) -> Score:
    notes = score.notes.copy()
    notes["velocity"] = 0
    return replace(score, notes=notes)
