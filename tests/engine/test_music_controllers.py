"""Level, place, attack and reverb of parts: as controllers, and in files."""

from __future__ import annotations

import io

import mido
import numpy as np
import pytest

from common.errors import ControlError
from engine.controls.controls import Controls
from engine.files.midi import read, write
from engine.music.controllers import (
    Controller,
    attack_value,
    level_value,
    place_value,
    reverb_value,
)
from engine.music.score import DRUMS, NOTE, Score

SCORE = Score(np.array([(0, 24, 60, 80, 0), (0, 24, 38, 80, DRUMS)], NOTE))


def test_ends_and_middle_are_those_of_midi() -> None:
    assert [place_value(place) for place in (-1, 0, 1)] == [1, 64, 127]
    assert [attack_value(attack) for attack in (0, 1)] == [64, 127]
    assert [reverb_value(reverb) for reverb in (0, 0.5, 1)] == [0, 64, 127]
    assert [level_value(level) for level in (0, 99.6, 127)] == [0, 100, 127]


def test_a_file_has_them_before_its_notes_and_where_they_change() -> None:
    turned = [(0, Controller(0, 7, 110)), (0, Controller(DRUMS, 91, 20))]
    turned += [(24, Controller(0, 7, 90)), (24, Controller(1, 10, 9))]
    data = write(SCORE, controllers=turned)
    tracks = [
        [(m.time, *m.bytes()) for m in track if not m.is_meta]
        for track in mido.MidiFile(file=io.BytesIO(data)).tracks[1:]
    ]
    assert tracks == [
        [
            *[(0, 0xB0, 7, 110), (0, 0xC0, 0), (0, 0x90, 60, 80)],
            *[(480, 0xB0, 7, 90), (0, 0x80, 60, 64)],
        ],
        [(0, 0xB9, 91, 20), (0, 0xC9, 0), (0, 0x99, 38, 80), (480, 0x89, 38, 64)],
    ]
    assert read(data).turns == ((0, 0, 7, 110), (0, 9, 91, 20), (480, 0, 7, 90))


def test_a_file_of_which_none_are_asked_for_has_none() -> None:
    assert read(write(SCORE)).turns == ()


def test_one_number_is_that_of_all_parts() -> None:
    one = Controls().with_value("reverb", 0.5)
    assert one.plain("reverb") == 0.5
    assert one.spelled("reverb") == "0.5"
    assert one.reverb == tuple((part, 0.5) for part in range(1, 9))
    some = Controls().with_value("places", "1:-0.5 8:1")
    assert some.plain("places") == {"1": -0.5, "8": 1.0}
    assert Controls().plain("places") is None


@pytest.mark.parametrize("raw", [1.5, "9:0.5", {"1": -0.1}, {"x": 0.5}, "1", True, []])
def test_others_are_refused_with_what_is_taken(raw: object) -> None:
    with pytest.raises(ControlError, match="give a number from 0 to 1 for all parts"):
        Controls().with_value("attack", {"0": 1} if raw == "1" else raw)
