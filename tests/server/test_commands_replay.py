"""`perpetuo replay`: a log gives the bytes that it was logged with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.files.control_log import read as read_log
from engine.files.midi import write
from engine.music.score import NOTE, Score
from engine.music.time import Metre
from server.commands.cli import main
from tests.bundles import NETWORKS, tiny_bytes

CHANGES = (
    b'{"bar":5,"set":{"density":6.0,"transpose":2}}\n'
    b'{"bar":6,"plan":{"7":{"chord":5,"density":3},"9":{"source":6,"echo":3}}}\n'
    b'{"bar":8,"set":{"metre":"3/4","tempo":90,"chords":"I IV V I"},"plan":{"8":{"key":3}}}\n'
)


@pytest.fixture(params=NETWORKS)
def model(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_bytes(request.param))
    return str(path)


@pytest.fixture
def prompt(tmp_path: Path) -> str:
    """Four bars of 3/4 in D major."""
    pitches = (62, 66, 69, 74, 73, 74, 67, 66, 64, 62, 57, 62)
    notes = np.array([(24 * i, 24, pitch, 80, 0) for i, pitch in enumerate(pitches)], NOTE)
    path = tmp_path / "prompt.mid"
    path.write_bytes(write(Score(notes, ((0, Metre(3, 4)),))))
    return str(path)


@pytest.fixture
def composing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the tests stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def compose(model: str, *words: str) -> None:
    given = ["--model", model, "-o", "a.mid", "--log", "a.log", "--force"]
    assert main(["compose", *given, *words]) == 0


def replay(*words: str) -> bytes:
    assert main(["replay", "a.log", "-o", "again.mid", "--force", *words]) == 0
    return Path("again.mid").read_bytes()


def edit(model: str, changes: bytes, end: int, *words: str) -> bytes:
    """Compose a few bars, put changes into the log, and replay it up to a bar."""
    compose(model, "--bars", "2", "--set", "max_rest=0.25", *words)
    header = Path("a.log").read_bytes().splitlines(keepends=True)[0]
    Path("a.log").write_bytes(header + changes + b'{"end":%d}\n' % end)
    return replay()


@pytest.mark.parametrize(
    "words",
    [
        ["--bars", "12", "--seed", "3"],
        ["--minutes", "0.2", "--set", "humanise_time=12", "--set", "swing=0.6"],
        ["--bars", "8", "--prompt", "prompt.mid"],
        # What is chosen against the prompt stays chosen, though it is the default.
        ["--bars", "8", "--prompt", "prompt.mid", "--set", "key=C major", "--set", "metre=auto"],
    ],
)
def test_a_log_replays_to_the_same_bytes(
    composing: Path, model: str, prompt: str, words: list[str]
) -> None:
    compose(model, *words)
    assert replay() == Path("a.mid").read_bytes()


@pytest.mark.parametrize("words", [[], ["--prompt", "prompt.mid"]])
def test_a_log_with_changes_and_plans_replays_from_its_own_log_too(
    composing: Path, model: str, prompt: str, words: list[str]
) -> None:
    first = edit(model, CHANGES, 14, *words)
    assert replay("--log", "b.log") == first
    original, copied = (read_log(Path(name).read_bytes()) for name in ("a.log", "b.log"))
    assert copied == replace(original, bars=copied.bars)
    Path("b.log").replace("a.log")
    assert replay() == first
    assert edit(model, b"", 14, *words) != first


def test_a_change_is_heard_from_its_bar_on_and_not_before(composing: Path, model: str) -> None:
    edit(model, b"", 14)
    plain = [replay("--bars", str(bars)) for bars in (5, 8)]
    edit(model, CHANGES, 14)
    changed = [replay("--bars", str(bars)) for bars in (5, 8)]
    assert changed[0] == plain[0]
    assert changed[1] != plain[1]


def test_fewer_bars_are_the_beginning_and_are_logged_as_such(composing: Path, model: str) -> None:
    edit(model, CHANGES, 14)
    short = replay("--bars", "6", "--log", "b.log")
    log = read_log(Path("b.log").read_bytes())
    assert (log.bars, log.end) == (6, 6)
    assert [change.bar for change in log.changes] == [5]
    Path("b.log").replace("a.log")
    assert replay() == short


def test_a_log_that_was_cut_is_replayed_as_far_as_it_goes_and_says_so(
    composing: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    compose(model, "--bars", "6")
    whole = Path("a.log").read_bytes()
    header = whole.splitlines(keepends=True)[0]
    Path("a.log").write_bytes(header + b'{"bar":3,"set":{"den')
    capsys.readouterr()
    assert replay() == Path("a.mid").read_bytes()
    err = capsys.readouterr().err
    assert err == "perpetuo: a.log breaks off in its last line: replaying what stands before it\n"


def test_a_dash_sends_the_file_to_standard_output(
    composing: Path, model: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    compose(model, "--bars", "4")
    capfdbinary.readouterr()
    assert main(["replay", "a.log", "-o", "-"]) == 0
    assert capfdbinary.readouterr() == (Path("a.mid").read_bytes(), b"")


def test_another_file_of_the_models_name_is_refused(
    composing: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    compose(model, "--bars", "2")
    sha256 = read_log(Path("a.log").read_bytes()).sha256
    Path("other.onnx").write_bytes(tiny_bytes("gpt", "performance"))
    assert main(["replay", "a.log", "--model", "other.onnx", "-o", "again.mid"]) == 1
    err = capsys.readouterr().err
    assert "a.log was made with another file than other.onnx" in err
    assert sha256[:12] in err
    assert not Path("again.mid").exists()


def test_a_model_that_moved_is_asked_for_and_may_be_named(
    composing: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    compose(model, "--bars", "2")
    Path(model).rename("moved.onnx")
    assert main(["replay", "a.log", "-o", "again.mid"]) == 1
    assert "which is not here: name its file by --model" in capsys.readouterr().err
    assert replay("--model", "moved.onnx", "--log", "b.log") == Path("a.mid").read_bytes()
    assert read_log(Path("b.log").read_bytes()).model == "moved.onnx"


def test_a_model_in_a_very_deep_folder_still_makes_a_log_that_can_be_read(
    composing: Path, model: str
) -> None:
    folder = composing / ("deep" * 40) / ("deeper" * 20)
    folder.mkdir(parents=True)
    moved = str(Path(model).rename(folder / "tiny.onnx"))
    compose(moved, "--bars", "2")
    assert replay("--model", moved) == Path("a.mid").read_bytes()


@pytest.mark.parametrize(
    ("tail", "words", "complaint"),
    [
        (b"", [], "does not say how long the stream was: give --bars N"),
        (b'{"end":0}\n', [], "ends before its first bar"),
        (b'{"bar":1,"set":{"tempoo":3}}\n', ["--bars", "2"], "line 2"),
        (b'{"bar":1,"set":{"style":{"unheard":1}}}\n', ["--bars", "2"], "no style 'unheard'"),
        (b"nonsense\n", ["--bars", "2"], "line 2: it is no JSON object"),
    ],
)
def test_a_log_that_cannot_be_replayed_is_one_line_and_leaves_no_file(
    composing: Path,
    model: str,
    capsys: pytest.CaptureFixture[str],
    tail: bytes,
    words: list[str],
    complaint: str,
) -> None:
    compose(model, "--bars", "2")
    header = json.loads(Path("a.log").read_bytes().splitlines()[0])
    endless = json.dumps({**header, "bars": None}).encode() + b"\n"
    Path("a.log").write_bytes(endless + tail)
    capsys.readouterr()
    assert main(["replay", "a.log", "-o", "again.mid", *words]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert complaint in err
    assert not Path("again.mid").exists()


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("missing.log", "log missing.log does not exist"), ("a.mid", "control log")],
)
def test_what_is_no_log_is_named(
    composing: Path, model: str, capsys: pytest.CaptureFixture[str], name: str, complaint: str
) -> None:
    compose(model, "--bars", "2")
    capsys.readouterr()
    assert main(["replay", name, "-o", "again.mid"]) == 1
    err = capsys.readouterr().err
    assert complaint in err
    assert err.count("\n") == 1
