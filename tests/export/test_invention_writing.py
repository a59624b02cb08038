"""The command that writes pieces, and that a dataset is made of them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from export.invention.styles import STYLES
from server.commands.cli import main


def test_the_same_arguments_write_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        assert main(["invent", "-o", str(tmp_path / name), "--pieces", "2", "--seed", "7"]) == 0
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.mid"))
    assert [str(file) for file in files] == sorted(
        f"{style}/{seed:06}.mid" for style in STYLES for seed in (7, 8)
    )
    for file in (*files, Path("MANIFEST.csv")):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes()


def test_a_piece_is_the_same_whatever_is_written_beside_it(tmp_path: Path) -> None:
    assert main(["invent", "-o", str(tmp_path / "a"), "--pieces", "3", "--styles", "lofi"]) == 0
    assert main(["invent", "-o", str(tmp_path / "b"), "--pieces", "1", "--seed", "2"]) == 0
    name = "lofi/000002.mid"
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_dataset_has_the_styles_of_the_folders(tmp_path: Path) -> None:
    music = tmp_path / "music"
    assert main(["invent", "-o", str(music), "--pieces", "20"]) == 0
    with open(music / "MANIFEST.csv", encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    assert {row["style"] for row in rows} == set(STYLES)
    assert all(row["file"].split("/")[0] == row["style"] for row in rows)
    assert {row["licence"] for row in rows} == {"CC0-1.0"}
    options = ["--jobs", "1", "--json", "--min-style-notes", "1"]
    assert main(["data", str(music), "-o", str(tmp_path / "set"), *options]) == 0
    meta = json.loads((tmp_path / "set" / "meta.json").read_text("utf-8"))
    assert meta["styles"] == sorted(STYLES)
    report = json.loads((tmp_path / "set" / "report.json").read_text("utf-8"))
    assert report["notes"] > 1000


def test_folders_alone_are_enough(tmp_path: Path) -> None:
    music = tmp_path / "music"
    assert main(["invent", "-o", str(music), "--pieces", "3", "--styles", "study", "minimal"]) == 0
    (music / "MANIFEST.csv").unlink()
    options = ["--jobs", "1", "--min-style-notes", "1"]
    assert main(["data", str(music), "-o", str(tmp_path / "set"), *options]) == 0
    meta = json.loads((tmp_path / "set" / "meta.json").read_text("utf-8"))
    assert meta["styles"] == ["minimal", "study"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--styles", "minmal"], "did you mean 'minimal'?"),
        (["--pieces", "0"], "--pieces 0: give 1 to"),
        (["--seed", "-1"], "--seed -1: give 0 or more"),
    ],
)
def test_errors_say_what_to_do(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["invent", "-o", str(tmp_path / "new"), *words]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_folder_of_something_else_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.mid").write_bytes(b"")
    assert main(["invent", "-o", str(tmp_path), "--pieces", "1"]) == 1
    assert "choose another name" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.mid"]
