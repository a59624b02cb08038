"""Files are whole or not there, and errors say what to do."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import files
from common.errors import OutputError, PerpetuoError
from common.files import (
    FileKind,
    look_at,
    open_file,
    read_beginning,
    read_bytes,
    refuse_existing,
    why_no_file,
    write_whole,
)

THING = FileKind("the thing", 1000)


@given(data=st.binary(max_size=300), again=st.binary(max_size=300))
def test_what_was_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, again: bytes
) -> None:
    path = tmp_path_factory.mktemp("files") / "song.mid"
    write_whole(path, data)
    assert read_bytes(path, THING) == data
    write_whole(path, again, force=True)
    assert read_bytes(path, THING) == again
    assert os.listdir(path.parent) == ["song.mid"]


def test_an_existing_file_is_kept_without_force(tmp_path: Path) -> None:
    path = tmp_path / "song.mid"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match=r"song\.mid exists already.*--force"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["song.mid"]


def test_a_name_taken_while_writing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "song.mid"
    sync = os.fsync

    def another_writer(descriptor: int) -> None:
        path.write_bytes(b"theirs")
        sync(descriptor)

    monkeypatch.setattr(files.os, "fsync", another_writer)
    with pytest.raises(OutputError, match="--force"):
        write_whole(path, b"ours")
    assert path.read_bytes() == b"theirs"
    assert os.listdir(tmp_path) == ["song.mid"]


@pytest.mark.parametrize("force", [False, True])
def test_file_systems_without_hard_links_work_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    def no_links(source: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(files.os, "link", no_links)
    write_whole(tmp_path / "song.mid", b"new", force=force)
    assert (tmp_path / "song.mid").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["song.mid"]


@pytest.mark.parametrize("moment", ["fsync", "replace"])
@pytest.mark.parametrize("blow", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_nothing_half_written_is_left_after_a_blow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, blow: BaseException
) -> None:
    path = tmp_path / "song.mid"
    path.write_bytes(b"old")

    def fall(*_: object) -> None:
        raise blow

    monkeypatch.setattr(files.os, moment, fall)
    with pytest.raises((KeyboardInterrupt, OutputError)) as caught:
        write_whole(path, b"new", force=True)
    if isinstance(blow, OSError):
        assert "song.mid cannot be written: No space left on device" in str(caught.value)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["song.mid"]


def test_a_replaced_file_keeps_its_mode_and_a_new_one_follows_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "song.mid"
    before = os.umask(0o027)
    try:
        write_whole(path, b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    write_whole(path, b"new", force=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.mid").write_bytes(b"old")
    link = tmp_path / "link.mid"
    link.symlink_to("real.mid")
    write_whole(link, b"new", force=True)
    assert link.is_symlink()
    assert (tmp_path / "real.mid").read_bytes() == b"new"


def test_devices_are_written_to_and_never_replaced() -> None:
    for force in (False, True):
        write_whole(os.devnull, b"gone", force=force)
        assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("folder", "is a folder: name a file in it"),
        ("missing/song.mid", "does not exist: create it first"),
        ("x" * 300, "cannot be written"),
        ("nul\0byte", "cannot be written"),
    ],
)
def test_a_name_that_cannot_be_a_file_is_refused(tmp_path: Path, name: str, complaint: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=complaint):
        write_whole(tmp_path / name, b"")
    assert os.listdir(tmp_path) == ["folder"]


def test_refusing_early_is_refusing_as_late(tmp_path: Path) -> None:
    (tmp_path / "old.mid").write_bytes(b"old")
    refuse_existing(tmp_path / "new.mid", force=False)
    refuse_existing(tmp_path / "old.mid", force=True)
    refuse_existing(os.devnull, force=False)
    with pytest.raises(OutputError, match="--force"):
        refuse_existing(tmp_path / "old.mid", force=False)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("missing.onnx", r"the thing .*missing\.onnx does not exist: check the path"),
        ("folder", "the thing .*folder is a folder: name a file in it"),
        ("nul\0byte", "the thing .* cannot be read"),
        ("\udfff\ud800", "the thing .* cannot be read"),
        ("pipe", "the thing .*pipe is a pipe: name a regular file"),
        ("socket", "the thing .*socket is a socket: name a regular file"),
        ("device", "the thing .*device is a device: name a regular file"),
        ("large", "the thing .*large is too large, 1,001 bytes of at most 1,000: check that"),
        ("round", "the thing .*round cannot be read"),
    ],
)
@pytest.mark.parametrize("way", [read_bytes, look_at, open_file])
def test_what_cannot_be_read_is_named(
    tmp_path: Path, name: str, complaint: str, way: Callable[[Path, FileKind], object]
) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "large").write_bytes(bytes(1001))
    (tmp_path / "round").symlink_to("round")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        with pytest.raises(PerpetuoError, match=complaint):
            way(tmp_path / name, THING)


@pytest.mark.parametrize("size", [0, 1, 999, 1000])
def test_a_file_of_a_size_that_it_may_have_is_read_whole(tmp_path: Path, size: int) -> None:
    (tmp_path / "thing").write_bytes(bytes(size))
    assert read_bytes(tmp_path / "thing", THING) == bytes(size)
    assert read_beginning(tmp_path / "thing", THING, 4) == bytes(min(size, 4))


def test_what_tells_no_size_is_read_whole_and_no_further_than_it_may_be() -> None:
    told = Path("/proc/self/environ")
    assert told.stat().st_size == 0
    content = read_bytes(told, FileKind("it", 1 << 20))
    assert content == told.read_bytes()
    read_bytes(told, FileKind("it", len(content)))
    with pytest.raises(PerpetuoError, match="more than"):
        read_bytes(told, FileKind("it", len(content) - 1))


def test_a_file_that_becomes_a_pipe_before_it_is_opened_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    regular = os.stat(__file__)
    os.mkfifo(tmp_path / "thing")
    monkeypatch.setattr(files.os, "stat", lambda path: regular)
    with pytest.raises(PerpetuoError, match="is a pipe"):
        read_bytes(tmp_path / "thing", FileKind("it", 1 << 20))


def test_a_file_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may read everything, so the system's answer is played.
    def forbidden(path: Path, flags: int) -> int:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "song.mid").write_bytes(b"")
    monkeypatch.setattr(files.os, "open", forbidden)
    with pytest.raises(PerpetuoError, match="may not be read: check its permissions"):
        read_bytes(tmp_path / "song.mid", THING)
    with pytest.raises(PerpetuoError, match="is a folder"):
        read_bytes(tmp_path, THING)


def test_what_is_no_file_is_told_without_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dead").symlink_to("nothing")
    told = {
        "file": "",
        "pipe": "it is a pipe: name a regular file",
        "dead": "it is a link to nothing",
        "none": "it does not exist",
    }
    assert {name: why_no_file(tmp_path / name) for name in told} == told
    assert why_no_file("/dev/null") == "it is a device: name a regular file"
