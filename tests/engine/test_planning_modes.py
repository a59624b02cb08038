"""Laws of chords that fit a scale."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.composing.setting import setting_of
from engine.controls.controls import Controls
from engine.controls.key import LEARNED_MODES, Key
from engine.music.fields import CHORDS, FIRST_CHORD
from engine.music.harmony import CHORD_CLASSES, SCALES, chord_id, chord_parts
from engine.planning.modes import fitted
from tests.fakes import TableNetwork

TABLE = TableNetwork()
SCALE = st.lists(st.booleans(), min_size=12, max_size=12).map(tuple)


@given(SCALE)
def test_a_chord_that_fits_is_itself_and_others_keep_their_root_or_are_left_out(
    scale: tuple[bool, ...],
) -> None:
    found = fitted(scale).tolist()
    assert len(found) == CHORDS
    assert found[:FIRST_CHORD] == [0] * FIRST_CHORD
    for chord in range(FIRST_CHORD, CHORDS):
        if all(scale[tone] for tone in CHORD_CLASSES[chord]):
            assert found[chord] == chord
        elif found[chord]:
            assert all(scale[tone] for tone in CHORD_CLASSES[found[chord]])
            assert chord_parts(found[chord])[0] == chord_parts(chord)[0]


def test_dorian_has_a_minor_dominant_and_lydian_no_subdominant() -> None:
    white = tuple(weight == 1 for weight in SCALES["major"])
    found = fitted(white)
    assert found[chord_id(9, "maj")] == chord_id(9, "min")  # the dominant of D dorian
    assert found[chord_id(7, "7")] == chord_id(7, "7")
    assert found[chord_id(11, "maj")] == chord_id(11, "dim")
    assert found[chord_id(10, "maj")] == 0  # Bb, on which F lydian has nothing


@pytest.mark.parametrize("mode", SCALES)
@pytest.mark.parametrize("tonic", [0, 6])
def test_home_is_the_tonic_of_the_mode_where_it_is_composed(mode: str, tonic: int) -> None:
    controls = Controls(key=Key(tonic, mode))
    spec, table = TABLE.specification, TABLE.planner_table
    asked = setting_of(controls, spec, table, 0.5).asked(0, ())
    assert asked.tonic == controls.key.home_tonic
    assert bool(asked.scale) == (mode not in LEARNED_MODES)
    if asked.scale:
        assert asked.scale[controls.key.home_tonic]
        assert sum(asked.scale) == sum(weight > 0 for weight in SCALES[mode])
