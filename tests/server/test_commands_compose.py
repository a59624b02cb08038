"""`perpetuo compose`: the same file for the same words, and none if something is wrong."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import mido
import numpy as np
import pytest

from engine.files import control_log
from engine.files.control_log import read as read_log
from engine.files.midi import write
from engine.library import DEFAULT_MODEL, models
from engine.music.score import NOTE, Score
from engine.music.time import Metre
from server.commands.cli import main
from tests.bundles import CODECS, NETWORKS, tiny_bytes
from tests.engine.test_files_midi import END, file_of


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_bytes("gpt"))
    return str(path)


@pytest.fixture
def prompt(tmp_path: Path) -> str:
    """Two bars of 3/4 in D major, on a flute."""
    pitches = (62, 66, 69, 74, 73, 74)
    notes = np.array([(24 * i, 24, pitch, 80, 0) for i, pitch in enumerate(pitches)], NOTE)
    metres, tempos = ((0, Metre(3, 4)),), ((0, 750_000),)
    path = tmp_path / "prompt.mid"
    path.write_bytes(write(Score(notes, metres, tempos, (73,) * 8)))
    return str(path)


def composed(tmp_path: Path, model: str, *words: str) -> bytes:
    """The file that these words give."""
    path = tmp_path / "composed.mid"
    assert main(["compose", "--model", model, "-o", str(path), "--force", *words]) == 0
    return path.read_bytes()


def messages(data: bytes, kind: str) -> list[mido.Message]:
    file = mido.MidiFile(file=io.BytesIO(data))
    return [message for track in file.tracks for message in track if message.type == kind]


def test_the_same_words_give_the_same_bytes_and_another_seed_others(
    tmp_path: Path, model: str
) -> None:
    words = ("--bars", "6", "--seed", "5", "--set", "density=4", "--set", "humanise_time=10")
    first = composed(tmp_path, model, *words)
    assert composed(tmp_path, model, *words) == first
    assert composed(tmp_path, model, *words, "--seed", "6") != first
    assert composed(tmp_path, model, *words, "--set", "transpose=1") != first


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("codec", CODECS)
def test_every_kind_of_model_composes_as_many_notes_as_it_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, codec: str
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(tiny_bytes(kind, codec))
    data = composed(tmp_path, str(path), "--bars", "8", "--json")
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert notes == len(messages(data, "note_on")) > 0


def test_the_file_has_tempo_metre_programs_and_one_track_a_part(tmp_path: Path, model: str) -> None:
    settings = ("tempo=90", "metre=3/4", "parts=1,2", "programs=1:40 2:42")
    words = [word for setting in settings for word in ("--set", setting)]
    data = composed(tmp_path, model, "--bars", "24", *words)
    file = mido.MidiFile(file=io.BytesIO(data))
    assert file.type == 1
    (tempo,) = messages(data, "set_tempo")
    (metre,) = messages(data, "time_signature")
    assert round(mido.tempo2bpm(tempo.tempo), 2) == 90
    assert (metre.numerator, metre.denominator) == (3, 4)
    programs = {message.channel: message.program for message in messages(data, "program_change")}
    assert programs == {0: 40, 1: 42}
    channels = [{m.channel for m in track if not m.is_meta} for track in file.tracks]
    assert channels == [set(), {0}, {1}]
    on = [m for m in messages(data, "note_on") if m.velocity]
    assert len(on) == len(messages(data, "note_off"))
    last = 24 * 3 * file.ticks_per_beat
    for track in file.tracks:
        time = 0
        for message in track:
            time += message.time
            assert message.type != "note_on" or time < last


def test_minutes_are_filled_with_whole_bars(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    composed(tmp_path, model, "--minutes", "0.25", "--set", "tempo=120", "--json")
    figures = json.loads(capsys.readouterr().out)
    assert figures["bars"] == 8  # of two seconds each
    assert figures["seconds"] == 16


def test_a_piece_closes_unless_it_is_to_break_off(tmp_path: Path, model: str) -> None:
    log = tmp_path / "a.log"
    words = ("--minutes", "0.25", "--set", "tempo=120", "--log", str(log))
    closing = composed(tmp_path, model, *words)
    assert read_log(log.read_bytes()).last == 7
    assert composed(tmp_path, model, *words, "--no-ending") != closing
    assert read_log(log.read_bytes()).last is None


def test_figures_say_what_was_composed(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = composed(tmp_path, model, "--bars", "12", "--seed", "9", "--json")
    out, err = capsys.readouterr()
    figures = json.loads(out)
    assert err == ""
    assert figures["notes"] == len(messages(data, "note_on"))
    expected = {"file": str(tmp_path / "composed.mid"), "model": model, "seed": 9, "bars": 12}
    assert {name: figures[name] for name in expected} == expected


def test_a_dash_sends_the_file_to_standard_output_and_figures_beside_it(
    tmp_path: Path, model: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    expected = composed(tmp_path, model, "--bars", "4")
    capfdbinary.readouterr()
    assert main(["compose", "--model", model, "--bars", "4", "-o", "-", "--json"]) == 0
    out, err = capfdbinary.readouterr()
    assert out == expected
    assert json.loads(err)["bars"] == 4


def test_without_a_model_the_default_one_composes(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{DEFAULT_MODEL}.onnx").write_bytes(Path(model).read_bytes())
    monkeypatch.setattr(models, "EMBEDDED", tmp_path)
    output, log = tmp_path / "out.mid", tmp_path / "out.log"
    words = ["compose", "--bars", "3", "-o", str(output), "--log", str(log)]
    assert main(words) == 0
    assert output.read_bytes() == composed(tmp_path, model, "--bars", "3")
    assert read_log(log.read_bytes()).model == DEFAULT_MODEL


def test_a_random_seed_is_told_so_that_the_music_can_come_back(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = composed(tmp_path, model, "--bars", "4", "--seed", "random", "--json")
    seed = json.loads(capsys.readouterr().out)["seed"]
    assert composed(tmp_path, model, "--bars", "4", "--seed", str(seed)) == data


def test_a_prompt_lends_what_is_not_set(tmp_path: Path, model: str, prompt: str) -> None:
    log = tmp_path / "a.log"
    words = ("--bars", "8", "--prompt", prompt, "--log", str(log))
    data = composed(tmp_path, model, *words, "--set", "tempo=100")
    controls = read_log(log.read_bytes()).controls
    assert (str(controls.key), str(controls.metre), controls.tempo) == ("D major", "3/4", 100)
    assert (controls.parts, controls.programs[0]) == ((1,), (1, 73))
    assert {message.program for message in messages(data, "program_change")} == {73}
    composed(tmp_path, model, *words, "--set", "key=C major", "--set", "metre=auto")
    controls = read_log(log.read_bytes()).controls
    assert (str(controls.key), controls.metre) == ("C major", None)


def test_of_a_prompt_of_several_patterns_the_first_is_taken(
    tmp_path: Path, model: str, prompt: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--bars", "4", "--seed", "3", "--prompt")
    alone, patterns = (tmp_path / name for name in ("1.mid", "2.mid"))
    first = Path(prompt).read_bytes().split(b"MTrk")[2][4:]
    other = bytes.fromhex("00903040 81003000 00903240 81003200") + END
    alone.write_bytes(file_of(first))
    patterns.write_bytes(file_of(first, other, kind=2))
    expected = composed(tmp_path, model, *words, str(alone))
    assert "patterns" not in capsys.readouterr().err
    assert composed(tmp_path, model, *words, str(patterns)) == expected
    assert "2.mid: a MIDI file of type 2, whose 2 patterns are" in capsys.readouterr().err


@pytest.mark.parametrize("other", ["out.mid", "out.log"])
def test_an_existing_file_is_kept_without_force(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str], other: str
) -> None:
    (tmp_path / other).write_bytes(b"mine")
    output, log = str(tmp_path / "out.mid"), str(tmp_path / "out.log")
    words = ["compose", "--model", model, "--bars", "2", "-o", output, "--log", log]
    assert main(words) == 1
    assert "exists already: choose another name or add --force" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"tiny.onnx", other}
    assert (tmp_path / other).read_bytes() == b"mine"
    assert main([*words, "--force"]) == 0
    assert Path(output).read_bytes()[:4] == b"MThd"
    assert read_log(Path(log).read_bytes()).end == 2


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (["--set", "tempoo=90"], 1, "tempoo"),
        (["--set", "tempo=9000"], 1, "tempo"),
        (["--set", "tempo"], 1, "write it as name=value"),
        (["--set", "style=unheard"], 1, "no style 'unheard'"),
        (["--set", "low_pitch=60", "--set", "high_pitch=61"], 1, "less than an octave"),
        (["--model", "missing.onnx"], 1, "missing.onnx does not exist"),
        (["--model", "no-such-model"], 1, "no model 'no-such-model'"),
        (["--model", "broken.onnx"], 1, "is not an ONNX model"),
        (["--prompt", "missing.mid"], 1, "missing.mid does not exist"),
        (["--prompt", "broken.onnx"], 1, "MIDI"),
        (["--prompt", "silent.mid"], 1, "no notes"),
        (["--bars", "0"], 2, "'0' must be a whole number from 1 up"),
        (["--bars", "some"], 2, "'some' must be"),
        (["--minutes", "-1"], 2, "must be a number of minutes above 0"),
        (["--minutes", "nan"], 2, "must be a number of minutes above 0"),
        (["--bars", "2", "--minutes", "2"], 2, "not allowed with"),
        (["--seed", "-3"], 2, "whole number below 2^63"),
        (["--threads", "0"], 2, "'0' must be"),
        (["--log", "out.mid"], 1, "give the log another name"),
        (["--log", "nowhere/out.log"], 1, "folder nowhere does not exist"),
        (["-o", "nowhere/out.mid"], 1, "folder nowhere does not exist"),
    ],
)
def test_whatever_is_wrong_is_one_line_and_leaves_no_file(
    tmp_path: Path,
    model: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    complaint: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.onnx").write_bytes(b"neither a model nor music")
    Path("silent.mid").write_bytes(write(Score(np.array([], NOTE))))
    before = set(os.listdir())
    given = ["--model", model, "-o", "out.mid", "--log", "out.log", *words]
    assert main(["compose", *given]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert complaint in err
    assert set(os.listdir()) == before


def test_a_prompt_that_no_log_can_hold_is_refused_before_a_file_is_written(
    tmp_path: Path,
    model: str,
    prompt: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(control_log, "MAX_LINE", 500)
    output, log = tmp_path / "out.mid", tmp_path / "out.log"
    words = ["compose", "--model", model, "--prompt", prompt, "-o", str(output), "--log", str(log)]
    assert main(words) == 1
    assert "give a shorter one" in capsys.readouterr().err
    assert not output.exists()
    assert not log.exists()


def test_what_a_model_does_not_follow_is_refused_to_hands_and_told_of_presets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = str(tmp_path / "a.mid")
    asked = ["compose", "--preset", "pianist", "--set", "chords=Am F C G", "--bars", "1", "-o", to]
    assert main(asked) == 1
    assert "the model 'performance' does not follow chords" in capsys.readouterr().err
    assert (
        main(["compose", "--preset", "study", "--model", "performance", "--bars", "1", "-o", to])
        == 0
    )
    assert "the preset is played without metre" in capsys.readouterr().err
