"""How well controls are followed, and how a bundle comes to say so."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import pytest

from common.errors import ConfigError
from engine.composing.following import unfollowed
from engine.controls.controls import Controls
from engine.library.loading import load_network
from engine.music.bars import Bar
from engine.music.harmony import CHORD_TONES
from engine.music.plan import BarPlan
from engine.music.score import DRUMS, Note
from engine.music.time import COMMON_TIME
from export.commands import export as export_command
from export.evaluation.following import chord_shares, follows, read_follows, sounding_progression
from export.evaluation.obedience import Obedience
from tests.bundles import tiny, tiny_bytes

CHORDS = "C F G Am"


def played(progression: tuple[int, ...], part: int = 0) -> list[Bar]:
    """A bar of each chord, struck at its beginning."""
    bars = []
    for index, chord in enumerate(progression):
        start = 96 * index
        tones = [60 + tone for tone in range(12) if CHORD_TONES[chord, tone]]
        notes = tuple(Note(start, 96, pitch, 70, part) for pitch in tones)
        plan = BarPlan()
        bars.append(Bar(index, 0, start, COMMON_TIME, 500_000, notes, (), (0,) * 8, plan, "", 0.0))
    return bars


@pytest.mark.parametrize("key", ["C major", "Eb major", "A minor"])
def test_chords_that_sound_as_asked_are_inside_and_others_are_not(key: str) -> None:
    asked = sounding_progression(Controls.from_dict({"key": key, "chords": CHORDS}))
    inside, others, total = chord_shares(played(asked), asked)
    assert inside == total == 4 * 3 * 96
    assert others < total / 2
    inside, _, _ = chord_shares(played(asked[1:] + asked[:1]), asked)
    assert inside < total / 2
    assert chord_shares(played(asked, DRUMS), asked) == (0, 0, 0)


def test_figures_are_those_of_controls_alone() -> None:
    rows = (Obedience("density", 9, 0.91234, 0.9), Obedience("echo", 9, 0.5, 0.5))
    assert follows(rows, 0.7) == {"density": 0.912, "chords": 0.7, "bars_per_chord": 0.7}
    assert follows((Obedience("density", 2, None, None),), None) == {}


def test_a_bundle_is_told_what_it_follows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, report, told = (tmp_path / name for name in ("a.onnx", "report.json", "b.onnx"))
    bundle.write_bytes(tiny_bytes("gpt"))
    report.write_text(json.dumps({"follows": {"chords": 0.02, "density": 0.9}}))
    parser = argparse.ArgumentParser()
    export_command.add_arguments(parser)
    words = [str(bundle), "--follows", str(report), "-o", str(told)]
    assert export_command.run(parser.parse_args(words)) == 0
    assert "density 0.90" in capsys.readouterr().out
    network = load_network(told)
    assert network.is_sealed
    assert network.planner == tiny("gpt").planner
    expected = replace(tiny("gpt").specification, follows={"chords": 0.02, "density": 0.9})
    assert network.specification == expected
    assert list(unfollowed(network.specification)) == ["chords"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"follows": {"density": "much"}}'])
def test_a_report_without_figures_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="holds no figures"):
        read_follows(path)
