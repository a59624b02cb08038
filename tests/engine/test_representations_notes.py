"""Laws of the `notes` representation."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.controls.controls import Controls
from engine.music.analysis import analyse
from engine.music.fields import LENGTHS, MELODIC_PITCHES
from engine.music.score import PARTS, Note, Score
from engine.music.time import TICKS_PER_QUARTER, Metre
from engine.planning.correction import Leaning
from engine.representations.limits import MASKED, Limits, limits_of
from engine.representations.notes import (
    DEFAULT_VELOCITY,
    DELTA,
    DELTA_TICKS,
    FIELDS,
    VELOCITY,
    NotesCodec,
    velocity_of,
)
from tests.engine.score_strategies import scores, small_piece, without_velocity

CODER = NotesCodec()
OPEN = Limits(np.zeros(MELODIC_PITCHES, np.float32), (True,) * PARTS, 99, 10_000, 0)
_LENGTHS = np.array(LENGTHS)


def nearest_miss(ticks: int) -> int:
    return int(np.abs(_LENGTHS - ticks).min())


@given(scores(gaps=st.sampled_from([0, *LENGTHS])))
@settings(max_examples=25)
def test_onsets_are_exact_where_deltas_can_say_them(score: Score) -> None:
    analysis = analyse(score)
    decoded = CODER.decode(CODER.encode(analysis))
    assert (decoded["onset"] == analysis.score.notes["onset"]).all()


@given(scores())
@settings(max_examples=50)
def test_rounding_never_adds_up(score: Score) -> None:
    analysis = analyse(score)
    truth = analysis.score.notes["onset"].astype(int)
    encoded = CODER.encode(analysis)
    end = int(analysis.grid.starts[-1]) + analysis.grid.metres[-1].ticks
    for i in range(len(truth) - 1):
        gap = int(truth[i + 1] - encoded.onsets[i])
        off = abs(int(encoded.onsets[i + 1]) - int(truth[i + 1]))
        if gap <= 0:
            assert off == -gap
        elif gap > LENGTHS[-1]:
            assert off == 0
        else:  # only the close of the piece may ask for the nearest one below
            assert off == nearest_miss(gap) or encoded.onsets[i + 1] + 2 * off >= end
    assert (encoded.onsets < end).all()


@given(scores())
@settings(max_examples=25)
def test_decoding_gives_back_what_was_encoded(score: Score) -> None:
    analysis = analyse(score)
    before, after = analysis.score.notes, CODER.decode(CODER.encode(analysis))
    assert (after["pitch"] == before["pitch"]).all()
    assert (after["part"] == before["part"]).all()
    assert (np.abs(after["velocity"].astype(int) - before["velocity"]) <= 2).all()
    for old, new in zip(before["duration"].tolist(), after["duration"].tolist(), strict=True):
        assert abs(new - old) == nearest_miss(old)


def test_real_music_on_the_grid_comes_back_note_for_note() -> None:
    analysis = analyse(small_piece())
    before, after = analysis.score.notes, CODER.decode(CODER.encode(analysis))
    for name in ("onset", "pitch", "part"):
        assert (after[name] == before[name]).all()
    assert set(after["duration"].tolist()) == {6, 48, 96, 21}  # 22 ticks are no length of ours


@given(scores())
@settings(max_examples=25)
def test_zero_stands_only_for_what_is_not_known(score: Score) -> None:
    analysis = analyse(without_velocity(score), velocity_known=False)
    encoded = CODER.encode(analysis)
    zero = encoded.events == 0
    gaps = analysis.score.notes["onset"][1:].astype(int) - encoded.onsets[:-1]
    assert zero[:, VELOCITY].all()
    assert zero[:, DELTA].tolist() == [*(gaps > LENGTHS[-1]).tolist(), True]
    assert not np.delete(zero, [VELOCITY, DELTA], axis=1).any()
    assert set(CODER.decode(encoded)["velocity"].tolist()) == {DEFAULT_VELOCITY}


@given(scores())
@settings(max_examples=30)
def test_a_cursor_hears_the_same_notes_at_the_same_ticks(score: Score) -> None:
    encoded = CODER.encode(analyse(score))
    decoded = [Note(*row) for row in CODER.decode(encoded).tolist()]
    cursor = CODER.cursor(int(encoded.onsets[0]))
    ends: list[int] = []
    for event, onset, expected in zip(
        encoded.events.tolist(), encoded.onsets.tolist(), decoded, strict=True
    ):
        assert cursor.tick == onset
        assert cursor.voices == sum(end > onset for end in ends)
        ends.append(expected.onset + expected.duration)
        told = list(event)
        assert cursor.accept(told, OPEN) == expected
        assert told == event  # nothing to correct in real music
        if not event[DELTA]:  # an open gap: where the next note stands is not said
            cursor = CODER.cursor(int(encoded.onsets[encoded.onsets > onset].min(initial=1 << 30)))
            ends = []


def test_every_velocity_is_a_midi_velocity() -> None:
    for value in range(CODER.fields[VELOCITY].size):
        assert 1 <= velocity_of(value) <= 127


def test_a_note_that_would_be_one_too_many_ends_where_the_next_begins() -> None:
    cursor = CODER.cursor(0)
    tight = Limits(OPEN.pitch_bias, OPEN.parts_on, 1, 96, 0)
    long, delta = 1 + LENGTHS.index(96), DELTA_TICKS.index(24)
    event = [1, 61, long, 20, delta]
    note = cursor.accept(event, tight)
    assert note is not None
    assert note.duration == 24
    assert LENGTHS[event[2] - 1] == 24  # and the network is told so
    assert cursor.sounding == ()


def test_a_percussion_part_with_a_melodic_pitch_becomes_the_first_part_that_is_on() -> None:
    cursor = CODER.cursor(0)
    limits = Limits(OPEN.pitch_bias, (False, True, *(True,) * 6), 8, 96, 0)
    event = [PARTS, 61, 5, 20, 6]
    note = cursor.accept(event, limits)
    assert note is not None
    assert (note.part, note.pitch) == (1, 60)
    assert event[0] == 2


# -- rests at closes ----------------------------------------------------------------------------

METRES = st.sampled_from(["4/4", "3/4", "7/8", "6/8", "2/4", "3/8", "5/4", "8/4", "1/8"])
DRAWS = st.lists(st.tuples(*[st.integers(0, 999)] * len(FIELDS)), min_size=8, max_size=40)


def drawn(bias: NDArray[np.float32], draws: tuple[int, ...]) -> list[int]:
    """An event of what is open, any of it; every field must have something."""
    event, start = [], 0
    for field, draw in zip(FIELDS, draws, strict=True):
        row = bias[start : start + field.size]
        found = [value for value in range(1, field.size) if row[value] > MASKED / 2]
        assert found, f"{field.name} has no choice"
        event.append(found[draw % len(found)])
        start += field.size
    return event


@given(
    METRES,
    st.sampled_from(["free", "1/4", "1/8", "1/16", "1/32"]),
    st.floats(1, 16),
    st.integers(1, 32),
    st.booleans(),
    st.integers(0, 60),
    st.integers(1, 192),
    DRAWS,
)
@settings(max_examples=100)
def test_a_rest_leaves_every_field_a_choice_and_keeps_what_is_kept_elsewhere(
    metre: str,
    grid: str,
    max_rest: float,
    most: int,
    leans: bool,
    begins: int,
    length: int,
    draws: list[tuple[int, ...]],
) -> None:
    """Whatever the bar, the grid and the limits: nothing begins in it but at its beginning."""
    controls = Controls.from_dict(
        {"metre": metre, "grid": grid, "max_rest": max_rest, "max_polyphony": most}
    )
    ticks = Metre.parse(metre).ticks
    hold = ticks, ticks + min(length, ticks)
    lean = CODER.leaning(Leaning(2.0, 6.0, 1.0)) if leans else None
    limits = replace(limits_of(controls), hold=hold, lean=lean)
    bias = np.zeros(sum(field.size for field in FIELDS), np.float32)
    on_grid = [t for t in range(ticks) if not limits.places or limits.places[t % TICKS_PER_QUARTER]]
    cursor = CODER.cursor(on_grid[begins % len(on_grid)])
    bar, notes = -1, []
    for draw in draws:
        if cursor.tick // ticks != bar:
            bar = cursor.tick // ticks
            CODER.write_bias(bias, limits)
            cursor.enter_bar(bar * ticks, (bar + 1) * ticks)
        cursor.constrain(bias, limits)
        note = cursor.accept(drawn(bias, draw), limits)
        assert note is not None
        notes.append(note)
    check_held(notes, hold, limits, ticks)


def check_held(notes: list[Note], hold: tuple[int, int], limits: Limits, ticks: int) -> None:
    ends = 0
    for before, note in pairwise(notes):
        ends = max(ends, before.onset + before.duration)
        assert note.onset - ends <= limits.max_rest
        assert len([n for n in notes if n.onset <= note.onset < n.onset + n.duration]) <= max(
            limits.max_polyphony, 1
        )
    for note in notes:
        assert not hold[0] < note.onset < hold[1]
        assert not limits.places or limits.places[note.onset % ticks % TICKS_PER_QUARTER]
    if notes[-1].onset >= hold[1]:
        struck = [note for note in notes if note.onset == hold[0]]
        assert all(note.onset + note.duration >= hold[1] for note in struck)
