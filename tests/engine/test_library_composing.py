"""Composing by script: what the command writes, byte for byte, and sentences for what is wrong."""

from __future__ import annotations

import inspect
import io
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest

import engine
from common.errors import MidiError, PerpetuoError
from engine.controls.controls import CONTROL
from engine.files.midi import write
from engine.library import composing
from server.commands.cli import main
from tests.bundles import CODECS, NETWORKS, tiny_bytes
from tests.engine.test_files_midi import file_of
from tests.tunes import tune


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_bytes("gpt"))
    return path


def written(tmp_path: Path, *words: object) -> bytes:
    """The file of the command line."""
    path = tmp_path / "command.mid"
    assert main(["compose", "-o", str(path), "--force", *map(str, words)]) == 0
    return path.read_bytes()


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["--bars", 16], {}),
        (["--bars", 4, "--seed", 8], {"bars": 4, "seed": 8}),
        (["--preset", "chorale", "--bars", 4], {"preset": "chorale", "bars": 4}),
        (["--preset", "pianist", "--bars", 3], {"preset": "pianist", "bars": 3}),
        (["--preset", "ragtime", "--model", "lstm"], {"preset": "ragtime", "model": "lstm"}),
        (["--minutes", 0.1, "--set", "tempo=100"], {"minutes": 0.1, "tempo": 100}),
        (
            ["--preset", "quartet", "--set", "style=baroque", "--set", "key=D minor"],
            {"preset": "quartet", "style": {"baroque": 1}, "key": "D minor"},
        ),
    ],
)
def test_the_file_is_the_commands_byte_for_byte(
    tmp_path: Path, words: list[object], asked: dict[str, object]
) -> None:
    if "--bars" not in words and "--minutes" not in words:
        words, asked = [*words, "--bars", 5], {**asked, "bars": 5}
    music = engine.compose(**asked)  # type: ignore[arg-type]
    music.save(tmp_path / "script.mid")
    assert (tmp_path / "script.mid").read_bytes() == music.midi == written(tmp_path, *words)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("codec", CODECS)
def test_every_kind_of_model_composes_what_the_command_does(
    tmp_path: Path, kind: str, codec: str
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(tiny_bytes(kind, codec))
    music = engine.compose(model=path, bars=6, seed=5)
    assert music.midi == written(tmp_path, "--model", path, "--bars", 6, "--seed", 5)


def test_a_prompt_may_be_a_file_music_or_what_mido_and_pretty_midi_have(
    tmp_path: Path, model: Path
) -> None:
    path = tmp_path / "prompt.mid"
    first = engine.compose("chorale", bars=4)
    first.save(path)
    music = engine.compose(model=model, prompt=path, bars=3)
    assert music.midi == written(tmp_path, "--model", model, "--prompt", path, "--bars", 3)
    assert music.bars[0].index == 4
    assert music.controls["parts"] == [1, 2, 3, 4]
    for prompt in (str(path), first, first.to_mido(), mido.MidiFile(path)):
        assert engine.compose(model=model, prompt=prompt, bars=3) == music
    # pretty_midi writes the same notes into files of its own kind.
    heard = io.BytesIO()
    first.to_pretty_midi().write(heard)
    (tmp_path / "pretty.mid").write_bytes(heard.getvalue())
    pretty = engine.compose(model=model, prompt=pretty_midi.PrettyMIDI(str(path)), bars=3)
    assert pretty == engine.compose(model=model, prompt=tmp_path / "pretty.mid", bars=3)


def test_music_tells_what_it_takes_to_compose_it_again() -> None:
    music = engine.compose("folk", seed=None, bars=4, density=3)
    assert 0 <= music.seed < 1 << 32
    again = engine.compose(model=music.model, seed=music.seed, bars=4, **music.controls)
    assert again == music
    assert again.midi == music.midi


def test_music_that_was_never_heard_is_asked_for_by_no_seed(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert engine.compose(model=model, bars=2).seed == 1
    monkeypatch.setattr(composing, "fresh_seed", lambda: 77)
    assert engine.compose(model=model, bars=2, seed=None) == engine.compose(
        model=model, bars=2, seed=77
    )


def test_values_of_python_and_numpy_are_what_the_command_reads_as_text(
    tmp_path: Path, model: Path
) -> None:
    texts = {
        "tempo": "90",
        "parts": "1 2",
        "programs": "1:40 2:42",
        "scale": " ".join(["1"] * 12),
        "temperature": "all:1 pitch:0.9",
        "chords": "Am F C G",
        "key": "auto",
    }
    values = {
        "tempo": np.float32(90),
        "parts": (1, np.int64(2)),
        "programs": {1: 40, np.int8(2): 42},
        "scale": np.ones(12, int),
        "temperature": {"all": 1, "pitch": 0.9},
        "chords": ["Am", "F", "C", "G"],
        "key": None,
    }
    words = [word for name, text in texts.items() for word in ("--set", f"{name}={text}")]
    music = engine.compose(model=model, bars=np.int64(3), seed=np.uint8(2), **values)  # type: ignore[arg-type]
    assert music.midi == written(tmp_path, "--model", model, "--bars", 3, "--seed", 2, *words)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"tempoo": 90}, "there is no control 'tempoo': did you mean 'tempo'?"),
        ({"presets": "folk"}, "there is no control 'presets': did you mean 'preset'?"),
        ({"colour": "blue"}, "there is no control 'colour': choose from preset, model, seed, "),
        ({"preset": "chorall"}, "there is no preset 'chorall': did you mean 'chorale'?"),
        ({"model": "defualt"}, "no model 'defualt', neither a file nor embedded: did you mean def"),
        ({"style": "romantik"}, "this model has no style 'romantik': did you mean 'romantic'?"),
        ({"tempo": 9999}, "tempo cannot be 9999: give a number from 20 to 300"),
        ({"tempo": object()}, "tempo cannot be a object: give a number"),
        ({"parts": {1, 9}}, "parts cannot be this list: give numbers of parts from 1 to 8"),
        ({"key": "H minor"}, "key: "),
        ({"seed": -1}, "seed cannot be -1: give a whole number from 0 to"),
        ({"seed": 1.5}, "seed cannot be 1.5: give a whole number"),
        ({"bars": 0}, "bars cannot be 0: give a whole number from 1 to 10000000"),
        ({"bars": True}, "bars cannot be true: give a whole number"),
        ({"minutes": 0}, "minutes cannot be 0: give a number above 0"),
        ({"minutes": "long"}, "minutes cannot be 'long': give a number above 0"),
        ({"prompt": 3}, "prompt cannot be 3: give the path of a MIDI file"),
        ({"prompt": "nowhere.mid"}, "prompt nowhere.mid does not exist: check the path"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(asked: Mapping[str, object], sentence: str) -> None:
    with pytest.raises(PerpetuoError) as caught:
        engine.compose(**asked)  # type: ignore[arg-type]
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_prompt_that_is_no_music_is_named(tmp_path: Path) -> None:
    path = tmp_path / "text.mid"
    path.write_text("no music")
    with pytest.raises(MidiError, match=r"text\.mid: this is no MIDI file"):
        engine.compose(prompt=path)


def test_what_should_be_known_of_a_prompt_is_a_warning_at_the_line_that_names_it(
    tmp_path: Path, model: Path
) -> None:
    path = tmp_path / "patterns.mid"
    note = bytes.fromhex("00903c40 60803c00 00ff2f00")
    path.write_bytes(file_of(note, note, kind=2))
    with pytest.warns(UserWarning, match="2 patterns are pieces of their own") as caught:
        engine.compose(model=model, prompt=path, bars=1)
    assert [warning.filename for warning in caught] == [__file__]


def test_no_control_has_the_name_of_another_argument() -> None:
    for function in (engine.compose, engine.stream):
        names = set(inspect.signature(function).parameters) - {"controls"}
        assert names <= set(composing._ARGUMENTS)
        assert not names & CONTROL.keys()
    assert set(composing._ARGUMENTS) < set(inspect.signature(engine.compose).parameters)


def test_the_engine_has_these_names_and_no_others() -> None:
    assert {"compose", "stream", "resume", "Music", "MusicStream"} <= set(dir(engine))
    with pytest.raises(AttributeError, match="compost"):
        engine.compost  # noqa: B018


def test_composing_loads_no_library_that_it_does_not_need() -> None:
    unneeded = {"torch", "mido", "pretty_midi", "tqdm", "asyncio", "matplotlib"}
    line = f"import engine, sys; engine.compose(bars=1); print({unneeded!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_what_is_chosen_is_not_lent_by_a_prompt(tmp_path: Path, model: Path) -> None:
    path = tmp_path / "tune.mid"
    path.write_bytes(write(tune(1)))
    lent = engine.compose(model=model, prompt=path, bars=1)
    chosen = engine.compose(model=model, prompt=path, bars=1, tempo=77)
    assert lent.controls["tempo"] == 120.0
    assert chosen.controls == {**lent.controls, "tempo": 77.0}
