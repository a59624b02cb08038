"""Touch: only durations change, towards what is asked, and never into the next note."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.composing.articulation import articulated
from engine.music.score import DRUMS, TIED_ON, Note

BAR = 96
NOTES = st.lists(
    st.builds(
        Note,
        st.integers(0, BAR - 1),
        st.integers(1, 2 * BAR),
        st.integers(40, 80),
        st.integers(1, 127),
        st.integers(0, 7),
    ),
    max_size=20,
).map(lambda notes: tuple(sorted(notes)))
ASKED = st.floats(0.1, 2)


def melody(duration: int) -> tuple[Note, ...]:
    return tuple(Note(onset, duration, 60, 70, 0) for onset in range(0, BAR, 24))


@given(NOTES)
def test_nothing_changes_unless_it_is_asked(notes: tuple[Note, ...]) -> None:
    assert articulated(notes, BAR, None) == notes


@given(NOTES, ASKED)
def test_only_durations_change(notes: tuple[Note, ...], asked: float) -> None:
    played = articulated(notes, BAR, asked)
    assert [n._replace(duration=0) for n in played] == [n._replace(duration=0) for n in notes]
    assert all(note.duration >= 1 for note in played)


@given(NOTES, ASKED)
def test_percussion_and_tied_notes_are_left_alone(notes: tuple[Note, ...], asked: float) -> None:
    tied = tuple(note._replace(tie=TIED_ON) for note in notes)
    assert articulated(tied, BAR, asked) == tied
    drums = tuple(note._replace(part=DRUMS) for note in notes)
    assert articulated(drums, BAR, asked) == drums


@given(NOTES, ASKED)
def test_nothing_is_lengthened_into_the_next_note_of_its_part(
    notes: tuple[Note, ...], asked: float
) -> None:
    for before, after in zip(notes, articulated(notes, BAR, asked), strict=True):
        if after.duration > before.duration:
            later = [n.onset for n in notes if n.part == after.part and n.onset > after.onset]
            assert after.onset + after.duration <= min(later, default=BAR)


@pytest.mark.parametrize(("asked", "held"), [(0.25, 6), (0.5, 12), (0.9, 22), (1.0, 24), (1.6, 24)])
def test_a_melody_is_held_as_long_as_asked(asked: float, held: int) -> None:
    for written in (12, 24):
        assert {note.duration for note in articulated(melody(written), BAR, asked)} == {held}


def test_what_overlapped_may_go_on_overlapping() -> None:
    chord_over_melody = (Note(0, 96, 48, 70, 0), *melody(24)[1:])
    played = articulated(chord_over_melody, BAR, 2.0)
    assert played[0].duration == 96


def test_a_long_note_at_the_end_of_a_bar_is_held_until_something_follows() -> None:
    """The bar line is no reason to let go of what nothing comes after."""
    notes = (Note(95, 288, 60, 70, 0), Note(95, 288, 64, 70, 0))
    assert articulated(notes, 95 + 288, 1.0) == notes
    assert {note.duration for note in articulated(notes, 95 + 288, 0.5)} == {144}
