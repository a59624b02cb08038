"""Fingerprints do not mind key, note values or the texture, and little else is alike."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.music.score import DRUMS, NOTE, Score
from export.data.likeness import LEAST_TURNS, fingerprint, likenesses


def melody(seed: int, length: int) -> Score:
    draw = np.random.Generator(np.random.Philox(key=seed))
    notes = np.zeros(length, NOTE)
    notes["onset"] = np.cumsum(draw.choice([3, 6, 12, 18, 24], length))
    notes["duration"] = 6
    notes["pitch"] = draw.integers(50, 80, length)
    return Score(notes)


def changed(score: Score, shift: int, stretch: int, later: int) -> Score:
    notes = score.notes.copy()
    notes["pitch"] += shift
    notes["onset"] = notes["onset"] * stretch + later
    return Score(notes)


@given(
    st.integers(0, 99),
    st.integers(1, 80),
    st.integers(0, 40),
    st.integers(1, 4),
    st.integers(0, 99),
)
def test_key_values_and_beginning_do_not_matter(
    seed: int, length: int, shift: int, stretch: int, later: int
) -> None:
    score = melody(seed, length)
    first, second = fingerprint(score), fingerprint(changed(score, shift, stretch, later))
    assert first.exact == second.exact
    assert first.turns.tolist() == second.turns.tolist()


@given(st.integers(0, 99), st.integers(100, 200))
def test_one_other_note_is_no_exact_copy_but_much_alike(seed: int, length: int) -> None:
    score = melody(seed, length)
    other = Score(score.notes.copy())
    other.notes["pitch"][length // 2] += 1
    (pair,) = likenesses([fingerprint(score), fingerprint(other)])
    assert (pair.first, pair.second, pair.exact) == (0, 1, False)
    assert pair.share > 0.85


def test_lower_voices_do_not_hide_a_melody() -> None:
    score = melody(1, 120)
    accompanied = score.notes.copy()
    accompanied["pitch"] = 40
    both = Score(np.concatenate((score.notes, accompanied)))
    (pair,) = likenesses([fingerprint(score), fingerprint(both)])
    assert pair.share == 1.0
    assert not pair.exact


def test_different_tunes_are_not_alike() -> None:
    assert likenesses([fingerprint(melody(seed, 150)) for seed in range(30)]) == []


def test_short_tunes_are_only_compared_exactly() -> None:
    short = melody(3, LEAST_TURNS)
    longer = Score(np.concatenate((short.notes, changed(short, 1, 1, short.end + 6).notes)))
    prints = [fingerprint(short), fingerprint(longer), fingerprint(changed(short, 2, 1, 0))]
    assert [(pair.first, pair.second, pair.exact) for pair in likenesses(prints)] == [(0, 2, True)]


def test_copies_are_paired_with_the_first_of_them() -> None:
    same = fingerprint(melody(1, 100))
    assert [pair[:2] for pair in likenesses([same, same, same])] == [(0, 1), (0, 2)]


def test_drums_alone_have_a_fingerprint_too() -> None:
    score = melody(1, 100)
    score.notes["part"] = DRUMS
    assert len(fingerprint(score).turns) > LEAST_TURNS
    assert fingerprint(score).exact != fingerprint(Score(score.notes[:50])).exact


def test_a_piece_of_one_note_or_none_is_no_error() -> None:
    prints = [fingerprint(Score(melody(1, n).notes)) for n in (0, 1, 2)]
    assert len({each.exact for each in prints}) == 3
    assert likenesses(prints) == []
