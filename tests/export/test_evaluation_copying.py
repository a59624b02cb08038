"""Planted copies are found with their exact length."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.music.score import DRUMS, NOTE, Score
from export.evaluation import copying as module
from export.evaluation.copying import LEAST_RUN, copying, covered_share, longest_runs


def tune(seed, length, part=0):
    """Notes of random steps and gaps: two of them share nothing long by chance."""
    draw = np.random.Generator(np.random.Philox(key=seed))
    notes = np.zeros(length, NOTE)
    notes["onset"] = np.cumsum(draw.integers(1, 40, length))
    notes["duration"] = draw.integers(1, 40, length)
    notes["pitch"] = draw.integers(20, 100, length)
    notes["velocity"] = draw.integers(1, 127, length)
    notes["part"] = part
    return notes


def joined(*stretches):
    """One stretch after another, a bar between them."""
    placed, at = [], 0
    for stretch in stretches:
        moved = stretch.copy()
        moved["onset"] += at - stretch["onset"][0]
        at = int(moved["onset"][-1]) + 96
        placed.append(moved)
    return Score(np.concatenate(placed))


@given(st.integers(LEAST_RUN, 60), st.integers(0, 50), st.integers(-12, 12), st.integers(1, 50))
def test_a_planted_copy_is_found_with_its_exact_length(length, at, shift, stretch):
    training = [Score(tune(seed, 100)) for seed in range(3)]
    copy = training[1].notes[at : at + length].copy()
    copy["pitch"] = copy["pitch"].astype(int) + shift
    copy["duration"] = stretch
    length = len(copy)
    found = copying([joined(tune(11, 70), copy, tune(12, 50))], training)
    if length >= LEAST_RUN:
        assert (found.longest, found.source) == (length, 1)
        assert found.covered == (pytest.approx((length - 1) / found.notes) if length >= 16 else 0)


def test_another_rhythm_is_no_copy():
    training = Score(tune(1, 60))
    slower = training.notes.copy()
    slower["onset"] *= 2
    assert copying([Score(slower)], [training]).longest == 0


def test_a_whole_piece_is_one_run():
    piece = Score(tune(1, 300))
    found = copying([piece], [Score(tune(2, 300)), piece])
    assert (found.longest, found.source) == (300, 1)
    assert found.covered == 1.0
    assert found.p99 > 250


def test_runs_do_not_cross_from_one_piece_into_the_next():
    whole = tune(1, 40)
    assert copying([Score(whole)], [Score(whole[:20]), Score(whole[20:])]).longest == 20
    assert copying([Score(whole[:20]), Score(whole[20:])], [Score(whole)]).longest == 20


def test_chunks_make_no_difference(monkeypatch):
    training = [Score(tune(seed, 50)) for seed in range(8)]
    music = [joined(training[6].notes[5:30], tune(30, 9), training[2].notes[:17])]
    whole = copying(music, training)
    monkeypatch.setattr(module, "CHUNK", 60)
    assert copying(music, training) == whole
    assert (whole.longest, whole.source) == (25, 6)


def test_a_copied_melody_is_found_under_another_accompaniment():
    melody = tune(1, 40)
    bass = tune(2, 60, part=1)
    original = Score(melody)
    arranged = Score(np.concatenate((melody, bass)))
    assert copying([arranged], [original], "line").longest == 40
    assert copying([arranged], [original], "texture").longest < 20


def test_percussion_is_left_out():
    beat = Score(tune(1, 40, part=DRUMS))
    assert copying([beat], [beat]).notes == 0


def test_nothing_to_search_and_nothing_to_search_in():
    piece = Score(tune(1, 40))
    assert copying([], [piece]).longest == 0
    assert copying([piece], []).longest == 0
    assert copying([Score(np.zeros(0, NOTE))], [piece]).longest == 0


small = st.lists(st.tuples(st.integers(0, 2), st.integers(60, 61)), min_size=2, max_size=40)


def plain(rows):
    notes = np.zeros(len(rows), NOTE)
    notes["onset"] = np.cumsum([12 * (1 + gap) for gap, _ in rows])
    notes["pitch"] = [pitch for _, pitch in rows]
    notes["duration"] = 12
    return Score(notes)


@given(small, st.lists(small, min_size=1, max_size=3))
def test_runs_agree_with_comparing_every_pair(rows, others):
    def steps(score):
        notes = score.notes
        return list(zip(np.diff(notes["pitch"].astype(int)), np.diff(notes["onset"]), strict=True))

    music, training = plain(rows), [plain(row) for row in others]
    ours = steps(music)
    runs = longest_runs([music], training)
    for i in range(len(ours)):
        best = 0
        for theirs in map(steps, training):
            for j in range(len(theirs)):
                n = 0
                while i + n < len(ours) and j + n < len(theirs) and ours[i + n] == theirs[j + n]:
                    n += 1
                best = max(best, n + 1)
        assert runs.length[i] == (best if best >= LEAST_RUN else 0)


def test_overlapping_runs_cover_once():
    lengths = np.zeros(40, np.int64)
    lengths[[0, 4]] = 17
    assert covered_share(lengths) == pytest.approx(20 / 40)
