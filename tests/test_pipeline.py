"""From a folder of music to a MIDI file, by the commands that a user types."""

from __future__ import annotations

import json
from pathlib import Path

import mido
import pytest

from engine.files.midi import write
from server.commands.cli import main
from tests.tunes import tune

CONFIG = """
data = "set"
out = "run"
name = "mine"
network = "{network}"
width = 32
layers = 2
heads = 2
inner = 48
window = 16
ring = 48
step_rotations = 4
tick_rotations = 4
steps = 6
rows = 2
length = 64
validate_every = 3
validation_rows = 2
checkpoint_every = 2
precision = "fp32"
threads = 1
"""


def must(*arguments: object) -> None:
    assert main([str(argument) for argument in arguments]) == 0


@pytest.fixture
def music(tmp_path: Path) -> Path:
    for i in range(24):
        folder = tmp_path / "music" / ("folk" if i % 2 else "hymn")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i:02}.mid").write_bytes(write(tune(i, 80)))
    return tmp_path / "music"


@pytest.mark.parametrize("network", ["gpt", "lstm"])
@pytest.mark.parametrize("representation", ["notes", "performance"])
def test_a_model_is_made_and_composes(
    music: Path,
    tmp_path: Path,
    network: str,
    representation: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    must("data", music, "-o", tmp_path / "set", "--representation", representation, "--jobs", 1)
    (tmp_path / "run.toml").write_text(CONFIG.format(network=network))
    must("train", tmp_path / "run.toml")
    (tmp_path / "card.toml").write_text('licence = "unknown"\nmaker = "me"\n')
    bundle = tmp_path / "mine.onnx"
    best = tmp_path / "run" / "best.pt"
    capsys.readouterr()
    (tmp_path / "more.toml").write_text('about = "tunes"\nlicence = "CC0 1.0"\n')
    cards = ("--card", tmp_path / "card.toml", "--card", tmp_path / "more.toml")
    must("export", best, "-o", bundle, *cards, "--json")
    exported = json.loads(capsys.readouterr().out)
    assert exported["largest_deviation"] <= 1e-4
    assert exported["bits"] == 8
    must("models", "inspect", bundle, "--json")
    shown = json.loads(capsys.readouterr().out)
    assert (shown["name"], shown["network"], shown["codec"]) == ("mine", network, representation)
    assert (shown["card"]["licence"], shown["card"]["maker"]) == ("CC0 1.0", "me")
    assert shown["card"]["training"]["steps"] == 6
    song, again = tmp_path / "song.mid", tmp_path / "again.mid"
    log = tmp_path / "song.log"
    must("compose", "--model", bundle, "--bars", 6, "-o", song, "--log", log)
    must("replay", log, "-o", again)
    assert song.read_bytes() == again.read_bytes()
    assert mido.MidiFile(song).type == 1
    prompt = music / "folk" / "01.mid"
    must("compose", "--model", bundle, "--bars", 2, "--prompt", prompt, "-o", tmp_path / "on.mid")
    assert mido.MidiFile(tmp_path / "on.mid").type == 1


def test_nothing_is_written_over_or_left_half(
    music: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    must("data", music, "-o", tmp_path / "set", "--jobs", 1)
    (tmp_path / "run.toml").write_text(CONFIG.format(network="gpt"))
    must("train", tmp_path / "run.toml")
    bundle = tmp_path / "mine.onnx"
    bundle.write_bytes(b"mine")
    capsys.readouterr()
    assert main(["export", str(tmp_path / "run" / "best.pt"), "-o", str(bundle)]) == 1
    assert "--force" in capsys.readouterr().err
    assert bundle.read_bytes() == b"mine"
    bad = tmp_path / "bad.pt"
    bad.write_bytes(b"no checkpoint")
    assert main(["export", str(bad), "-o", str(tmp_path / "new.onnx")]) == 1
    assert "perpetuo train" in capsys.readouterr().err
    assert not list(tmp_path.glob("new.onnx*"))
    assert not list((tmp_path / "run").glob("*.part"))
