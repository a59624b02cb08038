"""Laws of the controls table and of the value made from it."""

from __future__ import annotations

import dataclasses
import json
import math
import pickle

import pytest
from control_strategies import control_settings, values_of
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import ControlError, PlanError
from common.words import number_text
from engine.controls.controls import (
    CONTROL,
    Controls,
    control_named,
    parse_assignment,
    style_weights,
)
from engine.controls.key import Key
from engine.controls.table import CONTROLS, ROLES
from engine.controls.values import AUTO, MAX_TEXT, Control, finite
from engine.music.harmony import SCALES, TONIC_NAMES
from engine.music.time import Metre

every_control = pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.name)
junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary(max_size=4)
    | st.sampled_from([10**400, -(10**400), "9" * 5000, "1e999", "١", "1_0", "0x10"]),
    lambda inner: st.lists(inner, max_size=13) | st.dictionaries(st.text(max_size=6), inner),
)


def test_the_value_has_exactly_the_controls_of_the_table_in_its_order() -> None:
    assert [field.name for field in dataclasses.fields(Controls)] == [c.name for c in CONTROLS]
    assert len(CONTROL) == len(CONTROLS)


@given(control_settings())
def test_a_setting_is_a_value_that_survives_copying(values: dict[str, object]) -> None:
    controls = Controls.from_dict(values)
    assert type(controls) is Controls
    for copied in (pickle.loads(pickle.dumps(controls)), dataclasses.replace(controls)):
        assert type(copied) is Controls
        assert (copied, hash(copied)) == (controls, hash(controls))


@pytest.mark.parametrize("name", ["tempo", "no_control"])
def test_a_setting_is_never_changed_in_place(name: str) -> None:
    controls = Controls()
    with pytest.raises((AttributeError, TypeError)):
        setattr(controls, name, 90.0)
    with pytest.raises((AttributeError, TypeError)):
        delattr(controls, name)
    assert controls == Controls()


@every_control
def test_rows_are_complete(control: Control) -> None:
    assert control.role in ROLES
    assert control.name.isidentifier()
    assert control.name == control.name.lower()
    assert control.help.endswith(".")
    assert control.per in (None, "field", "part", "style")


@every_control
def test_every_default_is_valid_in_every_form(control: Control) -> None:
    for raw in (
        None,
        AUTO,
        " Auto ",
        control.plain(control.default),
        control.spell(control.default),
    ):
        assert control.parse(raw) == control.default
    assert getattr(Controls(), control.name) == control.default


@every_control
@settings(max_examples=20)
@given(data=st.data())
def test_every_value_survives_json_and_text(control: Control, data: st.DataObject) -> None:
    raw = data.draw(values_of(control))
    value = control.parse(raw)
    assert control.parse(json.loads(json.dumps(control.plain(value)))) == value
    assert control.parse(control.spell(value)) == value
    assert hash(value) == hash(control.parse(raw))


@every_control
@settings(max_examples=20)
@given(raw=junk)
def test_anything_else_is_a_value_or_a_control_error(control: Control, raw: object) -> None:
    try:
        value = control.parse(raw)
    except ControlError as error:
        refusal = str(error)
    else:
        refusal = ""
        assert control.parse(control.plain(value)) == value
        json.dumps(control.plain(value), allow_nan=False)
    assert len(refusal) < 500


@every_control
def test_truth_values_and_overlong_texts_are_refused(control: Control) -> None:
    for raw in (True, False, [True], "1" * (MAX_TEXT + 1), ["x"] * 2000, math.nan, math.inf, b"1"):
        with pytest.raises(ControlError, match=control.name):
            Controls().with_value(control.name, raw)


@pytest.mark.parametrize("control", [c for c in CONTROLS if c.kind.name in ("number", "integer")])
def test_numbers_out_of_range_are_refused_with_the_range(control: Control) -> None:
    edges = control.choices or (control.low, control.high)
    for raw in (edges[0], edges[-1], str(edges[0])):
        assert control.parse(raw) == float(raw)
    for raw in (control.low - 1, control.high + 1, str(control.high + 0.5)):
        with pytest.raises(ControlError) as caught:
            control.parse(raw)
        assert number_text(edges[0]) in str(caught.value)
        assert number_text(edges[-1]) in str(caught.value)


@given(control_settings())
def test_a_setting_survives_its_dictionary(values: dict[str, object]) -> None:
    controls = Controls.from_dict(values)
    assert Controls.from_dict(json.loads(json.dumps(controls.as_dict()))) == controls
    assert Controls.from_dict(json.loads(json.dumps(controls.complete()))) == controls
    assert Controls.from_dict({c.name: controls.spelled(c.name) for c in CONTROLS}) == controls
    assert hash(Controls.from_dict(controls.as_dict())) == hash(controls)
    assert set(controls.as_dict()) <= set(values)


@given(control_settings())
def test_null_brings_every_default_back(values: dict[str, object]) -> None:
    assert Controls.from_dict(values).with_values(dict.fromkeys(values)) == Controls()


def test_setting_leaves_the_value_it_was_made_from_alone() -> None:
    before = Controls()
    after = before.with_value("density", "4")
    assert before.density is None
    assert after.density == 4.0
    assert after.as_dict() == {"density": 4.0}


@every_control
def test_a_mistyped_name_suggests_the_nearest(control: Control) -> None:
    for wrong in (control.name + "x", control.name.upper(), f" {control.name}"):
        with pytest.raises(ControlError, match=f"did you mean '{control.name}'"):
            control_named(wrong)


def test_a_name_like_no_other_lists_them_all() -> None:
    with pytest.raises(ControlError) as caught:
        Controls().with_value("qqqq" * 1000, 1)
    assert all(control.name in str(caught.value) for control in CONTROLS)
    assert len(str(caught.value)) < 1000


def test_a_range_moves_as_a_whole_and_keeps_an_octave() -> None:
    low = Controls.from_dict({"low_pitch": 30, "high_pitch": 50})
    with pytest.raises(ControlError, match="less than an octave"):
        low.with_value("low_pitch", 60)
    moved = low.with_values({"low_pitch": 60, "high_pitch": 71})
    assert (moved.low_pitch, moved.high_pitch) == (60, 71)


@pytest.mark.parametrize(
    ("name", "text", "plain", "value"),
    [
        ("metre", "6/8", "6/8", Metre(6, 8)),
        ("key", "f#m", "F# minor", Key(6, "minor")),
        ("key", "Bb", "Bb major", Key(10, "major")),
        ("key", "d dorian", "D dorian", Key(2, "dorian")),
        ("style", "folk", {"folk": 1.0}, (("folk", 1.0),)),
        ("style", "b:0.3, a: .7", {"b": 0.3, "a": 0.7}, (("a", 0.7), ("b", 0.3))),
        ("parts", "8, 1 1", [1, 8], (1, 8)),
        ("parts", "3", 3, (3,)),
        ("programs", "2:33 1:0", {"1": 0, "2": 33}, ((1, 0), (2, 33))),
        ("chords", " Am  F C G ", ["Am", "F", "C", "G"], "Am F C G"),
        ("low_pitch", "40.0", 40.0, 40),
    ],
)
def test_text_and_json_agree(name: str, text: str, plain: object, value: object) -> None:
    assert CONTROL[name].parse(text) == value
    assert CONTROL[name].parse(plain) == value


def test_a_number_by_field_holds_for_the_others_too() -> None:
    temperature = Controls().with_value("temperature", "0.8 pitch:0.9 delta:1.1").temperature
    assert [temperature.of(f) for f in ("pitch", "delta", "part")] == [0.9, 1.1, 0.8]
    assert Controls().with_value("temperature", "pitch:1") == Controls()


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("metre", "4/3"),
        ("metre", "9" * 400 + "/4"),
        ("key", "H"),
        ("key", "Dm dorian"),
        ("chords", "Am Xyz"),
        ("chords", "A" * 500),
        ("style", {"a": 0}),
        ("style", "a:1 a:2"),
        ("style", {}),
        ("temperature", {"pitch": 9}),
        ("temperature", "1 all:2"),
        ("temperature", "colour:1"),
        ("scale", [0] * 12),
        ("scale", "1 0 1"),
        ("parts", []),
        ("parts", "0 1"),
        ("parts", [1.5]),
        ("programs", {"9": 0}),
        ("programs", {"1": 128}),
        ("programs", "1:0 1.0:5"),
        ("form", "Songs"),
        ("bars_per_chord", 3),
    ],
)
def test_bad_values_name_the_control_and_are_refused(name: str, bad: object) -> None:
    with pytest.raises(ControlError, match=name):
        Controls().with_value(name, bad)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_number_texts_read_back_as_the_same_number(value: float) -> None:
    assert finite(number_text(value)) == value


def test_assignments_split_at_the_first_sign() -> None:
    assert parse_assignment(" key = F# minor ") == ("key", "F# minor")
    assert parse_assignment("chords==") == ("chords", "=")
    for bad in ("density", "=4", ""):
        with pytest.raises(ControlError, match="name=value"):
            parse_assignment(bad)


def test_a_style_mix_is_weighed_over_the_styles_of_a_model() -> None:
    controls = Controls().with_value("style", "folk:1 baroque:3")
    assert style_weights(controls, ["baroque", "jazz", "folk"]) == (0.75, 0.0, 0.25)
    assert style_weights(Controls(), ["baroque", "jazz"]) == (0.0, 0.0)
    with pytest.raises(ControlError, match=r"no style 'folk': did you mean 'folks'\?"):
        style_weights(controls, ["baroque", "folks"])
    with pytest.raises(ControlError, match="set style to auto"):
        style_weights(controls, [])


@given(st.sampled_from(TONIC_NAMES), st.sampled_from([*SCALES]))
def test_keys_survive_their_text(tonic: str, mode: str) -> None:
    key = Key.parse(f"{tonic} {mode}")
    assert str(key) == f"{tonic} {mode}"
    assert Key.parse(str(key).replace(" ", "-").upper()[0] + str(key)[1:]) == key


@given(st.integers(0, 11), st.sampled_from([*SCALES]))
def test_a_key_sounds_its_shift_from_where_it_is_composed(tonic: int, mode: str) -> None:
    key = Key(tonic, mode)
    assert -6 <= key.shift <= 5
    assert (key.home_tonic + key.shift) % 12 == tonic


def test_the_learned_modes_and_the_modes_of_the_white_keys_have_their_places() -> None:
    places = {mode: Key(0, mode).home_tonic for mode in SCALES}
    assert (places["major"], places["minor"]) == (0, 9)
    assert [places[m] for m in ("dorian", "phrygian", "lydian", "mixolydian", "locrian")] == [
        *(2, 4, 5, 7, 11)
    ]
    assert (places["blues"], places["whole tone"]) == (9, 0)


def test_a_wrong_key_names_the_modes() -> None:
    with pytest.raises(PlanError, match="dorian, phrygian"):
        Key.parse("D dorain")
