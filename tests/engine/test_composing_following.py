"""What a model does not follow is refused or left out, and has no effect on its notes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from common.errors import BundleError, ControlError, PlanError
from engine.composing.composer import Composer
from engine.composing.following import (
    LEAST,
    asked_in_vain,
    refuse_plan,
    refuse_unfollowed,
    unfollowed,
    without_unfollowed,
)
from engine.composing.setting import setting_of
from engine.controls.controls import CONTROL, Controls
from engine.controls.values import Json
from engine.ensemble.ensemble import Ensemble
from engine.files.control_log import ControlLog, LoggedChange
from engine.library.presets import load_presets
from engine.network.bundle import Specification
from tests.bundles import tiny
from tests.engine.sessions import compose
from tests.fakes import TableNetwork

NOTES, PERFORMANCE = TableNetwork("notes"), TableNetwork("performance")
# Something to ask of what a performance does not follow.
IDLE: dict[str, Json] = {
    "chords": "Am F C G",
    "bars_per_chord": 2,
    "variety": 0.9,
    "parts": [2, 3],
    "counterpoint": 1,
}


def test_notes_follow_all_and_performances_what_they_were_told() -> None:
    assert unfollowed(NOTES.specification) == {}
    refused = {"metre", "grid", "swing", "expression", "pedal", *IDLE}
    assert set(unfollowed(PERFORMANCE.specification)) == refused
    assert refused <= set(CONTROL)


@given(asked=st.sampled_from(["chords", "bars_per_chord", "counterpoint"]), seed=st.integers(0, 99))
@settings(max_examples=12)
def test_chords_that_are_not_followed_change_no_note(asked: str, seed: int) -> None:
    def notes(controls: dict[str, Json]) -> list[object]:
        setting = Controls.from_dict(controls)
        composer = Composer(PERFORMANCE, PERFORMANCE.pool(1), seed, 0, setting)  # type: ignore
        return [bar.notes for bar in compose(composer, 4)]

    assert notes({asked: IDLE[asked], "form": "off"}) == notes({"form": "off"})


@pytest.mark.parametrize("name", sorted(IDLE))
def test_a_hand_is_refused_with_model_control_and_advice(name: str) -> None:
    spec, table = PERFORMANCE.specification, PERFORMANCE.planner_table
    controls = Controls().with_value(name, IDLE[name])
    with pytest.raises(ControlError, match=rf"'table' does not follow {name}, .*: leave it at"):
        refuse_unfollowed(spec, table, controls, [name])
    refuse_unfollowed(spec, table, controls, ["density"])  # it was not the hand that set it
    left, names = without_unfollowed(spec, controls)
    assert (left, names) == (Controls(), (name,))


def test_its_one_part_may_be_named() -> None:
    spec, table = PERFORMANCE.specification, PERFORMANCE.planner_table
    controls = Controls.from_dict({"parts": [1]})
    refuse_unfollowed(spec, table, controls, ["parts"])
    assert without_unfollowed(spec, controls) == (controls, ())


def test_a_part_that_a_model_never_heard_is_refused() -> None:
    network = tiny("gpt")
    spec, table = network.specification, network.planner_table
    asked = Controls.from_dict({"parts": [1, 3]})
    refuse_unfollowed(spec, table, asked, ["parts"])  # nothing was counted: nobody knows
    counted = replace(table, styles=("folk",), part_masks=table.part_masks * 0 + 3)
    with pytest.raises(ControlError, match=r"cannot play part 3, .* among parts 1, 2"):
        refuse_unfollowed(spec, counted, asked, ["parts"])


def test_what_was_measured_counts_and_travels_with_the_bundle() -> None:
    spec = replace(tiny("gpt").specification, follows={"density": 0.97, "chords": LEAST / 2})
    assert set(unfollowed(spec)) == {"chords"}
    assert Specification.from_json(spec.to_json(), "here") == spec
    bare = spec.to_json().replace('"follows": {"chords": 0.1, "density": 0.97}, ', "")
    assert Specification.from_json(bare, "here").follows == {}
    with pytest.raises(BundleError):
        Specification.from_json(spec.to_json().replace("0.97", '"much"'), "here")


def test_the_plan_by_hand_is_refused_where_it_is_not_told() -> None:
    refuse_plan(PERFORMANCE.specification, {3: {"density": 4, "key": 1}})
    for column in ("chord", "half_chord", "echo", "source"):
        refuse_plan(NOTES.specification, {3: {column: 1}})
        with pytest.raises(PlanError, match=f"the plan's {column}"):
            refuse_plan(PERFORMANCE.specification, {3: {column: 1}})


def test_an_ensemble_refuses_a_hand_and_leaves_out_of_a_preset() -> None:
    ensemble = Ensemble(PERFORMANCE)  # type: ignore[arg-type]
    ensemble.join(1, 1, 0)
    composer = ensemble.members[1].composer
    with pytest.raises(ControlError, match="chords"):
        ensemble.change(1, 0, {"chords": "Am F"})
    with pytest.raises(PlanError, match="chord"):
        ensemble.change(1, 0, {}, {2: {"chord": 9}})
    ensemble.change(1, 0, {"chords": "Am F", "density": 3}, by_preset=True)
    assert composer.controls.as_dict() == {"density": 3}


def test_presets_for_another_model_are_played_without_what_it_does_not_follow() -> None:
    with pytest.warns(UserWarning, match="without metre .* and grid .* and parts"):
        music = engine.compose("study", model="performance", bars=1)
    assert not {"metre", "grid", "parts", "expression", "counterpoint"} & set(music.controls)
    with pytest.raises(ControlError, match="does not follow chords"):
        engine.compose("pianist", bars=1, chords="Am F C G")
    with pytest.raises(ControlError, match="does not follow chords"):
        engine.stream("pianist").steer(chords="Am F C G")


def test_presets_for_parts_and_bars_begin_with_a_model_of_neither() -> None:
    spec = PERFORMANCE.specification
    for preset in load_presets().values():
        asked = Controls.from_dict({**preset.controls, "style": None})
        setting_of(without_unfollowed(spec, asked)[0], spec, PERFORMANCE.planner_table, 0.5)


def test_shipped_presets_ask_their_own_model_for_nothing_that_it_does_not_follow() -> None:
    for preset in load_presets().values():
        if preset.model == "performance":
            setting = Controls.from_dict(dict(preset.controls))
            assert without_unfollowed(PERFORMANCE.specification, setting)[1] == ()


def test_a_log_from_before_says_what_was_asked_in_vain() -> None:
    log = ControlLog("m", "0" * 64, 1, 0, controls=Controls.from_dict({"swing": 0.5}))
    log = replace(log, changes=(LoggedChange(2, {"chords": "Am F"}), LoggedChange(4, {"swing": 0})))
    assert asked_in_vain(PERFORMANCE.specification, log) == ("chords", "swing")
    assert asked_in_vain(NOTES.specification, log) == ()
