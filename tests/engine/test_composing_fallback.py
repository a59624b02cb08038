"""A bar that bridges a gap is musical: the stream's own, thinner, never silent, never hanging."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.composing.fallback import PHRASE, FallbackNote, PastBar, fallback, fallback_bar
from engine.music.bars import Bar, Pedal
from engine.music.plan import BarPlan
from engine.music.score import DRUMS, Note
from engine.music.time import Metre

METRES = [Metre.parse(text) for text in ("4/4", "3/4", "6/8", "5/8")]


NOTES = st.builds(
    FallbackNote,
    onset=st.integers(0, 15).map(lambda n: 6 * n),
    duration=st.integers(1, 60),
    pitch=st.integers(48, 72),
    velocity=st.integers(1, 127),
    part=st.sampled_from([0, 1, DRUMS]),
    shift=st.sampled_from([0, -20_000, 900]),
)
HEARD = st.tuples(
    st.sampled_from(METRES[:2]) | st.sampled_from(METRES),
    st.lists(NOTES, max_size=6),
    st.sampled_from(["C", "C", "D"]),
    st.booleans(),
)


@st.composite
def pasts(draw: st.DrawFn) -> list[PastBar]:
    """Bars as they were heard, among them other metres and kinds, some empty, some late."""
    first = draw(st.integers(0, 9))
    bars = []
    for index, (metre, notes, kind, late) in enumerate(
        draw(st.lists(HEARD, min_size=1, max_size=6))
    ):
        inside = (note for note in notes if note.onset < metre.ticks)
        bars.append(PastBar(first + index, metre, tuple(sorted(inside)), kind, late))
    return bars


def line(index: int, *, late: bool = False, metre: str = "4/4") -> PastBar:
    """Chords in halves, a bass, a run of eighths and a drum on every beat."""
    measure = Metre.parse(metre)
    notes = [
        FallbackNote(onset, 12, 72 + onset % 7, 90, 0) for onset in range(0, measure.ticks, 12)
    ]
    for onset in (0, measure.half):
        notes += [FallbackNote(onset, 48, pitch, 70, 1) for pitch in (60, 64, 67)]
        notes += [FallbackNote(onset, 48, 43 + index % PHRASE, 80, 2)]
    notes += [FallbackNote(onset, 6, 36, 100, DRUMS) for onset in range(0, measure.ticks, 24)]
    return PastBar(index, measure, tuple(sorted(notes)), "C", late)


def in_a_row(before: Sequence[PastBar], count: int) -> list[PastBar]:
    """So many fallbacks, each made from all that was heard before it."""
    heard = list(before)
    for _ in range(count):
        _, notes = fallback(heard)
        last = heard[-1]
        heard.append(PastBar(last.index + 1, last.metre, notes, last.kind, True))
    return heard[len(before) :]


# -- laws ------------------------------------------------------------------------------------------


@given(pasts())
def test_every_note_ends_in_the_bar_before_its_pitch_comes_again(before: list[PastBar]) -> None:
    _, notes = fallback(before)
    assert list(notes) == sorted(notes)
    ends: dict[tuple[int, int], int] = {}
    for note in notes:
        assert 0 <= note.onset < note.onset + note.duration <= before[-1].metre.ticks
        assert note.onset >= ends.get((note.part, note.pitch), 0)
        assert 1 <= note.velocity <= 127
        ends[note.part, note.pitch] = note.onset + note.duration


@given(pasts())
def test_it_is_made_of_what_the_stream_played_in_the_same_key_and_metre(
    before: list[PastBar],
) -> None:
    place, notes = fallback(before)
    source, last = before[place], before[-1]
    assert (source.metre, source.kind) == (last.metre, last.kind)
    assert {(n.part, n.pitch) for n in notes} <= {(n.part, n.pitch) for n in source.notes}
    assert len(notes) <= len(source.notes)


@given(pasts())
def test_it_is_silent_only_where_the_stream_was(before: list[PastBar]) -> None:
    _, notes = fallback(before)
    last = before[-1]
    alike = [bar for bar in before if (bar.metre, bar.kind) == (last.metre, last.kind)]
    assert bool(notes) == any(bar.notes for bar in alike)


# -- music -----------------------------------------------------------------------------------------


def test_it_takes_up_the_same_place_of_the_phrase() -> None:
    before = [line(index) for index in range(8)]
    for count in range(5, 9):
        place, _ = fallback(before[:count])
        assert before[place].index == count - PHRASE


def test_it_is_softer_and_no_copy() -> None:
    before = [line(index) for index in range(8)]
    place, notes = fallback(before)
    source = before[place].notes
    assert 0 < len(notes) < len(source)
    assert max(n.velocity for n in notes) < max(n.velocity for n in source)
    assert {n for n in source if n.onset % 24 == 0 and n.part == DRUMS} <= {
        n._replace(velocity=100) for n in notes
    }


def test_in_a_row_they_become_sparser_down_to_a_held_chord() -> None:
    bars = in_a_row([line(index) for index in range(8)], 12)
    counts = [len(bar.notes) for bar in bars]
    assert all(later <= before for before, later in pairwise(counts[:4]))
    assert counts[0] > counts[3]
    for bar in bars[3:]:
        assert 1 <= len(bar.notes) <= 4
        assert all((n.onset, n.duration) == (0, 96) and n.part != DRUMS for n in bar.notes)
    assert len({bar.notes for bar in bars[3:7]}) > 1


def test_a_long_row_does_not_fade_away() -> None:
    bars = in_a_row([line(index) for index in range(8)], 60)
    assert min(n.velocity for n in bars[-1].notes) > 30


def test_the_held_chord_has_no_more_voices_than_the_music() -> None:
    melody = tuple(FallbackNote(12 * i, 12, 60 + 2 * i, 80, 0) for i in range(8))
    before = [PastBar(index, METRES[0], melody, "C", False) for index in range(8)]
    assert [len(bar.notes) for bar in in_a_row(before, 6)[3:]] == [1, 1, 1]


@pytest.mark.parametrize("metre", ["4/4", "3/4", "6/8", "5/8"])
def test_every_metre_keeps_its_length_and_its_first_beat(metre: str) -> None:
    before = [line(index, metre=metre) for index in range(8)]
    for bar in in_a_row(before, 5):
        assert bar.metre == Metre.parse(metre)
        assert bar.notes[0].onset == 0


# -- bars of the engine ----------------------------------------------------------------------------


def test_a_bar_of_the_engine_follows_on_with_its_ties_resolved() -> None:
    plan = BarPlan(key=1, chord=5)
    tied = (Note(96, 48, 60, 80, 0, 2), Note(168, 24, 64, 80, 0, 1))
    heard = Bar(1, 2, 96, METRES[0], 500_000, tied, (0, 900), (0,) * 8, plan, "A", 2.0)
    heard = replace(heard, pedals=(Pedal(5, 91, 0),))
    bar = fallback_bar([heard], ["C major"], ())
    assert (bar.index, bar.revision, bar.start, bar.end) == (2, 0, 192, 288)
    assert bar.notes == (Note(192, 48, 60, 72, 0), Note(264, 24, 64, 72, 0))
    assert bar.shifts == (0, 900)
    assert bar.pedals == ()
    assert bar.plan.source == 1
    further = fallback_bar([heard, bar], ["C major"] * 2, {2})
    assert further.start == 288
    assert all(note.tie == 0 for note in further.notes)
