"""What lies in a folder is read, or it is said why not."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest

from common.errors import DatasetError, PerpetuoError
from engine.files.midi import read, write
from export.data import zipped
from export.data.build import DatasetOptions, build
from export.data.finding import HIDDEN, find
from export.data.sources import find_sources
from server.commands.cli import main
from tests.engine.test_files_midi import file_of
from tests.tunes import tune

MEMBER = write(tune(1))


def put(folder: Path, *names: str) -> Path:
    for i, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(write(tune(10 * len(folder.name) + i)))
    return folder


def zip_of(path: Path, **members: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def names(place: Path) -> tuple[list[str], dict[str, str]]:
    found, skipped = find(place)
    return sorted(one.file for one in found), {one.file: one.reason for one in skipped}


def test_what_is_skipped_is_counted_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    music = put(
        tmp_path / "music", *(f"a/{i}.mid" for i in range(6)), "a/t.abc", "b/u.ABC", "x.txt"
    )
    (music / "broken.zip").write_bytes(b"PK nothing")
    assert main(["data", str(music), "-o", str(tmp_path / "set"), "--json", "--jobs", "1"]) == 0
    skipped = json.loads(capsys.readouterr().out)["skipped"]
    assert (skipped[0]["count"], skipped[0]["files"]) == (2, ["a/t.abc", "b/u.ABC"])
    assert "abc2midi" in skipped[0]["reason"]
    assert sorted(row["files"] for row in skipped[1:]) == [["broken.zip"], ["x.txt"]]
    assert main(["data", str(music), "-o", str(tmp_path / "set"), "--force", "--jobs", "1"]) == 0
    told = capsys.readouterr().out
    assert "skipped 2: ABC notation is not read" in told
    assert "(a/t.abc, b/u.ABC)" in told
    assert "skipped 1: a broken zip file" in told
    assert "skipped 2: ABC" in (tmp_path / "set/report.txt").read_text()


def test_nothing_but_what_is_skipped_is_an_error_that_says_so(tmp_path: Path) -> None:
    put(tmp_path / "music", "a.abc")
    for place in (tmp_path / "music", tmp_path / "music/a.abc"):
        with pytest.raises(DatasetError, match=r"no files of music there.*ABC notation"):
            build([place], tmp_path / "set", DatasetOptions())


def test_zip_files_are_read_like_folders(tmp_path: Path) -> None:
    whole = put(tmp_path / "whole", *(f"songs/{i}.mid" for i in range(5)))
    packed = tmp_path / "packed"
    members = {f"deep/{path.name}": path.read_bytes() for path in (whole / "songs").iterdir()}
    zip_of(packed / "songs.zip", **members, **{"deep/read.me": b"", "__MACOSX/._0.mid": b""})
    figures = build([packed], tmp_path / "set", DatasetOptions(jobs=1))
    expected = build([whole], tmp_path / "other", DatasetOptions(jobs=1))
    assert figures["styles"] == expected["styles"]
    assert figures["notes"] == expected["notes"]
    assert {row["files"][0] for row in figures["skipped"]} == {
        "songs.zip/deep/read.me",
        "songs.zip/__MACOSX/._0.mid",
    }
    for name in ("events", "pieces", "plans"):
        one, other = (tmp_path / place / f"{name}.npy" for place in ("set", "other"))
        assert one.read_bytes() == other.read_bytes()
    direct, _, _ = find_sources([packed / "songs.zip"])
    assert [(s.file, s.style) for s in direct] == [(f"deep/{i}.mid", "deep") for i in range(5)]


def test_zip_files_deeper_down_belong_to_their_top_folder(tmp_path: Path) -> None:
    zip_of(tmp_path / "music/rags/more.zip", **{"a.mid": MEMBER, "b/c.mxl": b""})
    found, _, _ = find_sources([tmp_path / "music"])
    assert [(s.file, s.style) for s in found] == [
        ("rags/more.zip/a.mid", "rags"),
        ("rags/more.zip/b/c.mxl", "rags"),
    ]


def test_a_manifest_names_members_of_zip_files(tmp_path: Path) -> None:
    zip_of(tmp_path / "music/a.zip", **{"1.mid": MEMBER})
    (tmp_path / "music/MANIFEST.csv").write_text("file,style,licence\na.zip/1.mid,Jazz,CC0-1.0\n")
    (source,), problems, skipped = find_sources([tmp_path / "music"])
    assert (source.style, source.licence, source.location.member) == ("Jazz", "CC0-1.0", "1.mid")
    assert (problems, skipped) == ([], [])


@pytest.mark.parametrize("name", ["../out.mid", "/out.mid", "a/../../out.mid", "C:\\out.mid"])
def test_names_that_lead_out_of_a_zip_file_are_refused(tmp_path: Path, name: str) -> None:
    zip_of(tmp_path / "music/a.zip", **{name: MEMBER, "in.mid": MEMBER})
    found, skipped = names(tmp_path / "music")
    assert found == ["a.zip/in.mid"]
    assert skipped == {"a.zip": "a zip file with names that lead out of it"}


def test_zip_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zip_of(tmp_path / "m/wide.zip", **{f"{i}.mid": bytes(1000) for i in range(9)})
    zip_of(tmp_path / "m/nested.zip", **{"a.zip": MEMBER, "a.mid": MEMBER})
    with monkeypatch.context() as patched:
        patched.setattr(zipped, "MAX_UNPACKED", 8000)
        found, skipped = names(tmp_path / "m")
        assert found == ["nested.zip/a.mid"]
        assert "unpacks into more than" in skipped["wide.zip"]
        assert "zip files inside zip files" in skipped["nested.zip/a.zip"]
    monkeypatch.setattr(zipped, "MAX_MEMBERS", 8)
    assert "more than 8 files" in names(tmp_path / "m")[1]["wide.zip"]


def test_a_member_is_bounded_as_a_file_is(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", **{"big.mid": bytes(65 << 20), "a.mid": MEMBER})
    assert path.stat().st_size < 1 << 20
    figures = build([path], tmp_path / "set", DatasetOptions(jobs=1))
    (left_out,) = figures["left_out"]
    assert left_out == {"file": "big.mid", "reason": "larger than 64 MB when unpacked"}


def test_damaged_members_are_listed_with_their_reason(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", **{"a.mid": MEMBER, "b.mid": write(tune(2))})
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF  # inside the packed bytes of the first
    path.write_bytes(data)
    figures = build([path], tmp_path / "set", DatasetOptions(jobs=1))
    (left_out,) = figures["left_out"]
    assert left_out["file"] == "a.mid"
    assert "damaged in its zip file" in left_out["reason"]


def test_a_zip_file_too_large_or_gone_is_skipped_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zip_of(tmp_path / "m/a.zip", **{"a.mid": MEMBER})
    with monkeypatch.context() as patched:
        patched.setattr(zipped, "ARCHIVE", zipped.ARCHIVE._replace(most=path.stat().st_size - 1))
        assert "a zip file larger than" in names(tmp_path / "m")[1]["a.zip"]
    assert names(tmp_path / "m") == (["a.zip/a.mid"], {})
    path.unlink()
    os.mkfifo(path)  # after it was found: another file is there when its members are read
    with pytest.raises(PerpetuoError, match="is a pipe: name a regular file"):
        zipped.read_member(path, "a.mid", 1000)


def test_names_in_no_encoding_are_read_and_shown_as_text(tmp_path: Path) -> None:
    name = "\udce9t\udce9"
    place = tmp_path / name
    zip_of(place / f"{name}.zip", **{f"{i}.mid": write(tune(i)) for i in range(3)})
    put(place, f"{name}/{name}.mid", f"{name}.mid", f"a.{name}")
    build([place, place / f"{name}.zip"], tmp_path / "set", DatasetOptions(jobs=1))
    shown = "\ufffdt\ufffd"
    found, _, skipped = find_sources([place])
    assert {(s.file, s.style) for s in found} == {
        *((f"{shown}.zip/{i}.mid", shown) for i in range(3)),
        (f"{shown}/{shown}.mid", shown),
        (f"{shown}.mid", shown),
    }
    assert skipped == [(f"a.{shown}", f"no music that can be read: files ending in '.{shown}'")]
    assert {s.style for s in find_sources([place / f"{name}.zip"])[0]} == {shown}


def test_folders_behind_links_are_read_once(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere", "far/1.mid")
    music = put(tmp_path / "music", "real/1.mid")
    links = {"far": "../elsewhere/far", "again": "real", "around": "..", "itself": "itself"}
    for name, target in links.items():
        (music / name).symlink_to(target)
    (tmp_path / "elsewhere/far/back").symlink_to(music)
    found, skipped = names(music)
    assert found == ["far/1.mid", "real/1.mid"]
    assert skipped == {
        "again": "a link to a folder that is read already",
        "around": "a link to a folder that it lies in itself",
        "far/back": "a link to a folder that it lies in itself",
        "itself": "it cannot be looked at: Too many levels of symbolic links",
    }
    assert [s.style for s in find_sources([music])[0]] == ["far", "real"]


def test_pipes_devices_and_dead_links_do_not_block(tmp_path: Path) -> None:
    music = put(tmp_path / "music", "1.mid", ".2.mid")
    os.mkfifo(music / "pipe.mid")
    (music / "zero.mid").symlink_to("/dev/zero")
    (music / "dead.mid").symlink_to("nothing")
    found, skipped = names(music)
    assert found == ["1.mid"]
    assert skipped == {
        "pipe.mid": "it is a pipe: name a regular file",
        "zero.mid": "it is a device: name a regular file",
        "dead.mid": "it is a link to nothing",
        ".2.mid": HIDDEN,
    }


def test_a_prepared_dataset_among_the_music_is_one_line(tmp_path: Path) -> None:
    music = put(tmp_path / "music", "1.mid", "2.mid", "3.mid")
    build([music], music / "set", DatasetOptions(jobs=1))
    assert names(music)[1] == {"set": "a prepared dataset, not music"}


def test_patterns_of_type_2_are_pieces_of_one_split(tmp_path: Path) -> None:
    music = tmp_path / "music"
    music.mkdir()
    for i in range(12):
        tracks = [write(tune(100 * i + j, 80)).split(b"MTrk")[2][4:] for j in range(3)]
        (music / f"{i:02}.mid").write_bytes(file_of(*tracks, b"\x00\xff\x2f\x00", kind=2))
    figures = build([music], tmp_path / "set", DatasetOptions(jobs=1))
    assert figures["pieces"] == 36
    rows = [r.split("\t") for r in (tmp_path / "set/pieces.tsv").read_text().splitlines()[1:]]
    assert [row[0] for row in rows[:3]] == ["00.mid#1", "00.mid#2", "00.mid#3"]
    assert all(len({row[5] for row in rows[3 * i : 3 * i + 3]}) == 1 for i in range(12))
    assert {row[5] for row in rows} == {"train", "valid", "test"}
    assert {r["file"] for r in figures["left_out"]} == {f"{i:02}.mid#4" for i in range(12)}
    first = read((music / "00.mid").read_bytes())
    assert rows[0][6] == str(len(first.notes))
