"""Laws of the watch over rhythm: varied music is left alone, a worn gap is avoided until it is not
alone any more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.controls.controls import Controls
from engine.music.fields import ATTRIBUTES, LENGTHS
from engine.planning.correction import UPRIGHT, Leaning, leaning
from engine.planning.guards import BarSummary, GuardState, nudge, observe, report, retuned
from engine.planning.rhythm import FADE, KEPT, MOST, NO_RHYTHM, RhythmGuard, hear
from engine.representations.codec import codec

BAR = 96
EVEN = tuple(range(0, BAR, 12))
ONSETS = st.lists(st.integers(0, BAR - 1), max_size=12, unique=True).map(lambda x: tuple(sorted(x)))


def played(state: RhythmGuard, bars: int, draw: np.random.Generator, even: float) -> RhythmGuard:
    """So many bars of quavers, of which some are dotted or left out unless all are even."""
    for _ in range(bars):
        steps = [12 if draw.random() < even else int(draw.choice([6, 18, 24])) for _ in range(12)]
        onsets = [0, *np.cumsum(steps).tolist()]
        state = hear(state, tuple(o for o in onsets if o < BAR), BAR)
    return state


def settled(seed: int = 0) -> RhythmGuard:
    return played(RhythmGuard(), 60, np.random.default_rng(seed), 0.6)


@pytest.mark.parametrize("seed", range(4))
def test_varied_music_is_left_alone(seed: int) -> None:
    state, draw = RhythmGuard(), np.random.default_rng(seed)
    for _ in range(1500):
        state = played(state, 1, draw, 0.6)
        assert state.firmness == 0


def test_an_even_run_is_felt_within_bars_and_more_and_more() -> None:
    state, firm = settled(), []
    for _ in range(40):
        state = hear(state, EVEN, BAR)
        firm.append(state.firmness)
    assert firm == sorted(firm)
    assert firm[5] == 0  # a few even bars are music
    assert 0 < firm[24] < firm[-1] <= MOST
    assert state.worn == 12


def test_a_gap_is_forgotten_before_its_weight_is_nothing() -> None:
    """Months of quavers after one crotchet: the entropy of what is remembered stays a number."""
    state = hear(RhythmGuard(), (0, 24, 36), BAR)
    for _ in range(12_000):
        state = hear(state, EVEN, BAR)
    assert state.gaps == ((12, pytest.approx(8 / (1 - FADE))),)
    assert state.entropy == 0


def test_it_lets_go_when_rhythm_is_back() -> None:
    state = settled()
    for _ in range(40):
        state = hear(state, EVEN, BAR)
    state = played(state, 40, np.random.default_rng(3), 0.6)
    assert state.firmness == 0


def test_music_that_is_meant_to_be_even_may_be() -> None:
    state = RhythmGuard()
    for _ in range(400):
        state = hear(state, EVEN, BAR)
        assert state.firmness == 0
    assert state.reference < NO_RHYTHM


def test_what_is_normal_is_not_forgotten_within_a_hundred_even_bars() -> None:
    state = settled()
    before = state.reference
    for _ in range(100):
        state = hear(state, EVEN, BAR)
    assert state.reference > 0.85 * before


def test_gaps_reach_over_bar_lines_and_empty_bars() -> None:
    state = hear(hear(RhythmGuard(), (0, 90), BAR), (), BAR)
    state = hear(state, (6,), BAR)
    assert dict(state.gaps).keys() == {90, 6 + BAR + 6}


def test_a_hand_makes_new_references() -> None:
    state = settled()
    for _ in range(40):
        state = hear(state, EVEN, BAR)
    fresh = state.retuned()
    assert (fresh.firmness, fresh.reference, fresh.bars) == (0, 0, 0)
    assert fresh.gaps == state.gaps


@given(st.lists(ONSETS, max_size=80))
def test_the_state_is_bounded(bars: list[tuple[int, ...]]) -> None:
    state = RhythmGuard()
    for onsets in bars:
        state = hear(state, onsets, BAR)
        assert len(state.gaps) <= KEPT
        assert 0 <= state.firmness <= MOST
        assert 0 <= state.entropy <= np.log2(KEPT) + 1e-9
        assert all(gap > 0 and weight > 0 for gap, weight in state.gaps)


def summary(shape: int, onsets: tuple[int, ...]) -> BarSummary:
    return BarSummary(shape, 4.4, onsets=onsets, length=BAR)


def test_the_guards_count_it_and_pass_it_on() -> None:
    state, draw = GuardState(), np.random.default_rng(5)
    for bar in range(60):
        onsets = tuple(sorted(draw.choice(np.arange(0, BAR, 6), 6, replace=False).tolist()))
        state = observe(state, summary(bar + 1, onsets))
    assert nudge(state).worn == (0, 0.0)
    for bar in range(60):
        state = observe(state, summary(1000 + bar, EVEN))
    gap, firmness = nudge(state).worn
    assert (gap, firmness) == (12, state.rhythm.firmness)
    assert firmness > 1
    assert 0 < report(state)["even_bars"] < 60
    assert nudge(retuned(state)).worn == (0, 0.0)


@pytest.mark.parametrize("gap", [1, 12, 13, 96, 100, 384, 5000])
@pytest.mark.parametrize("name", ["notes", "performance"])
def test_what_leans_away_from_a_gap_weighs_it_less_and_nothing_else(name: str, gap: int) -> None:
    asked = (None,) * len(ATTRIBUTES)
    lean = leaning((0.0,) * len(ATTRIBUTES), asked, asked, (gap, 2.0))
    assert lean == Leaning(worn=(gap, 2.0)) != UPRIGHT
    bias = codec(name).leaning(lean)
    place = [i for i, value in enumerate(bias) if value]
    assert len(place) == (name == "notes" or gap <= 100)
    assert all(bias[i] == -2.0 for i in place)


def test_a_lean_reaches_the_network() -> None:
    from engine.composing.composer import Composer
    from tests.fakes import TableNetwork

    network = TableNetwork("notes")
    composer = Composer(network, network.pool(1), 1, controls=Controls())  # type: ignore[arg-type]
    composer.compose_bar()
    line = composer.lines[-1]
    rhythm = RhythmGuard(0, ((12, 9.0),), 99, 1.5, 3.0)
    composer.begin_at(line._replace(guards=line.guards._replace(rhythm=rhythm)))
    assert composer.finished() is None
    composer.prepare()
    first = sum(field.size for field in composer.codec.fields[:-1])
    deltas = composer.pool.bias[composer.row][first:]
    assert deltas[2 + LENGTHS.index(12)] == pytest.approx(-3.0)
    assert deltas[2 + LENGTHS.index(24)] == 0
