"""Making datasets of small folders of generated music."""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from common.errors import DatasetError, OutputError
from engine.controls.key import HOME_MAJOR, HOME_MINOR, Key
from engine.files.midi import read, to_score, write
from engine.music.analysis import analyse
from engine.music.score import Score, note_order
from engine.representations.codec import codec
from export.commands import data as data_command
from export.data.build import DatasetOptions, build, temporary_dataset
from export.data.dataset import Dataset
from export.data.sources import SPLITS
from tests.tunes import tune


def moved(score: Score, semitones: int, stretch: int = 1) -> Score:
    notes = score.notes.copy()
    notes["pitch"] = notes["pitch"].astype(int) + semitones
    notes["onset"] *= stretch
    notes["duration"] *= stretch
    return replace(score, notes=notes)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Two folders of twelve tunes, and files that are no music."""
    folder = tmp_path / "music"
    for i, style in enumerate(("Folk", "Rag Time")):
        (folder / style).mkdir(parents=True)
        for j in range(12):
            (folder / style / f"{j:02}.mid").write_bytes(write(tune(100 * i + j)))
    (folder / "Folk" / "bad.mid").write_bytes(b"no music")
    (folder / "Folk" / "empty.mid").write_bytes(b"")
    (folder / "Folk" / "bad.xml").write_bytes(b"<score-partwise><part></score-partwise>")
    (folder / "Folk" / "short.mid").write_bytes(write(tune(7, 8)))
    (folder / "readme.txt").write_text("not looked at")
    return folder


@pytest.fixture(scope="module")
def sound_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    for i in range(3):
        (folder / f"{i}.mid").write_bytes(write(tune(i)))
    build([folder], folder / "set", DatasetOptions())
    return folder / "set"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".png"}


def test_a_dataset_holds_every_piece_as_the_codec_encodes_it(music: Path, tmp_path: Path) -> None:
    build([music], tmp_path / "set", DatasetOptions())
    data = Dataset.open(tmp_path / "set")
    names = [line.split("\t")[0] for line in (tmp_path / "set/pieces.tsv").read_text().splitlines()]
    assert len(data.pieces) == 24
    assert data.style_names == ("folk", "rag-time")
    for name, piece in zip(names[1:], data.pieces, strict=True):
        analysis = analyse(to_score(read((music / name).read_bytes())))
        encoded = codec("notes").encode(analysis)
        rows = slice(piece["start"], piece["start"] + piece["count"])
        bars = slice(piece["first_bar"], piece["first_bar"] + piece["bar_count"])
        assert (data.events[rows] == encoded.events).all()
        assert (data.context[rows] == encoded.context).all()
        assert (data.onsets[rows] == encoded.onsets).all()
        assert (data.bars[rows] - piece["first_bar"] == encoded.bars).all()
        assert (data.pitch_classes[bars] == analysis.pitch_classes).all()
        assert (data.plans[bars, 0] == analysis.plans["key"]).all()
        assert piece["transposed"] == -analysis.shift
        assert piece["parts"] == 3


def test_bad_files_are_listed_with_their_reason(music: Path, tmp_path: Path) -> None:
    figures = build([music], tmp_path / "set", DatasetOptions())
    reasons = {Path(row["file"]).name: row["reason"] for row in figures["left_out"]}
    assert sorted(reasons) == ["bad.mid", "bad.xml", "empty.mid", "short.mid"]
    assert "no MIDI file" in reasons["bad.mid"]
    assert "bad XML" in reasons["bad.xml"]
    assert "too short" in reasons["short.mid"]
    assert "bad.xml: bad XML" in (tmp_path / "set/report.txt").read_text()
    assert json.loads((tmp_path / "set/report.json").read_text()) == figures


def test_a_report_tells_what_the_pieces_to_learn_from_are(music: Path, tmp_path: Path) -> None:
    """Of each style the shares of keys, metres and parts, as they were before the home key."""
    figures = build([music], tmp_path / "set", DatasetOptions())
    data = Dataset.open(tmp_path / "set")
    for style, traits in figures["traits"].items():
        wanted = data.style_names.index(style)
        pieces = data.pieces[data.pieces_of("train")]
        pieces = pieces[pieces["style"] == wanted]
        assert traits["minor"] == pytest.approx(pieces["minor"].mean(), abs=0.001)
        for name, share in traits["keys"].items():
            key = Key.parse(name)
            home = np.where(pieces["minor"] > 0, HOME_MINOR, HOME_MAJOR)
            same = (home + pieces["transposed"]) % 12 == key.tonic
            same &= (pieces["minor"] > 0) == key.minor
            assert share == pytest.approx(same.mean(), abs=0.001)
        assert traits["metres"] == {"4/4": 1.0}
        assert traits["parts"] == {"1 2": 1.0}
    text = (tmp_path / "set/report.txt").read_text()
    assert "  metres  4/4 100%\n" in text
    assert set(figures["traits"]) == {"folk", "rag-time"}


def test_the_result_does_not_depend_on_the_number_of_processes(music: Path, tmp_path: Path) -> None:
    build([music], tmp_path / "one", DatasetOptions(jobs=1))
    build([music], tmp_path / "two", DatasetOptions(jobs=2))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_copies_go_also_transposed_in_other_values_and_as_a_part(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    long = tune(1, 200)
    begins = replace(long, notes=long.notes[: len(long.notes) // 2])
    variants = {
        "0-copy": tune(5),
        "1-tune": tune(5),
        "2-higher": moved(tune(5), 5),
        "3-slower": moved(tune(5), -3, 2),
        "4-other": tune(6),
        "5-begins": begins,
        "6-long": long,
    }
    for name, score in variants.items():
        (folder / f"{name}.mid").write_bytes(write(score))
    figures = build([folder], tmp_path / "set", DatasetOptions())
    dropped = {row["dropped"]: row["same_as"] for row in figures["duplicates"]}
    assert dropped == {
        "1-tune.mid": "0-copy.mid",
        "2-higher.mid": "0-copy.mid",
        "3-slower.mid": "0-copy.mid",
        "5-begins.mid": "6-long.mid",
    }
    assert figures["pieces"] == 3


def test_related_pieces_share_a_split(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    for i in range(24):
        shared = tune(i, 120)
        for name in "xy":
            alone = tune(1000 + 2 * i + (name == "y"), 80)
            alone.notes["onset"] += shared.end
            notes = note_order(np.concatenate((shared.notes, alone.notes)))
            (folder / f"{i:02}{name}.mid").write_bytes(write(replace(shared, notes=notes)))
    build([folder], tmp_path / "set", DatasetOptions())
    data = Dataset.open(tmp_path / "set")
    assert len(data.pieces) == 48
    assert (data.pieces["split"][::2] == data.pieces["split"][1::2]).all()
    assert len(np.unique(data.pieces["split"])) > 1
    assert sorted(np.concatenate([data.pieces_of(s) for s in SPLITS])) == list(range(48))


def test_a_manifest_tells_style_split_and_velocity(music: Path, tmp_path: Path) -> None:
    rows = ["file,style,velocity,split,dataset,licence,title,dup_group,note"]
    for i in range(12):
        split = ("train", "valid", "test")[i % 3]
        velocity = ("flat", "expressive")[i % 2]
        rows.append(f"Folk/{i:02}.mid,Romanticism,{velocity},{split},songs,CC0,T{i},{i},")
        rows.append(f"Rag Time/{i:02}.mid,Rag,expressive,train,rags,CC-BY,R,,maintainer: Ada")
    rows.append("Folk/gone.mid,Folk,flat,train,songs,CC0,T,,")
    (music / "MANIFEST.csv").write_text("\n".join(rows))
    figures = build([music], tmp_path / "set", DatasetOptions())
    data = Dataset.open(tmp_path / "set")
    assert data.style_names == ("ragtime", "romantic")
    songs = data.pieces[data.pieces["style"] == 1]
    assert songs["split"].tolist() == [0, 1, 2] * 4
    assert songs["velocity"].tolist() == [0, 1] * 6
    velocities = [f.name for f in data.codec.fields].index("velocity")
    for piece in songs:
        column = data.events[piece["start"] : piece["start"] + piece["count"], velocities]
        assert column.any() == bool(piece["velocity"])
    assert data.card["credits"] == ["Ada"]
    assert {s["name"]: s["licences"] for s in data.card["sources"]} == {
        "rags": ["CC-BY"],
        "songs": ["CC0"],
    }
    assert {"file": "Folk/gone.mid", "reason": "named in the manifest, but not there"} in figures[
        "left_out"
    ]
    without = build([music], tmp_path / "less", DatasetOptions(exclude=("rags",)))
    assert list(without["styles"]) == ["romantic"]


def test_flat_velocities_are_left_open_without_a_manifest(tmp_path: Path) -> None:
    score = tune(1)
    score.notes["velocity"] = 64
    (tmp_path / "a.mid").write_bytes(write(score))
    with temporary_dataset([tmp_path / "a.mid"], "notes") as data:
        assert data.pieces["velocity"].tolist() == [0]
        assert not data.context[:, data.context_names.index("dynamics")].any()
        assert data.pieces_of("test").tolist() == [0]


def test_the_performance_representation_is_stored_as_well(music: Path, tmp_path: Path) -> None:
    build([music], tmp_path / "set", DatasetOptions(representation="performance"))
    data = Dataset.open(tmp_path / "set")
    assert data.codec.name == "performance"
    assert data.events.max() < data.codec.fields[0].size
    assert len(data.events) == data.pieces["count"].sum()


def test_an_existing_dataset_is_replaced_only_when_asked(music: Path, tmp_path: Path) -> None:
    target = tmp_path / "set"
    build([music / "Folk"], target, DatasetOptions())
    before = contents(target)
    with pytest.raises(OutputError, match="--force"):
        build([music], target, DatasetOptions())
    assert contents(target) == before
    build([music], target, DatasetOptions(force=True))
    assert len(Dataset.open(target).pieces) == 24
    with pytest.raises(OutputError, match="something else"):
        build([music], music, DatasetOptions(force=True))


def test_a_failed_run_leaves_nothing_behind(music: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no files of music"):
        build(
            [tmp_path / "music" / "readme.txt"],
            tmp_path / "set",
            DatasetOptions(exclude=("music",)),
        )
    with pytest.raises(DatasetError, match="none of 4 files"):
        build([music / "Folk" / n for n in ("bad.mid", "bad.xml", "empty.mid", "short.mid")],
              tmp_path / "set", DatasetOptions())  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["music"]


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda set_: (set_ / "meta.json").unlink(), "no prepared dataset"),
        (lambda set_: (set_ / "meta.json").write_text("{"), "damaged"),
        (lambda set_: (set_ / "meta.json").write_text("[]"), "damaged"),
        (lambda set_: (set_ / "meta.json").write_text('{"version": 99}'), "version 99"),
        (lambda set_: (set_ / "meta.json").write_text('{"version": 1}'), "lacks 'representation'"),
        (lambda set_: (set_ / "events.npy").unlink(), "events.npy"),
        (lambda set_: (set_ / "events.npy").write_bytes(b""), "events.npy"),
        (lambda set_: (set_ / "bars.npy").write_bytes(b"xyz"), "damaged"),
        (lambda set_: np.save(set_ / "onsets.npy", np.zeros(3, np.int32)), "onsets has 3 rows"),
        (
            lambda set_: np.save(set_ / "bars.npy", np.zeros((3, 2), np.int32)),
            "bars.npy has rows of",
        ),
        (lambda set_: np.save(set_ / "pieces.npy", np.zeros(3)), "pieces"),
    ],
)
def test_a_damaged_dataset_is_named(sound_set: Path, tmp_path: Path, break_it, message) -> None:  # type: ignore[no-untyped-def]
    shutil.copytree(sound_set, tmp_path / "set")
    break_it(tmp_path / "set")
    with pytest.raises(DatasetError, match=message):
        Dataset.open(tmp_path / "set")


def test_the_command_prints_a_summary_or_json(
    music: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    data_command.add_arguments(parser)
    common = [str(music), "--jobs", "1", "--styles", "rag-time=ragtime"]
    args = parser.parse_args([*common, "-o", str(tmp_path / "a")])
    assert data_command.run(args) == 0
    assert "24 pieces" in capsys.readouterr().out
    args = parser.parse_args([*common, "-o", str(tmp_path / "b"), "--json", "--min-notes", "66"])
    assert data_command.run(args) == 0
    figures = json.loads(capsys.readouterr().out)
    assert list(figures["styles"]) == ["folk", "ragtime"]
    assert (tmp_path / "b/report.png").stat().st_size > 0


@pytest.mark.parametrize("count", [3, 5, 9])
def test_a_small_set_has_something_in_every_split(tmp_path: Path, count: int) -> None:
    for i in range(count):
        (tmp_path / f"{i}.mid").write_bytes(write(tune(i)))
    build([tmp_path], tmp_path / "set", DatasetOptions())
    splits = Dataset.open(tmp_path / "set").pieces["split"]
    assert set(splits.tolist()) == {0, 1, 2}
