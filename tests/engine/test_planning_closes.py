"""Laws of the chords that phrases close with."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.composing.composer import Composer
from engine.controls.controls import Controls
from engine.controls.key import Key
from engine.music.fields import CHORDS
from engine.music.harmony import chord_id, chord_parts
from engine.music.plan import BarPlan
from engine.planning.closes import of_close
from engine.planning.form import FormBar
from engine.planning.form_state import AUTHENTIC, DECEPTIVE, HALF, NO_CLOSE
from tests.fakes import TableNetwork

TABLE = TableNetwork()
WEIGHTS = arrays(np.float64, CHORDS, elements=st.floats(0, 1))
CLOSES = st.sampled_from([HALF, DECEPTIVE, AUTHENTIC])
TONIC = (chord_id(0, "maj"), chord_id(9, "min"))
DOMINANTS = (
    {chord_id(7, "maj"), chord_id(7, "7")},
    {chord_id(4, "maj"), chord_id(4, "7")},
)
LEADING = tuple(
    DOMINANTS[minor] | {(chord_id(5, "maj"), chord_id(2, "min"))[minor]} for minor in (0, 1)
)


def found(weights: np.ndarray) -> set[int]:
    return set(np.flatnonzero(weights).tolist())


@given(WEIGHTS, st.booleans(), st.integers(0, 1))
def test_a_full_close_arrives_on_the_tonic_whatever_the_style_does(
    weights: np.ndarray, minor: bool, half: int
) -> None:
    assert found(of_close(weights, AUTHENTIC, 0, half, minor)) == {TONIC[minor]}


@given(WEIGHTS, st.booleans(), CLOSES)
def test_it_is_led_to_by_the_dominant_and_now_and_then_by_the_subdominant(
    weights: np.ndarray, minor: bool, close: int
) -> None:
    led = of_close(weights, close, 1, 1, minor)
    if close == HALF:
        assert led.any() == weights.any()
        assert not found(led) & DOMINANTS[minor] or found(weights) <= DOMINANTS[minor]
        return
    assert found(led) <= LEADING[minor]
    dominant = sum(led[chord] for chord in DOMINANTS[minor])
    assert dominant >= 0.85 * led.sum() * (1 - 1e-9)


@given(WEIGHTS, st.booleans())
def test_a_half_close_stands_on_the_dominant_and_a_deceptive_one_not_on_the_tonic(
    weights: np.ndarray, minor: bool
) -> None:
    for half in (0, 1):
        assert found(of_close(weights, HALF, 0, half, minor)) <= DOMINANTS[minor]
        deceived = found(of_close(weights, DECEPTIVE, 0, half, minor))
        assert deceived
        assert TONIC[minor] not in deceived
        assert not deceived & DOMINANTS[minor]


@given(WEIGHTS, st.booleans(), CLOSES, st.integers(1, 7), st.integers(0, 1))
def test_before_that_styles_have_their_way(
    weights: np.ndarray, minor: bool, close: int, left: int, half: int
) -> None:
    if (left, half) != (1, 1):
        assert of_close(weights, close, left, half, minor) is weights


# -- in the plans of a stream -------------------------------------------------------------------

MODES = ("major", "minor", "dorian", "mixolydian", "lydian")


@cache
def planned(mode: str, form: str) -> list[tuple[FormBar, BarPlan, BarPlan]]:
    """What the form asked of bars, their plans and those before them, wherever the bar before has
    the home key too; none that were echoed, for those bring back what they had."""
    rows = []
    for seed in range(4):
        controls = Controls.from_dict({"key": f"F# {mode}", "form": form, "section_bars": 16})
        composer = Composer(TABLE, TABLE.pool(1), seed, 0, controls)  # type: ignore[arg-type]
        home, before = composer.setting.asked(0, ()).home, None
        for _ in range(96):
            line = composer.lines[-1]
            section = composer.plan_ahead.form_of(line.planned_as, line.form, composer.setting.form)
            plan = composer.compose_bar().plan
            if before and before.key == plan.key == home and not section.echo:
                rows.append((section, plan, before))
            before = plan
    return rows


def steps(mode: str, chord: int) -> int:
    """Semitones of a chord's root above the tonic of the mode."""
    return (chord_parts(chord)[0] - Key(6, mode).home_tonic) % 12


@pytest.mark.parametrize("form", ["phrases", "song"])
@pytest.mark.parametrize("mode", MODES)
def test_the_chords_of_a_close_arrive_in_every_mode(mode: str, form: str) -> None:
    tonics = led = deceived = half_closes = 0
    for section, plan, before in planned(mode, form):
        if section.close == NO_CLOSE or section.left:
            continue
        root = steps(mode, plan.chord)
        if section.close == AUTHENTIC:
            assert root == steps(mode, plan.half_chord) == 0
            assert before.half_chord, "what leads to a close is told"
            assert steps(mode, before.half_chord) in (5, 7)
            tonics += 1
            led += steps(mode, before.half_chord) == 7
        elif section.close == DECEPTIVE:
            assert root != 0
            deceived += 1
        else:
            assert root == 7
            half_closes += 1
    assert tonics >= 5
    assert led >= 0.5 * tonics
    assert half_closes + deceived > 0


@pytest.mark.parametrize("mode", MODES[2:])
def test_chords_keep_to_the_scale_of_a_mode(mode: str) -> None:
    scale = Key(Key(0, mode).home_tonic, mode).scale
    for _, plan, _ in planned(mode, "phrases"):
        for chord in (plan.chord, plan.half_chord):
            if chord > 1:
                root, _ = chord_parts(chord)
                assert scale[root] == 1


@pytest.mark.parametrize("mode", MODES)
def test_the_tonic_of_the_mode_is_the_chord_of_most_closes(mode: str) -> None:
    closes = Counter(
        steps(mode, plan.chord)
        for section, plan, _ in planned(mode, "phrases")
        if section.close != NO_CLOSE and section.left == 0
    )
    assert closes.most_common(1)[0][0] == 0
    assert closes[0] > 0.4 * closes.total()
