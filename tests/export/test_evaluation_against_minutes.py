"""Presets over many minutes: parts that collapse, and blocks that develop or do not."""

from __future__ import annotations

import json

import numpy as np
import pytest

from common.errors import ConfigError
from engine.controls.controls import Controls
from engine.files.midi import write
from engine.music.score import NOTE, Score
from export.commands import evaluate as evaluate_command
from export.evaluation.against.collapse import DOUBLED, MISSING, SILENT, Fault, affected, faults
from export.evaluation.against.comparing import RealSide
from export.evaluation.against.minutes import level, over_minutes, spread, to_json
from export.evaluation.against.text import minutes_text
from export.evaluation.music import opened, read_music
from export.evaluation.pictures import minutes_picture
from tests.bundles import tiny
from tests.tunes import tune

QUARTER, BAR, BARS = 24, 96, 40
APART, ONE_LINE = (72, 67, 64, 48), (60, 60, 60, 60)


def quartet(
    collapsed: range = range(0), silent: range = range(0), apart: tuple[int, ...] = APART
) -> Score:
    """Four voices in quarters; in some bars all at one pitch, in some without the last."""
    rows = [
        (bar * BAR + beat * QUARTER, QUARTER, pitch, 80, part)
        for bar in range(BARS)
        for beat in range(4)
        for part, pitch in enumerate(ONE_LINE if bar in collapsed else apart)
        if not (part == 3 and bar in silent)
    ]
    return Score(np.array(rows, NOTE))


def test_voices_that_stay_apart_have_no_fault() -> None:
    assert faults(quartet(), range(4)) == []


def test_voices_that_collapse_are_told_with_their_bars() -> None:
    assert faults(quartet(range(10, 16)), range(4)) == [Fault(10, 6, DOUBLED)]
    assert faults(quartet(range(10, 11)), range(4)) == []  # a bar alone


def test_a_bar_counts_once_for_each_fault() -> None:
    found = [Fault(0, 20, MISSING), Fault(10, 20, MISSING), Fault(3, 2, DOUBLED)]
    assert affected(found) == {DOUBLED: 2, MISSING: 30}


def test_a_fifth_of_the_notes_may_be_doubled_and_no_more() -> None:
    five = (72, 67, 64, 55, 55)  # of five notes one
    assert faults(quartet(apart=five), range(5)) == []
    assert faults(quartet(apart=(72, 67, 67, 55)), range(4)) == [Fault(0, BARS, DOUBLED)]


def test_a_part_that_is_silent_for_long_is_missed_if_it_is_asked_for() -> None:
    gone = range(5, 5 + SILENT)
    assert faults(quartet(silent=gone), range(4)) == [Fault(5, SILENT, MISSING)]
    assert faults(quartet(silent=gone), range(3)) == []
    assert faults(quartet(silent=gone[:-1]), range(4)) == []
    held = quartet(silent=gone)
    note = np.array([(5 * BAR, SILENT * BAR, 48, 80, 3)], NOTE)
    assert faults(Score(np.concatenate((held.notes, note))), range(4)) == []
    assert faults(Score(np.array([], NOTE)), range(4)) == []


def test_spread_is_the_distance_from_the_mean() -> None:
    low, high = (
        Score(np.array([(24 * i, 24, pitch, 80, 0) for i in range(16)], NOTE)) for pitch in (60, 67)
    )
    found = spread([level(low), level(high)])
    assert found["register"] == pytest.approx(3.5)
    assert found["density"] == 0
    assert found["pitch classes"] == pytest.approx(np.sqrt(0.5))
    assert spread([level(low), level(high, shift=7)])["pitch classes"] == 0
    assert spread([level(low)])["register"] is None


def test_minutes_are_told_in_every_way(tmp_path) -> None:
    for seed in range(12):
        (tmp_path / f"{seed}.mid").write_bytes(write(tune(seed, 200)))
    network = tiny("gpt")
    with opened(tmp_path, "notes") as dataset:
        real = RealSide(read_music(dataset, "test", dataset.codec, 0, 0))
    fast = Controls().with_values({"tempo": 240, "parts": [1, 2], "density": 1})
    told: list[int] = []
    (row,) = over_minutes(network, {"fast": lambda seed: fast}, real, range(2), 6, told.append)
    assert sum(told) >= 12
    assert row.minutes >= 12
    assert row.streams == 2
    assert all(value is not None for value in row.blocks.values())
    assert set(row.faulty) <= {0, 1}
    assert (row.affected[DOUBLED] > 0) == any(one.fault.what == DOUBLED for one in row.faults)
    assert all(0 <= share <= 1 for share in (*row.affected.values(), *row.real_affected.values()))
    plain = json.loads(to_json([row]))["minutes"][0]
    assert plain["share"].keys() == plain["blocks"].keys() == plain["real"].keys()
    page = minutes_text([row])
    assert all(word in page for word in ("spread of density", "collapse", "fast", "real pieces"))
    assert minutes_picture([row]).startswith(b"\x89PNG")
    again = over_minutes(network, {"fast": lambda seed: fast}, real, range(2), 6)
    assert again == [row]


def test_minutes_need_real_music(tmp_path) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    evaluate_command.add_arguments(parser)
    with pytest.raises(ConfigError, match="--against"):
        evaluate_command.run(parser.parse_args(["default", str(tmp_path), "--minutes", "3"]))
