"""Whatever a command reads, a device without end and a pipe without a writer are refused at once.

All commands run in one process that has little memory to spend and little time for each.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pytest

from engine.files.control_log import ControlLog, write
from engine.library.models import model_file
from server.commands.cli import USER_ERROR
from tests.export.trainings import tune_dataset

ROOT = Path(__file__).parents[2]
MEMORY = 6 << 30  # bytes of addresses, of which torch and onnxruntime take some without using them
SECONDS = 60  # for a command; they take a fraction of it, but for what they import

RUN = f"""
import contextlib, io, json, resource, signal, sys
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))
from server.commands.cli import main
for words in json.load(sys.stdin):
    print(json.dumps(words), end="\\t", flush=True)
    said, told = io.StringIO(), io.StringIO()
    signal.alarm({SECONDS})  # which ends the process
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(said):
        code = main(words)
    signal.alarm(0)
    print(json.dumps([code, said.getvalue(), told.getvalue()]), flush=True)
"""

# What a command is given, {} being the file.
COMMANDS = """
compose --bars 1 --model {} -o out.mid
compose --bars 1 --prompt {} -o out.mid
compose --bars 1 --preset preset.toml -o out.mid
replay {} -o out.mid
replay whole.log --model {} -o out.mid
replay segment.log -o out.mid
render {} -o out.wav
render tune.mid --soundfont {} -o out.wav
render --bars 1 --model {} -o out.wav
render --bars 1 --prompt {} -o out.wav
models inspect {}
presets preset.toml
presets --folder presets
presets --folder {}
serve {} --check
serve --model {} --check
serve --model endless.onnx --check
serve server_model.toml --check
serve server_presets.toml --check
serve server_token.toml --check
serve server_certificate.toml --check
serve server_soundfont.toml --check
bench --model {}
bench live --model {}
roll {} -o out.png
data {} -o set
data music -o set --jobs 1
data packed -o set --jobs 1
data frames.json -o set
data music -o set --manifest {} --jobs 1
data music -o set --styles styles.toml --jobs 1
train {}
data manifested -o set --jobs 1
train start.toml
train arrays.toml
train resume.toml
export {} -o out.onnx
export checkpoint.pt -o out.onnx --card {}
evaluate {} music
evaluate default --presets preset.toml --endurance 1
evaluate default {}
evaluate default music --train {}
data manifested -o set --jobs 1
"""


class Said(NamedTuple):
    code: int
    output: str
    errors: str


@pytest.fixture(scope="module", params=["device", "pipe"])
def heard(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Said]:
    """What each command said, by its line."""
    folder = tmp_path_factory.mktemp(request.param)
    endless = _endless(folder / "endless", request.param)
    _lay_out(folder, endless)
    lines = COMMANDS.split("\n")[1:-1]
    words = [[word.format("endless") for word in line.split()] for line in lines]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps(words).encode(),
        capture_output=True,
        cwd=folder,
        env=environment,
        timeout=600,
    )
    told = [line.split("\t") for line in ran.stdout.decode().splitlines()]
    assert all(len(parts) == 2 and parts[1] for parts in told), (told[-1], ran.stderr[-2000:])
    assert len(told) == len(lines), ran.stderr[-2000:]
    return {line: Said(*json.loads(parts[1])) for line, parts in zip(lines, told, strict=True)}


def _endless(path: Path, kind: str) -> Path:
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    return path


def _lay_out(folder: Path, endless: Path) -> None:
    """Files that name the endless one, or are one among others."""
    for name in ("endless.onnx", "preset.toml", "styles.toml", "frames.json", "state.snapshot"):
        (folder / name).symlink_to(endless)
    places = [
        "presets/mine.toml",
        "music/a.mid",
        "music/b.musicxml",
        "manifested/MANIFEST.csv",
        "packed/a.zip",
    ]
    for place in [*places, "run/last.pt"]:
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).symlink_to(endless)
    settings = {
        "model": 'model = "endless.onnx"',
        "presets": 'presets = "presets"',
        "token": '[web]\ntoken_file = "endless"',
        "certificate": '[web]\ntls_certificate = "endless"\ntls_key = "endless"',
        "soundfont": '[audio]\nsoundfont = "endless"',
    }
    for name, text in settings.items():
        (folder / f"server_{name}.toml").write_text(text)
    log = ControlLog("default", sha256(model_file("default").read_bytes()).hexdigest(), 1, bars=1)
    (folder / "whole.log").write_bytes(write(log))
    segment = replace(log, snapshot="state.snapshot", first=4, end=5)
    (folder / "segment.log").write_bytes(write(segment))
    _lay_out_trainings(folder, endless)


def _lay_out_trainings(folder: Path, endless: Path) -> None:
    (folder / "tunes").mkdir()
    dataset = tune_dataset(folder / "tunes")
    shutil.copytree(dataset, folder / "arrays")
    (folder / "arrays" / "events.npy").unlink()
    (folder / "arrays" / "events.npy").symlink_to(endless)
    trainings = {
        "start": f'data = "{dataset}"\nout = "other"\nstart = "endless.onnx"',
        "arrays": 'data = "arrays"\nout = "other"',
        "resume": f'data = "{dataset}"\nout = "run"',
    }
    for name, text in trainings.items():
        (folder / f"{name}.toml").write_text(text)


def test_it_is_refused_in_one_sentence(
    heard: dict[str, Said], request: pytest.FixtureRequest
) -> None:
    """Folders that hold such a file are looked through, and it is named among what is wrong."""
    kind = request.node.callspec.params["heard"]
    for line, said in heard.items():
        assert said.code == USER_ERROR, (line, said)
        assert said.errors.count("\n") == 1, (line, said)
        assert said.errors.startswith("perpetuo: "), (line, said)
        if line != "presets --folder {}":  # which is no folder, whatever it is
            assert f" is a {kind}: name a regular file" in said.errors, (line, said)
