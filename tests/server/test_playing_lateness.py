"""Percentiles from a histogram are near the true ones, in constant memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.playing.lateness import Lateness


@given(st.lists(st.integers(0, 1 << 40), min_size=1, max_size=200), st.floats(1, 100))
def test_a_percentile_is_true_to_six_percent(values: list[int], percent: float) -> None:
    lateness = Lateness()
    for value in values:
        lateness.record(value)
    rank = lateness.count * percent / 100
    true = next(v for i, v in enumerate(sorted(values), 1) if i >= rank)
    assert true <= lateness.percentile(percent) <= true * (1 + 1 / 16)
    assert (lateness.count, lateness.total) == (len(values), sum(values))
    assert lateness.percentile(100) == lateness.max == max(values)


def test_nothing_recorded_is_nothing_late_and_early_counts_as_on_time() -> None:
    lateness = Lateness()
    assert (lateness.percentile(50), lateness.max) == (0, 0)
    lateness.record(-5)
    assert (lateness.count, lateness.percentile(99), lateness.total) == (1, 0, 0)
