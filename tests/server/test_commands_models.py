"""`perpetuo models` says what a bundle says of itself."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import pytest
from onnx import TensorProto, helper

from common.errors import BundleError
from engine.library import models
from engine.music.fields import CONTEXT
from engine.network.bundle import METADATA_KEY, Specification, StateTensor
from engine.representations.codec import codec
from server.commands.cli import main

CARD = {
    "data": [{"title": "Chorales", "pieces": 371, "licence": "CC0-1.0"}],
    "licence": "CC0-1.0",
    "figures": {"nats a note": {"validation": 4.25, "test": 4.5}},
}


def specification(name: str) -> Specification:
    return Specification(
        name=name,
        network="lstm",
        codec="notes",
        event=tuple((field.name, field.size) for field in codec("notes").fields),
        context=tuple((field.name, field.size) for field in CONTEXT.values()),
        styles=("baroque", "folk"),
        states=(StateTensor("hidden0", (4,), "carry"), StateTensor("cell0", (4,), "carry")),
        parameters=1234,
        card=CARD,
    )


def bundle(spec: Specification) -> bytes:
    """A model file whose graph has the right inputs and hands each one on."""
    shapes = {
        "inputs": [None, None, len(spec.event) + len(spec.context)],
        "mix": [None, spec.mix_width],
        "bias": [None, spec.event_width],
        "noise": [None, spec.event_width],
        **{state.name: [None, *state.shape] for state in spec.states},
    }
    shapes["inputs"][:2] = ["B", "T"]
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]
    outputs = [
        helper.make_tensor_value_info(f"{n}_out", TensorProto.FLOAT, s) for n, s in shapes.items()
    ]
    nodes = [helper.make_node("Identity", [name], [f"{name}_out"]) for name in shapes]
    graph = helper.make_graph(nodes, "step", values, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    helper.set_model_props(model, {METADATA_KEY: spec.to_json()})
    content: bytes = model.SerializeToString()
    return content


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model and a file that is none, beside one embedded model."""
    folder = tmp_path / "shelf"
    for place, name in ((folder, "mine"), (tmp_path / "embedded", "theirs")):
        place.mkdir()
        (place / f"{name}.onnx").write_bytes(bundle(specification(name)))
    (folder / "broken.onnx").write_bytes(b"no model")
    (folder / "notes.txt").write_bytes(b"no model either")
    monkeypatch.setattr(models, "EMBEDDED", tmp_path / "embedded")
    return folder


def test_the_list_holds_embedded_models_and_those_of_folders(
    shelf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", str(shelf), "--json"]) == 0
    theirs, broken, mine = json.loads(capsys.readouterr().out)
    assert (theirs["name"], mine["name"]) == ("theirs", "mine")
    assert mine["styles"] == ["baroque", "folk"]
    assert mine["bytes"] == (shelf / "mine.onnx").stat().st_size
    assert "ONNX" in broken["error"]
    assert main(["models", str(shelf)]) == 0
    text = capsys.readouterr().out
    assert all(word in text for word in ("theirs", "mine", "broken", "baroque, folk"))


def test_everything_about_a_model_is_shown(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = shelf / "mine.onnx"
    assert main(["models", "inspect", str(path), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    spec = specification("mine")
    assert {name: shown[name] for name in asdict(spec)} == json.loads(json.dumps(asdict(spec)))
    assert shown["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert {"style", "metre", "density", "chords"} <= set(shown["controls"])
    assert shown["state_bytes"] == 2 * 4 * 4  # two states of four floats


def test_the_page_names_every_field_state_and_line_of_the_card(
    shelf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "inspect", str(shelf / "mine.onnx")]) == 0
    text = capsys.readouterr().out
    assert all(len(line) <= 80 for line in text.splitlines() if "/" not in line)
    labels = {line.split()[0] for line in text.splitlines() if line.strip()}
    assert {*CONTEXT, "part", "pitch", "velocity", "delta", "hidden0", "cell0"} <= labels
    for word in ("Chorales", "371", "CC0-1.0", "4.25"):
        assert word in text


def test_an_embedded_model_goes_by_its_name(
    shelf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "inspect", "theirs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "theirs"
    with pytest.raises(BundleError, match=r"no model 'their', neither .*did you mean theirs"):
        models.model_file("their")
    with pytest.raises(BundleError, match="'perpetuo models' lists"):
        models.model_file("xyzzy")


def test_an_empty_list_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(models, "EMBEDDED", tmp_path)
    assert main(["models"]) == 1
    assert "name a folder that has some" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["inspect"], "inspect shows one model"),
        (["inspect", "missing.onnx"], "missing.onnx does not exist"),
        (["missing/"], "missing is not a folder"),
        (["."], "there is no .onnx file in ."),
    ],
)
def test_what_is_not_there_is_named(
    shelf: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    complaint: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["models", *words]) == 1
    assert complaint in capsys.readouterr().err
