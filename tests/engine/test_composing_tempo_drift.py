"""Laws of the tempo that wanders."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.composing.composer import Composer
from engine.composing.tempo_drift import TempoDrift
from engine.controls.controls import Controls
from engine.files.recording import score_of
from tests.bundles import tiny

KEYS = st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 2**47 - 1), st.integers(0, 2**40))
QUARTERS = st.integers(200_000, 3_000_000)  # 300 to 20 quarters a minute
PERCENT = st.floats(0, 20)


@given(quarter=QUARTERS, key=KEYS)
def test_at_nothing_the_tempo_stays(quarter: int, key: tuple[int, int, int]) -> None:
    seed, stream, bar = key
    assert TempoDrift(seed, stream).drifted(quarter, 0.0, bar) == quarter


@given(quarter=QUARTERS, percent=PERCENT, key=KEYS, before=st.integers(0, 2**40))
def test_it_never_leaves_its_bounds_and_is_always_the_same(
    quarter: int, percent: float, key: tuple[int, int, int], before: int
) -> None:
    seed, stream, bar = key
    tempo_drift = TempoDrift(seed, stream)
    found = tempo_drift.drifted(quarter, percent, bar)
    assert -1 <= tempo_drift.wandering(before) <= 1
    assert found == tempo_drift.drifted(quarter, percent, bar)  # wherever it was asked in between
    assert -1 <= tempo_drift.wandering(bar) <= 1
    assert quarter / (1 + percent / 100) - 1 <= found <= quarter / (1 - percent / 100) + 1


@given(key=KEYS)
def test_it_moves_slowly(key: tuple[int, int, int]) -> None:
    seed, stream, bar = key
    # A full swing each way in twelve and in four bars, as steep as half a cosine is in its middle.
    tempo_drift = TempoDrift(seed, stream)
    assert abs(tempo_drift.wandering(bar + 1) - tempo_drift.wandering(bar)) < 0.37


@pytest.mark.parametrize("seed", range(5))
def test_it_does_wander_to_both_sides_and_averages_nothing(seed: int) -> None:
    heights = [TempoDrift(seed, 0).wandering(bar) for bar in range(1200)]
    assert min(heights) < -0.6
    assert max(heights) > 0.6
    assert abs(sum(heights)) / len(heights) < 0.15
    assert heights != [TempoDrift(seed + 1, 0).wandering(bar) for bar in range(1200)]
    assert heights != [TempoDrift(seed, 1).wandering(bar) for bar in range(1200)]


def test_a_stream_drifts_without_another_note_and_again_after_a_rewind() -> None:
    network = tiny("gpt")
    steady = Composer(network, network.pool(1), 5, controls=Controls())
    free = Composer(network, network.pool(1), 5, controls=Controls().with_value("tempo_drift", 8))
    straight = [steady.compose_bar() for _ in range(8)]
    drifting = [free.compose_bar() for _ in range(8)]
    tempos = [bar.microseconds_per_quarter for bar in drifting]
    assert len(set(tempos)) > 4
    assert [replace(bar, microseconds_per_quarter=600_000) for bar in drifting] == straight
    free.rewind(4)
    again = [free.compose_bar().microseconds_per_quarter for _ in range(4)]
    assert again == tempos[4:]
    assert [tempo for _, tempo in score_of(drifting)[0].tempos] == tempos
