"""Laws of the chords that are heard out of notes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.music.fields import FIRST_CHORD, QUALITIES
from engine.music.harmony import CHORD_SHIFT, INTERVALS, chord_id
from engine.music.heard_chords import Harmony, heard_chords
from engine.music.score import DRUMS, Note
from engine.music.time import COMMON_TIME, Metre
from engine.music.tonality import chord_merit, listen

QUARTER, HALF, BAR = 24, 48, 96
C = chord_id(0, "maj")


def struck(root: int, quality: str, onset: int = 0, duration: int = BAR) -> list[Note]:
    return [Note(onset, duration, 48 + root + step, 70, 0) for step in INTERVALS[quality]]


@given(root=st.integers(0, 11), quality=st.sampled_from(QUALITIES[:4]))
def test_a_chord_that_is_struck_is_the_one_that_is_heard(root: int, quality: str) -> None:
    chords, after = heard_chords(Harmony(), struck(root, quality), 0, COMMON_TIME)
    assert chords == (chord_id(root, quality),) * 2
    assert after == Harmony(chord_id(root, quality))


@given(
    pitches=st.lists(st.integers(40, 80), min_size=1, max_size=6),
    shift=st.integers(-11, 11),
    held=st.booleans(),
)
def test_what_is_heard_moves_with_the_notes(pitches: list[int], shift: int, held: bool) -> None:
    """Its merit, that is: where several names fit alike, any of them may be told, and what is heard
    next depends on which."""
    notes = [Note(0, HALF + i, pitch, 70, 0) for i, pitch in enumerate(pitches)]
    moved = [note._replace(pitch=note.pitch + shift) for note in notes]
    before = C if held else 0
    (here, _), _ = heard_chords(Harmony(before), notes, 0, COMMON_TIME)
    moved_before = Harmony(int(CHORD_SHIFT[shift % 12][before]))
    (there, _), _ = heard_chords(moved_before, moved, 0, COMMON_TIME)
    assert merit_of(here, notes) == pytest.approx(merit_of(there, moved))


def merit_of(chord: int, notes: list[Note]) -> float:
    """How well a chord fits the first half of a bar."""
    onset = np.array([n.onset for n in notes])
    stop = np.array([n.onset + n.duration for n in notes])
    sound = listen(onset, stop, np.array([n.pitch for n in notes]), np.array([0, HALF]))
    return float(chord_merit(sound)[0, chord - FIRST_CHORD]) if chord else 0.0


def test_a_chord_holds_through_silence_and_single_notes_until_another_sounds() -> None:
    _, after = heard_chords(Harmony(), struck(0, "maj"), 0, COMMON_TIME)
    chords, after = heard_chords(after, [], BAR, COMMON_TIME)
    assert chords == (C, C)
    alone = [Note(2 * BAR, HALF, 62, 70, 0)]
    chords, after = heard_chords(after, alone, 2 * BAR, COMMON_TIME)
    assert chords == (C, C)
    other = struck(7, "maj", 3 * BAR + HALF, HALF)
    chords, _ = heard_chords(after, other, 3 * BAR, COMMON_TIME)
    assert chords == (C, chord_id(7, "maj"))


def test_before_the_first_chord_none_is_told() -> None:
    silence, after = heard_chords(Harmony(), [], 0, COMMON_TIME)
    alone, _ = heard_chords(after, [Note(0, QUARTER, 60, 70, 0)], 0, COMMON_TIME)
    assert silence == alone == (0, 0)


def test_notes_that_sound_on_are_heard_in_the_next_bar() -> None:
    long = struck(5, "maj", HALF, BAR)
    chords, after = heard_chords(Harmony(C), long, 0, COMMON_TIME)
    assert chords == (C, chord_id(5, "maj"))
    assert len(after.held) == 3
    chords, after = heard_chords(after, [Note(BAR, BAR, 53, 70, 0)], BAR, COMMON_TIME)
    assert chords[0] == chord_id(5, "maj")
    assert after.held == ()


def test_drums_make_no_chord() -> None:
    drums = [note._replace(part=DRUMS) for note in struck(2, "min")]
    assert heard_chords(Harmony(C), drums, 0, COMMON_TIME) == ((C, C), Harmony(C))


def test_a_bar_that_is_not_divided_has_one_chord() -> None:
    metre = Metre(1, 4)
    assert metre.half == metre.ticks
    chords, _ = heard_chords(Harmony(), struck(9, "min", 0, QUARTER), 0, metre)
    assert chords == (chord_id(9, "min"),) * 2
