"""Laws of the `performance` representation."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.music.analysis import analyse
from engine.music.fields import MAX_VOICES, MELODIC_PITCHES
from engine.music.score import DRUMS, PARTS, TIED_FROM, TIED_ON, Note, Score, as_array, note_order
from engine.representations.limits import MASKED, Limits
from engine.representations.performance import (
    DEFAULT_VELOCITY,
    MAX_EVENTS_AT_ONCE,
    MAX_HELD,
    MAX_SHIFT,
    OFF,
    OLD,
    ON,
    SHIFT,
    TOKENS,
    VELOCITY,
    PerformanceCodec,
    PerformanceCursor,
)
from tests.engine.score_strategies import scores, small_piece, without_velocity
from tests.engine.test_representations_codec import Walk, limits

CODER = PerformanceCodec()
OPEN = Limits(np.zeros(MELODIC_PITCHES, np.float32), (True,) * PARTS, 99, 10_000, 0)


def one_part(score: Score) -> Score:
    """Melodic notes on part 0 in the metre of performances, each ending where its pitch is struck
    again."""
    notes = score.notes[score.notes["part"] != DRUMS].copy()
    notes["part"] = 0
    kept: dict[tuple[int, int], np.void] = {}
    for note in note_order(notes):
        kept.setdefault((int(note["pitch"]), int(note["onset"])), note)
    last: dict[int, np.void] = {}
    for (pitch, onset), note in kept.items():
        if pitch in last:
            before = last[pitch]
            before["duration"] = min(before["duration"], onset - before["onset"])
        last[pitch] = note
    found = np.array([note.tolist() for note in kept.values()], score.notes.dtype)
    return Score(note_order(found), ((0, CODER.metre),))


performances = scores().map(one_part).filter(lambda score: len(score.notes) > 0)


@given(performances)
@settings(max_examples=40)
def test_decoding_gives_back_what_was_encoded(score: Score) -> None:
    analysis = analyse(score)
    before, after = analysis.score.notes, CODER.decode(CODER.encode(analysis))
    for name in ("onset", "duration", "pitch", "part"):
        assert (after[name] == before[name]).all()
    assert (np.abs(after["velocity"].astype(int) - before["velocity"]) <= 2).all()


def test_real_music_comes_back_but_for_its_drums() -> None:
    score = small_piece()
    analysis = analyse(one_part(score))
    after = CODER.decode(CODER.encode(analysis))
    assert (after["onset"] == analysis.score.notes["onset"]).all()
    assert (after["pitch"] == analysis.score.notes["pitch"]).all()
    drums = replace(score, notes=score.notes[score.notes["part"] == DRUMS])
    assert len(CODER.encode(analyse(drums)).events) == 0


@given(performances)
@settings(max_examples=20)
def test_unknown_velocities_are_not_spoken_of(score: Score) -> None:
    encoded = CODER.encode(analyse(without_velocity(score), velocity_known=False))
    assert (encoded.events > 0).all()
    assert (encoded.events < VELOCITY).all()
    assert set(CODER.decode(encoded)["velocity"].tolist()) == {DEFAULT_VELOCITY}


@given(performances)
@settings(max_examples=25)
def test_a_cursor_stands_where_each_event_stands(score: Score) -> None:
    encoded = CODER.encode(analyse(score))
    cursor = CODER.cursor(int(encoded.onsets[0]))
    notes = []
    voices = encoded.context[:, CODER.context.index("voices")].tolist()
    events = zip(encoded.events.tolist(), encoded.onsets.tolist(), voices, strict=True)
    for event, onset, held in events:
        assert cursor.tick == onset
        assert held == 1 + min(cursor.voices, MAX_VOICES - 1)
        notes.append(cursor.accept(event, OPEN))
    found = [note for note in notes if note is not None]
    assert (as_array(found) == CODER.decode(encoded)).all()
    assert cursor.held == ()


@given(performances)
@settings(max_examples=20)
def test_a_bridge_lets_go_of_all_that_sounds(score: Score) -> None:
    encoded = CODER.encode(analyse(score))
    for tick in (
        int(encoded.onsets[0]) + 1,
        int(encoded.onsets[-1]),
        int(encoded.onsets[-1]) + 999,
    ):
        if tick <= encoded.onsets[0]:
            continue
        bridged = CODER.bridge(encoded, tick)
        cursor = CODER.cursor(int(bridged.onsets[0]))
        for event, onset in zip(bridged.events.tolist(), bridged.onsets.tolist(), strict=True):
            assert cursor.tick == onset
            cursor.accept(event, OPEN)
        assert (cursor.tick, cursor.held) == (tick, ())


def heard(tokens: list[int], start: int, end: int) -> list[tuple[int, int, int]]:
    """(onset, duration, pitch) of every note-on of a token stream, by another reading."""
    held: dict[int, int] = {}
    found, now = [], start
    for token in tokens:
        if SHIFT <= token < VELOCITY:
            now += token - SHIFT + 1
        elif OFF <= token < SHIFT:
            onset = held.pop(token - OFF)
            found.append((onset, min(now, end) - onset, token - OFF))
        elif ON <= token < OFF:
            assert token - ON not in held, "struck while it sounded"
            held[token - ON] = now
    found += [(onset, end - onset, pitch) for pitch, onset in held.items()]
    return sorted(row for row in found if row[1] > 0)


@given(
    seed=st.integers(0, 1 << 32),
    bounds=limits(),
    bars=st.lists(st.sampled_from([12, 96, 192]), min_size=1, max_size=6),
)
@settings(max_examples=40)
def test_ties_join_into_what_was_struck_and_let_go(
    seed: int, bounds: Limits, bars: list[int]
) -> None:
    walk = Walk(CODER, seed, start=192)
    pieces: list[Note] = []
    start = 192
    for ticks in bars:
        notes = walk.bar(ticks, bounds)
        for note in notes:
            assert start <= note.onset
            assert note.onset + note.duration <= start + ticks
            assert not note.tie & TIED_ON or note.onset + note.duration == start + ticks
            assert not note.tie & TIED_FROM or note.onset == start
        pieces += notes
        start += ticks
    joined = as_array(pieces)
    tokens = [event[0] for event in walk.events]
    rows = sorted(zip(*(joined[n].tolist() for n in ("onset", "duration", "pitch")), strict=True))
    assert rows == heard(tokens, 192, start)


@given(seed=st.integers(0, 1 << 32), bounds=limits())
@settings(max_examples=20)
def test_time_always_passes(seed: int, bounds: Limits) -> None:
    walk = Walk(CODER, seed)
    walk.bar(192, bounds)
    events_at_once = longest = 0
    for (token,) in walk.events:
        events_at_once = 0 if SHIFT <= token < VELOCITY else events_at_once + 1
        longest = max(longest, events_at_once)
    assert longest <= MAX_EVENTS_AT_ONCE + 1  # and the note-on that ends a silence


def allowed(cursor: PerformanceCursor, limits: Limits) -> np.ndarray:
    bias = np.zeros(TOKENS, np.float32)
    CODER.write_bias(bias, limits)
    cursor.enter_bar(cursor.tick, cursor.tick + 192)
    cursor.constrain(bias, limits)
    return bias > MASKED / 2


def test_shifts_in_a_row_cannot_make_a_silence_longer_than_asked() -> None:
    tight = Limits(OPEN.pitch_bias, OPEN.parts_on, 4, 30, 0)
    cursor = CODER.cursor(0)
    assert allowed(cursor, tight)[SHIFT:VELOCITY].sum() == 30
    cursor.take(SHIFT + 19)
    assert allowed(cursor, tight)[SHIFT:VELOCITY].sum() == 10
    cursor.take(SHIFT + 9)
    assert not allowed(cursor, tight)[SHIFT:VELOCITY].any()
    assert allowed(cursor, tight)[ON:OFF].all()
    cursor.take(ON + 60)
    assert allowed(cursor, tight)[SHIFT:VELOCITY].sum() == MAX_SHIFT


def test_where_silence_must_end_a_note_can_begin_at_any_rank() -> None:
    tight = Limits(OPEN.pitch_bias, OPEN.parts_on, 4, 30, 0)
    cursor = CODER.cursor(0)
    cursor.take(SHIFT + 29)
    for _ in range(MAX_EVENTS_AT_ONCE):
        cursor.take(VELOCITY)
    open_tokens = allowed(cursor, tight)
    assert open_tokens[ON:OFF].all()
    assert not open_tokens[OFF:].any()


@given(seed=st.integers(0, 1 << 32), bounds=limits())
@settings(max_examples=20)
def test_no_note_is_held_for_ever(seed: int, bounds: Limits) -> None:
    """A player that would rather do anything than let go of a note."""
    draw = np.random.default_rng(seed)
    cursor, bias = CODER.cursor(0), np.zeros(TOKENS, np.float32)
    for bar in range(12):
        CODER.write_bias(bias, bounds)
        cursor.enter_bar(bar * 192, bar * 192 + 192)
        while cursor.tick < bar * 192 + 192:
            cursor.constrain(bias, bounds)
            choices = np.flatnonzero(bias > MASKED / 2)
            clinging = choices[(choices < OFF) | (choices >= SHIFT)]
            cursor.take(int(draw.choice(clinging if len(clinging) else choices)))
            for _, onset, _ in cursor.held:
                assert cursor.tick - onset <= MAX_HELD


def test_the_longer_a_note_is_held_the_likelier_is_its_end() -> None:
    cursor, bias = CODER.cursor(0), np.zeros(TOKENS, np.float32)
    cursor.take(ON + 60)
    CODER.write_bias(bias, OPEN)
    cursor.enter_bar(0, 1 << 20)
    weights = []
    while cursor.tick < MAX_HELD - MAX_SHIFT:
        cursor.take(SHIFT + 49)
        cursor.constrain(bias, OPEN)
        weights.append(float(bias[OFF + 60]))
    usual = OLD // 50
    assert set(weights[:usual]) == {0.0}
    assert all(a < b for a, b in pairwise(weights[usual - 1 :]))
    assert weights[-1] > 8


def test_of_several_that_were_held_long_each_is_let_go_and_then_all_is_open_again() -> None:
    cursor, bias = CODER.cursor(0), np.zeros(TOKENS, np.float32)
    for pitch in (60, 64):
        cursor.take(ON + pitch)
    cursor.take(SHIFT + MAX_SHIFT - 1)
    cursor.take(ON + 67)
    CODER.write_bias(bias, OPEN)
    cursor.enter_bar(0, 1 << 20)
    cursor.constrain(bias, OPEN)
    while cursor.tick < MAX_HELD:
        cursor.take(SHIFT + MAX_SHIFT - 1)
        cursor.constrain(bias, OPEN)
    for pitch in (60, 64):
        assert np.flatnonzero(bias > MASKED / 2).tolist() == [OFF + pitch]
        cursor.take(OFF + pitch)
        cursor.constrain(bias, OPEN)
    open_tokens = bias > MASKED / 2
    assert open_tokens[OFF:SHIFT].sum() == 1
    assert open_tokens[SHIFT:VELOCITY].all()
    assert open_tokens[ON:OFF].sum() == 127


def test_a_released_pitch_is_not_struck_again_above_the_polyphony() -> None:
    cursor = CODER.cursor(0)
    for pitch in (60, 64, 67):
        cursor.take(ON + pitch)
    cursor.take(SHIFT + 5)
    tight = Limits(OPEN.pitch_bias, OPEN.parts_on, 1, 30, 0)
    bias = np.zeros(TOKENS, np.float32)
    CODER.write_bias(bias, tight)
    cursor.enter_bar(6, 198)
    cursor.constrain(bias, tight)
    cursor.take(OFF + 64)
    cursor.constrain(bias, tight)
    assert (bias[ON:OFF] <= MASKED / 2).all()


@given(asked=st.floats(1, 8))
def test_the_more_are_held_than_were_asked_for_the_likelier_one_ends(asked: float) -> None:
    bounds = replace(OPEN, voices=asked)
    cursor, bias = CODER.cursor(0), np.zeros(TOKENS, np.float32)
    CODER.write_bias(bias, bounds)
    cursor.enter_bar(0, 1 << 20)
    weights = []
    for pitch in range(60, 70):
        cursor.take(ON + pitch)
        cursor.take(SHIFT)
        cursor.constrain(bias, bounds)
        assert len(set(bias[OFF + 60 : OFF + pitch + 1].tolist())) == 1
        weights.append(float(bias[OFF + 60]))
    assert all(a < b for a, b in pairwise(weights))
    for held, weight in enumerate(weights, start=1):
        assert (weight > 0) == (held > asked) or held == asked


def test_where_nobody_asks_how_many_sound_none_is_hurried() -> None:
    cursor, bias = CODER.cursor(0), np.zeros(TOKENS, np.float32)
    CODER.write_bias(bias, OPEN)
    cursor.enter_bar(0, 1 << 20)
    for pitch in range(60, 70):
        cursor.take(ON + pitch)
    cursor.take(SHIFT)
    cursor.constrain(bias, OPEN)
    assert set(bias[OFF + 60 : OFF + 70].tolist()) == {0.0}
