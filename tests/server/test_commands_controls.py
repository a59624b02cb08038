"""`perpetuo controls` says what the table says."""

from __future__ import annotations

import json

import pytest

from engine.controls.controls import CONTROL, Controls
from engine.controls.table import CONTROLS
from server.commands.cli import main


def test_every_control_is_listed_once_under_its_group(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["controls"]) == 0
    group = ""
    listed = []
    for line in capsys.readouterr().out.splitlines():
        assert len(line) <= 80
        if line and not line.startswith(" "):
            group = line
        elif line.startswith("  ") and line[2] != " ":
            name, default = line.split()[:2]
            listed.append((group, name))
            assert CONTROL[name].spell(CONTROL[name].default).startswith(default)
    assert listed == [(control.group, control.name) for control in CONTROLS]


def test_the_json_holds_every_control_and_a_default_that_is_accepted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["controls", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == [control.name for control in CONTROLS]
    assert Controls.from_dict({row["name"]: row["default"] for row in rows}) == Controls()


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.name)
def test_one_control_is_explained(capsys: pytest.CaptureFixture[str], control: object) -> None:
    assert main(["controls", control.name]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert control.help in words
    assert control.form in words
    assert main(["controls", control.name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accepts"] == control.form


def test_an_unknown_control_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["controls", "densty"]) == 1
    assert "did you mean 'density'?" in capsys.readouterr().err


def test_with_a_model_it_says_what_that_one_follows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["controls", "--model", "performance"]) == 0
    followed, refused = capsys.readouterr().out.split("not followed by the model 'performance'")
    assert "\n  density " in followed
    assert "\n  chords " not in followed
    assert "it was never told a chord" in refused
    assert main(["controls", "--model", "default"]) == 0
    assert "follows all of them" in capsys.readouterr().out
    assert main(["controls", "--json", "--model", "performance"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["density"]["follows"]
    assert not rows["chords"]["follows"]
    assert "does not follow chords" in rows["chords"]["why"]
    assert main(["controls", "chords", "--model", "performance"]) == 0
    assert "does not follow chords" in capsys.readouterr().out
