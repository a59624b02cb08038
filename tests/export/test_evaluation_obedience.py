"""Correlations and the share inside a key."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.music.fields import NO_CHORD
from engine.music.harmony import chord_id, key_id
from engine.music.score import DRUMS
from export.evaluation.obedience import Harmony, harmony, obedience, obedience_of, ranks

values = st.lists(st.integers(-50, 50), min_size=3, max_size=30).filter(lambda v: len(set(v)) > 1)


@given(values, st.integers(1, 9), st.integers(-9, 9))
def test_a_rising_line_is_followed_perfectly(asked, slope, offset):
    heard = [slope * v + offset for v in asked]
    found = obedience("density", asked, heard)
    assert found.pearson == pytest.approx(1)
    assert found.spearman == pytest.approx(1)
    assert obedience("density", asked, [-v for v in heard]).pearson == pytest.approx(-1)


@given(values)
def test_spearman_knows_only_the_order(asked):
    assert obedience("x", asked, [v**3 for v in asked]).spearman == pytest.approx(1)


def test_known_values():
    found = obedience("x", [1, 2, 3, 4], [2, 1, 4, 3])
    assert found.pearson == pytest.approx(0.6)
    assert found.bars == 4
    assert obedience("x", [1, 2, 3, 4], [1, 4, 9, 100]).pearson < 0.9


def test_bars_without_an_answer_are_left_out():
    found = obedience("x", [1, np.nan, 2, 3, 5], [1, 7, 2, 3, np.nan])
    assert found.bars == 3
    assert found.pearson == pytest.approx(1)


@pytest.mark.parametrize("pairs", [([], []), ([1, 2], [1, 2]), ([1, 1, 1], [1, 2, 3])])
def test_what_cannot_be_told_is_none(pairs):
    found = obedience("x", *pairs)
    assert found.pearson is None
    assert found.spearman is None


def test_equal_values_share_a_rank():
    assert ranks(np.array([3.0, 1, 3, 2])).tolist() == [3.5, 1, 3.5, 2]


def test_every_control_has_its_row():
    found = obedience_of({"density": ([1, 2, 3], [1, 2, 3]), "register": ([1, 2, 3], [3, 2, 1])})
    assert [(row.control, round(row.pearson)) for row in found] == [
        ("density", 1),
        ("register", -1),
    ]


def shares(pitches, keys, chords, part=0):
    columns = (
        np.array(column, np.int64) for column in (pitches, [part] * len(pitches), keys, chords)
    )
    return harmony(*columns)


def key(pitches, keys, part=0):
    return shares(pitches, keys, [0] * len(keys), part).key


def test_share_inside_the_key():
    assert key([60, 62, 64, 61], [key_id(0, False)] * 4) == 0.75
    assert key([61, 63], [key_id(1, False)] * 2) == 1.0
    assert key([57, 68, 67, 66, 65], [key_id(9, True)] * 5) == 1.0  # all forms of A minor
    assert key([57, 61], [key_id(9, True)] * 2) == 0.5


def test_share_of_chord_tones():
    g7, a_minor = chord_id(7, "7"), chord_id(9, "min")
    assert shares([67, 71, 62, 65, 60], [0] * 5, [g7] * 5).chord == 0.8
    assert shares([57, 60, 61, 40], [0] * 4, [a_minor] * 4).chord == 0.75


def test_what_was_left_open_and_percussion_do_not_count():
    assert key([60, 61], [1, 0]) == 1.0
    assert key([61], [1], DRUMS) is None
    assert shares([60], [0], [NO_CHORD]) == Harmony(None, None)
    assert shares([], [], []) == Harmony(None, None)
