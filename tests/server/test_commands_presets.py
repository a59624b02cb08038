"""`perpetuo presets`, and `perpetuo compose --preset`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.controls.controls import Controls
from engine.files.control_log import read as read_log
from engine.library import DEFAULT_SEED
from engine.library.presets import load_presets
from server.commands.cli import main
from tests.bundles import STYLES, tiny_bytes


def test_every_preset_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["presets"]) == 0
    text = capsys.readouterr().out
    names = [line.split()[0] for line in text.splitlines() if not line.startswith(" ")]
    assert names == list(load_presets())
    assert main(["presets", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == names
    for row in rows:
        assert Controls.from_dict(row["controls"]) == Controls.from_dict(
            load_presets()[row["name"]].controls
        )


def test_one_preset_shows_what_it_sets(capsys: pytest.CaptureFixture[str]) -> None:
    study = load_presets()["study"]
    assert main(["presets", "study"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == study.title
    told = lines.index(f"By seed: {', '.join(study.by_seed.names)}.")
    shown = dict(line.split(maxsplit=1) for line in lines[:told] if line.startswith("  "))
    assert Controls().with_values(shown) == Controls.from_dict(study.controls)
    assert main(["presets", "study", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["controls"] == study.controls
    assert row["by_seed"] == list(study.by_seed.names)


def test_what_the_seed_chooses_from_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        'title = "O"\nhelp = "O."\n[controls]\nswing = 1\n[by_seed]\nkey = ["C", "D minor"]\n'
        'parts = { "1 2" = 2 }\n[[by_seed.sets]]\nmetre = "3/4"\ntempo = { from = 50, to = 60 }\n'
    )
    assert main(["presets", str(own)]) == 0
    assert capsys.readouterr().out.splitlines()[3:] == [
        "  swing  1",
        "",
        "By seed: tempo, metre, key, parts.",
        "- key: C major or D minor",
        "- parts: 1 2",
        "- metre 3/4, tempo 50 to 60",
    ]


def test_a_wrong_name_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["presets", "studi"]) == 1
    assert "did you mean 'study'?" in capsys.readouterr().err


def composed(tmp_path: Path, *words: str) -> Controls:
    """The controls that these words compose under."""
    model, log = tmp_path / "tiny.onnx", tmp_path / "out.log"
    model.write_bytes(tiny_bytes("gpt"))
    given = ["--model", str(model), "--bars", "2", "--force", "--log", str(log)]
    assert main(["compose", *given, "-o", str(tmp_path / "out.mid"), *words]) == 0
    return read_log(log.read_bytes()).controls


def test_a_preset_is_composed_under_and_what_is_set_by_hand_goes_before(tmp_path: Path) -> None:
    ragtime = load_presets()["ragtime"]
    fitting = Controls.from_dict(ragtime.of(DEFAULT_SEED).fitting(STYLES))
    assert fitting.style == ()
    assert composed(tmp_path, "--preset", "ragtime") == fitting
    overrides = ("--set", "tempo=44", "--set", "style=calm")
    expected = fitting.with_values({"tempo": 44, "style": "calm"})
    assert composed(tmp_path, "--preset", "ragtime", *overrides) == expected
    assert composed(tmp_path, *overrides, "--preset", "ragtime") == expected
    other = Controls.from_dict(ragtime.of(5).fitting(STYLES))
    assert composed(tmp_path, "--preset", "ragtime", "--seed", "5") == other != fitting


def test_a_file_of_ones_own_is_a_preset_too(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('title = "O"\nhelp = "O."\n[controls]\nstyle = { calm = 2, none = 1 }\n')
    assert composed(tmp_path, "--preset", str(own)).style == (("calm", 2.0),)


def test_a_wrong_preset_leaves_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out.mid"
    assert main(["compose", "--preset", "ragtyme", "-o", str(output)]) == 1
    assert "did you mean 'ragtime'?" in capsys.readouterr().err
    assert not output.exists()
