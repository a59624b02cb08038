"""Figures of hand-made music with known answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.music.score import DRUMS, NOTE, Score
from engine.music.time import Metre
from export.evaluation.statistics import (
    FIGURE,
    LAGS,
    MeasuredPiece,
    mean_similarity,
    measure,
    shared_by_lag,
)

BAR = 96
SCALE = (60, 62, 64, 65, 67, 69, 71, 72)


def score(rows, **kwargs):
    """Rows of (onset, duration, pitch[, velocity[, part]])."""
    filled = [(*row, *(64, 0)[len(row) - 3 :]) for row in rows]
    return Score(np.array(filled, NOTE), **kwargs)


def bars(patterns):
    """One bar after another, each a list of pitches in eighths."""
    return score(
        [
            (b * BAR + i * 12, 12, pitch)
            for b, row in enumerate(patterns)
            for i, pitch in enumerate(row)
        ]
    )


def samples(name, piece):
    return FIGURE[name].samples(MeasuredPiece.of(piece))[1].tolist()


def test_a_scale_in_quarters():
    piece = score([(i * 24, 24, pitch, 40 + i) for i, pitch in enumerate(SCALE)])
    assert samples("pitch class", piece) == [0, 2, 4, 5, 7, 9, 11, 0]
    assert samples("interval", piece) == [2, 2, 1, 2, 2, 2, 1]
    assert samples("duration", piece) == [24] * 8
    assert samples("gap", piece) == [24] * 7
    assert samples("beat place", piece) == [0] * 8
    assert samples("velocity", piece) == list(range(40, 48))
    assert samples("density", piece) == [1, 1]
    assert samples("polyphony", piece) == [1, 1]
    assert samples("scale", piece) == [1]
    assert samples("range", piece) == [12]
    assert samples("groove", piece) == [1]
    assert samples("repeated", piece) == [0]
    assert samples("empty", piece) == [0, 0]
    # Six classes once and the tonic twice, of eight.
    assert samples("tonal entropy", piece) == pytest.approx([6 / 8 * 3 + 2 / 8 * 2])


def test_open_velocities_are_no_samples():
    assert samples("velocity", score([(0, 12, 60, 0), (12, 12, 60, 70)])) == [70]


def test_intervals_stay_inside_a_part_and_follow_the_top_notes():
    melody = [(0, 24, 60, 64, 0), (0, 24, 48, 64, 0), (24, 24, 65, 64, 0)]
    bass = [(0, 24, 40, 64, 1), (48, 24, 43, 64, 1)]
    drums = [(24, 24, 70, 64, DRUMS), (48, 24, 30, 64, DRUMS)]
    piece = score([*melody, *bass, *drums])
    assert sorted(samples("interval", piece)) == [3, 5]


def test_polyphony_counts_only_the_time_when_something_sounds():
    piece = score([(0, 24, 60), (0, 24, 64), (0, 48, 67)])
    assert samples("polyphony", piece) == [2.0]


def test_percussion_has_no_pitch_but_a_density():
    piece = score([(0, 24, 36, 64, DRUMS), (24, 24, 38, 64, DRUMS)])
    for name in ("pitch", "pitch class", "interval", "duration", "polyphony", "scale", "range"):
        assert samples(name, piece) == [], name
    assert samples("density", piece) == [0.5]


def test_one_foreign_note_in_eight():
    piece = score([(i * 24, 24, pitch) for i, pitch in enumerate((*SCALE[:7], 61))])
    assert samples("scale", piece) == [7 / 8]


def test_harmonic_minor_is_one_scale():
    piece = score([(i * 24, 24, 57 + step) for i, step in enumerate((0, 2, 3, 5, 7, 8, 11))])
    assert samples("scale", piece) == [1]


def test_equal_and_nearly_equal_bars():
    first = [60, 62, 64, 65, 67, 69, 71, 72]
    other = [48, 50, 52, 53, 55, 57, 59, 60]
    varied = [60, 62, 64, 65, 67, 69, 71, 74]  # 7 of 9 different notes in common
    piece = bars([first, other, first, varied])
    assert samples("repeated", piece) == [0, 1, 0]
    assert samples("nearly repeated", piece) == [0, 1, 1]
    likeness = MeasuredPiece.of(piece).likeness
    assert likeness[2, 1] == 1.0
    assert likeness[3, 0] == likeness[3, 2] == pytest.approx(7 / 9)
    assert likeness[1, 0] == 0.0


def test_self_similarity_has_the_period_of_the_music():
    patterns = [[60], [72], [48], [55]]
    found = measure(bars(patterns * 12))
    assert found.similarity[3::4] == pytest.approx(np.ones(LAGS // 4))
    assert found.similarity[[0, 1, 2, 4, 5, 6]] == pytest.approx(np.zeros(6))
    assert mean_similarity([found, found]) == pytest.approx(found.similarity)


def test_empty_bars_are_counted_and_never_count_as_repeats():
    piece = score([(0, 24, 60), (4 * BAR, 24, 61)])
    assert samples("empty", piece) == [0, 1, 1, 1, 0]
    assert samples("repeated", piece) == [0]


def test_groove_is_the_share_of_onsets_in_common():
    piece = score([(0, 12, 60), (48, 12, 60), (BAR, 12, 72), (BAR + 24, 12, 72)])
    assert samples("groove", piece) == [pytest.approx(1 / 3)]


def test_bars_follow_the_metre():
    piece = score([(0, 24, 60), (72, 24, 60), (144, 24, 60)], metres=((0, Metre(3, 4)),))
    assert samples("density", piece) == [pytest.approx(1 / 3)] * 3
    assert samples("repeated", piece) == [1, 1]


def test_windows_hold_about_sixteen_bars():
    assert MeasuredPiece.of(bars([[60]] * 7)).windows == 1
    assert MeasuredPiece.of(bars([[60]] * 23)).windows == 1
    assert MeasuredPiece.of(bars([[60]] * 24)).windows == 2
    assert MeasuredPiece.of(bars([[60]] * 40)).windows == 3


def test_a_piece_without_notes_has_no_samples():
    found = measure(score([]))
    assert found.windows == 1
    assert {name for name, rows in found.histograms.items() if rows.any()} == {"density", "empty"}


notes = st.tuples(
    st.integers(0, 40 * BAR),
    st.integers(1, 200),
    st.integers(20, 100),
    st.integers(0, 127),
    st.integers(0, DRUMS),
)
scores = st.lists(notes, min_size=1, max_size=60).map(score)


@given(scores)
def test_every_sample_is_counted_once(piece):
    found = measure(piece)
    for name, figure in FIGURE.items():
        window, values = figure.samples(MeasuredPiece.of(piece))
        assert len(window) == len(values) == found.histograms[name].sum()
        assert not np.isnan(values).any()
        if name in ("scale", "groove", "repeated", "nearly repeated", "empty"):
            assert ((values >= 0) & (values <= 1)).all()


@given(scores, st.integers(-12, 12))
def test_transposition_changes_no_figure_but_the_pitches(piece, shift):
    moved = piece.notes.copy()
    moved["pitch"][moved["part"] != DRUMS] += np.array(shift).astype(np.uint8)
    before, after = measure(piece), measure(Score(moved))
    for name in FIGURE:
        # Signatures that fit equally well are told apart by their number.
        if name not in ("pitch", "pitch class"):
            assert np.array_equal(before.histograms[name], after.histograms[name]), name
    assert np.array_equal(before.similarity, after.similarity, equal_nan=True)


@given(st.integers(-12, 12))
def test_pitch_classes_are_told_against_the_signature(shift):
    piece = score([(i * 24, 24, pitch + shift) for i, pitch in enumerate((*SCALE, 67, 60))])
    assert samples("pitch class", piece) == [0, 2, 4, 5, 7, 9, 11, 0, 7, 0]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 20)), min_size=1, max_size=80),
    st.integers(1, 12),
)
def test_shared_by_lag_agrees_with_sets(pairs, lags):
    bar, keys = (np.array(column, np.int64) for column in zip(*pairs, strict=True))
    sets = [{k for b, k in pairs if b == i} for i in range(10)]
    found = shared_by_lag(bar, keys, 10, lags)
    for i in range(10):
        for lag in range(1, lags + 1):
            union = sets[i] | sets[i - lag] if i >= lag else set()
            if union:
                assert found[i, lag - 1] == len(sets[i] & sets[i - lag]) / len(union)
            else:
                assert np.isnan(found[i, lag - 1])
