"""Laws of what is kept strictly."""

from __future__ import annotations

import numpy as np
import pytest
from control_strategies import control_settings
from hypothesis import given
from hypothesis import strategies as st

from common.errors import ControlError
from engine.controls.controls import Controls
from engine.music.harmony import SCALES, TONIC_NAMES, chord_name
from engine.music.score import PARTS
from engine.representations.limits import MASKED, key_strength, limits_of, progression_of


def open_pitches(controls: Controls) -> list[int]:
    """The composed pitches that may come."""
    return [p for p, bias in enumerate(limits_of(controls).pitch_bias) if bias > MASKED / 2]


@given(control_settings())
def test_a_pitch_and_a_part_are_always_left_or_the_collision_is_named(
    values: dict[str, object],
) -> None:
    controls = Controls.from_dict(values)
    try:
        limits = limits_of(controls)
    except ControlError as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:
        if "max_rest=" in refusal:
            assert f"grid={controls.grid}" in refusal
            return
        assert f"transpose={controls.transpose}" in refusal
        assert f"low_pitch={controls.low_pitch}" in refusal
        return
    sounding = [p + limits.transposition for p in open_pitches(controls)]
    assert sounding
    assert any(limits.parts_on)
    assert all(controls.low_pitch <= pitch <= controls.high_pitch for pitch in sounding)
    assert np.isfinite(limits.pitch_bias).all()
    assert limits.pitch_bias.dtype == np.float32
    assert limits.max_rest >= 1
    assert limits.max_polyphony >= 1


tonics = st.sampled_from(TONIC_NAMES)


@given(tonics, st.sampled_from([*SCALES]), st.integers(-24, 24))
def test_a_strict_scale_sounds_its_tones_and_no_others(tonic: str, mode: str, shift: int) -> None:
    controls = Controls.from_dict({"key": f"{tonic} {mode}", "key_strength": 1, "transpose": shift})
    transposition = limits_of(controls).transposition
    sounding = {(pitch + transposition) % 12 for pitch in open_pitches(controls)}
    root = TONIC_NAMES.index(tonic) + shift
    assert sounding == {(root + step) % 12 for step in range(12) if SCALES[mode][step]}


@given(tonics, st.sampled_from(["dorian", "phrygian", "lydian", "mixolydian", "locrian"]))
def test_church_modes_are_composed_on_the_white_keys(tonic: str, mode: str) -> None:
    pitches = open_pitches(Controls().with_value("key", f"{tonic} {mode}"))
    assert {pitch % 12 for pitch in pitches} == {0, 2, 4, 5, 7, 9, 11}


@given(tonics, st.lists(st.floats(0, 1), min_size=12, max_size=12).filter(any))
def test_a_free_scale_counts_from_c_in_any_key(tonic: str, weights: list[float]) -> None:
    controls = Controls.from_dict({"key": tonic, "scale": weights})
    limits = limits_of(controls)
    for pitch in open_pitches(controls):
        weight = weights[(pitch + limits.transposition) % 12] / max(weights)
        assert limits.pitch_bias[pitch] == pytest.approx(np.log(weight), rel=1e-5)


def test_the_strength_leads_from_no_bias_to_a_mask() -> None:
    def foreign(strength: object) -> float:
        return float(limits_of(Controls().with_value("key_strength", strength)).pitch_bias[61])

    assert foreign(0) == 0.0
    assert foreign(0.5) == pytest.approx(np.log(0.5))
    assert foreign(1) == MASKED


@pytest.mark.parametrize(
    ("values", "strength"),
    [
        ({}, 0.0),
        ({"key": "Eb minor"}, 0.0),
        ({"key": "D dorian"}, 1.0),
        ({"scale": [1] * 12}, 1.0),
        ({"key": "D dorian", "key_strength": 0.25}, 0.25),
    ],
)
def test_an_open_strength_is_strict_where_a_scale_was_asked_for(
    values: dict[str, object], strength: float
) -> None:
    assert key_strength(Controls.from_dict(values)) == strength


def test_parts_are_counted_from_one() -> None:
    assert limits_of(Controls()).parts_on == (True,) * PARTS
    on = limits_of(Controls().with_value("parts", "1 8")).parts_on
    assert on == (True, *(False,) * 6, True)


def test_the_longest_rest_is_in_ticks() -> None:
    assert limits_of(Controls().with_value("max_rest", 2.5)).max_rest == 60


def test_limits_may_be_shared() -> None:
    with pytest.raises(ValueError, match="read-only"):
        limits_of(Controls()).pitch_bias[0] = 0.0


def test_settings_that_leave_no_pitch_are_refused_by_name() -> None:
    high = {"low_pitch": 116, "high_pitch": 127, "transpose": -24}
    with pytest.raises(ControlError, match=r"low_pitch=116.*key=F# major.*transpose=-24"):
        limits_of(Controls.from_dict({**high, "key": "F#"}))
    thin = {"low_pitch": 113, "high_pitch": 124, "transpose": -14, "scale": [0, 1] + [0] * 10}
    with pytest.raises(ControlError, match=r"scale=0 1 0.*key_strength=auto"):
        limits_of(Controls.from_dict(thin))


@pytest.mark.parametrize(
    ("key", "chords", "composed"),
    [
        ("C", "I vi IV V7", "C Am F G7"),
        ("D", "I vi IV V7", "C Am F G7"),
        ("D", "D Bm G A7", "C Am F G7"),
        ("F# minor", "i VI F#m C#7", "Am F Am E7"),
        ("G dorian", "i IV", "Dm G"),
        ("C", "auto", ""),
    ],
)
def test_progressions_are_brought_to_where_they_are_composed(
    key: str, chords: str, composed: str
) -> None:
    controls = Controls.from_dict({"key": key, "chords": chords, "transpose": 5})
    assert " ".join(map(chord_name, progression_of(controls))) == composed
