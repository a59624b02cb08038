"""Laws of the `notes` representation."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.music.analysis import analyse
from engine.music.fields import LENGTHS, MELODIC_PITCHES
from engine.music.score import PARTS, Note, Score
from engine.representations.limits import Limits
from engine.representations.notes import (
    DEFAULT_VELOCITY,
    DELTA,
    DELTA_TICKS,
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
