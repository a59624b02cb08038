"""Laws of the overlap figures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.music.score import NOTE, Score
from export.evaluation.overlap import compare, compare_by_style, divergence, halves, overlap
from export.evaluation.statistics import measure

histograms = arrays(np.float64, 12, elements=st.integers(0, 1000)).filter(np.any)


@given(histograms, st.integers(1, 1000))
def test_a_histogram_lies_over_itself_at_any_scale(h, factor):
    assert overlap(h, factor * h) == pytest.approx(1)
    assert divergence(h, factor * h) == pytest.approx(0, abs=1e-12)


@given(histograms, histograms)
def test_both_figures_are_symmetric_and_bounded(a, b):
    assert overlap(a, b) == pytest.approx(overlap(b, a))
    assert divergence(a, b) == pytest.approx(divergence(b, a))
    assert 0 <= overlap(a, b) <= 1 + 1e-12
    assert 0 <= divergence(a, b) <= 1 + 1e-12


def test_known_values():
    left, right = np.array([1.0, 1, 0, 0]), np.array([0, 1.0, 1, 0])
    assert overlap(left, right) == pytest.approx(0.5)
    assert divergence(left, right) == pytest.approx(0.5)
    assert overlap(left, left[::-1]) == 0
    assert divergence(left, left[::-1]) == pytest.approx(1)
    assert np.isnan(divergence(left, np.zeros(4)))


@given(st.integers(0, 50), st.integers(0, 9))
def test_halves_share_nothing_and_miss_nothing(pieces, split):
    first, second = halves(pieces, split)
    assert sorted([*first, *second]) == list(range(pieces))
    assert len(first) - len(second) in (0, 1)
    assert np.array_equal(first, halves(pieces, split)[0])


def walk(seed, low=60, step=2, length=600):
    """A random walk in eighths inside an octave and a half."""
    draws = np.random.Generator(np.random.Philox(key=seed)).integers(-step, step + 1, length)
    pitches = low + np.abs(np.cumsum(draws) % 36 - 18)
    return measure(
        Score(np.array([(12 * i, 12, p, 64, 0) for i, p in enumerate(pitches.tolist())], NOTE))
    )


@pytest.fixture(scope="module")
def real():
    return [walk(seed) for seed in range(10)]


def test_music_of_the_same_source_reaches_the_yardstick(real):
    for row in compare([walk(seed) for seed in range(20, 25)], real):
        if row.yardstick is not None:
            assert row.overlap == pytest.approx(row.yardstick, abs=0.12), row.figure


def test_music_of_another_source_falls_short_of_it(real):
    rows = {r.figure: r for r in compare([walk(s, low=30, step=6) for s in range(5)], real)}
    for name in ("pitch", "interval"):
        assert rows[name].overlap < rows[name].yardstick - 0.2
        assert rows[name].divergence > 0.1
    assert rows["pitch"].composed < rows["pitch"].real - 20
    assert rows["duration"].overlap == pytest.approx(1)


def test_what_cannot_be_told_is_none(real):
    alone = {r.figure: r for r in compare(real[:1], real[:1])}
    assert alone["pitch"].yardstick is None
    assert alone["pitch"].overlap == pytest.approx(1)
    assert alone["pitch class"].composed is None
    nothing = compare([], real)
    assert all(row.overlap is None and row.composed is None for row in nothing)


def test_styles_are_compared_with_their_own_kind(real):
    low = [walk(seed, low=20) for seed in range(10)]
    ours = [walk(50, low=20), walk(51)]
    styles = ["low"] * 10 + ["high"] * 10
    found = compare_by_style(ours, ["low", "high"], low + real, styles)
    assert sorted(found) == ["high", "low"]
    for rows in found.values():
        pitch = next(row for row in rows if row.figure == "pitch")
        assert pitch.overlap > 0.5
    assert not compare_by_style(ours, ["other", "kinds"], low, ["low"] * 10)
