"""A control far outside what a style knows gives no clusters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.composing.composer import Composer
from engine.composing.setting import setting_of
from engine.controls.controls import OCTAVE, Controls
from engine.controls.values import Json
from engine.library.bars import open_model
from engine.library.presets import load_presets
from engine.music.bars import Bar
from engine.music.score import as_array
from engine.representations.limits import APART, MASKED, asked_register, limits_of, register_room
from engine.representations.performance import OFF, ON, PerformanceCursor
from tests.fakes import TableNetwork

RUBBING = 0.05  # semitones that sound together, of all that sounds: what it plays at its ease
FAR_OUT: dict[str, Json] = {"density": 10, "low_pitch": 60}


def rubbing(bars: list[Bar]) -> float:
    """Semitones that sound together, by how long, as a share of all that sounds."""
    notes = as_array([note for bar in bars for note in bar.notes])
    start, stop = notes["onset"].astype(int), notes["onset"].astype(int) + notes["duration"]
    together = np.minimum.outer(stop, stop) - np.maximum.outer(start, start)
    apart = np.abs(np.subtract.outer(notes["pitch"].astype(int), notes["pitch"].astype(int)))
    return float(together[(apart == 1) & (together > 0)].sum() / 2 / (stop - start).sum())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_pianist_that_is_pressed_plays_no_clusters(seed: int) -> None:
    network = open_model("performance")
    controls = Controls.from_dict({**load_presets()["pianist"].controls, **FAR_OUT})
    composer = Composer(network, network.pool(1), seed, 0, controls)
    bars = [composer.compose_bar() for _ in range(24)]
    assert rubbing(bars) < RUBBING
    densities = [len(bar.notes) / bar.metre.quarters for bar in bars[12:]]
    assert np.mean(densities) > 3  # twice what it plays at its ease


def test_where_there_is_room_nothing_is_kept_apart() -> None:
    assert limits_of(Controls()).apart == 0
    for preset in load_presets().values():
        if preset.model == "performance":
            assert limits_of(Controls.from_dict(dict(preset.controls))).apart == 0
    assert limits_of(Controls.from_dict({"low_pitch": 60, "high_pitch": 90})).apart == APART


@given(
    low=st.integers(0, 127 - OCTAVE),
    width=st.integers(OCTAVE, 127),
    register=st.none() | st.floats(36, 96),
    polyphony=st.none() | st.floats(1, 8),
)
def test_a_register_is_asked_for_where_its_voices_have_room(
    low: int, width: int, register: float | None, polyphony: float | None
) -> None:
    high = min(127, low + width)
    controls = Controls.from_dict(
        {"low_pitch": low, "high_pitch": high, "register": register, "polyphony": polyphony}
    )
    asked, (lowest, highest) = asked_register(controls), register_room(controls)
    assert low < lowest <= highest < high
    if register is None or asked is None:
        assert asked is register is None
    else:
        assert low <= asked <= high
        assert asked == register or not lowest < register < highest


def test_planned_registers_stay_where_the_range_leaves_room() -> None:
    network = TableNetwork(haste=1.2)
    controls = Controls.from_dict({"low_pitch": 72, "high_pitch": 96})
    composer = Composer(network, network.pool(1), 1, 0, controls)
    setting = setting_of(controls, network.specification, network.planner_table, 0.0)
    lowest, highest = setting.register_room
    for _ in range(12):
        level = composer.compose_bar().plan.register
        assert int(lowest) <= level <= int(highest) + 1


@given(held=st.sets(st.integers(40, 80), min_size=1, max_size=5), apart=st.floats(0.5, 5))
def test_what_rubs_is_leaned_against_and_let_go(held: set[int], apart: float) -> None:
    limits = limits_of(Controls())
    rows = []
    for rule in (limits, replace(limits, apart=apart)):
        cursor = PerformanceCursor(0)
        for pitch in sorted(held):
            cursor.take(ON + pitch)
        cursor.take(OFF + 128)  # a tick passes
        bias = np.zeros(512, np.float32)
        bias[OFF : OFF + 128] = MASKED
        bias[ON : ON + 128] = limits.pitch_bias
        cursor.enter_bar(0, 192)
        cursor.constrain(bias, rule)
        rows.append(bias)
    plain, kept = rows
    for pitch in range(21, 109):
        nearest = min(abs(pitch - other) for other in held)
        assert (kept[ON + pitch] < plain[ON + pitch]) == (0 < nearest <= 2)
        if pitch in held:
            rubs = any(0 < abs(pitch - other) <= 2 for other in held)
            assert (kept[OFF + pitch] > plain[OFF + pitch]) == rubs
