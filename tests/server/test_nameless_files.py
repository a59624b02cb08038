"""Files whose names are in no encoding: every command takes them, or refuses them in a sentence,
and shows the name as far as it can be shown."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from engine.files.midi import write
from engine.library.models import model_file
from server.audio.libraries import soundfont
from server.base.console import complain, tolerate_any_encoding
from tests.tunes import tune

ROOT = Path(__file__).parents[2]
NAME = "\udce9t\udce9"  # as Latin 1 has a summer
SHOWN = "\ufffdt\ufffd"

RUN = """
import contextlib, io, json, sys
from server.commands.cli import main
for words in json.load(sys.stdin):
    said, told = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(said):
        code = main(words)
        said.flush(), told.flush()
    print(json.dumps([code, *(stream.buffer.getvalue().decode() for stream in (said, told))]))
"""

# Each with the code that it ends with; {} is the name.
COMMANDS = """
0 compose --bars 1 -o {}.mid --log {}.log
0 compose --bars 1 -o {}2.mid --json
0 compose --bars 1 --prompt {}.mid --model {}.onnx --log {}3.log -o {}3.mid
1 compose --bars 1 --preset {}.toml -o {}4.mid
0 replay {}.log -o {}5.mid --json
1 replay {}.log --model {}none.onnx -o {}6.mid
0 render {}.mid --seconds 1 -o {}.wav --json
0 render {}.mid --seconds 1 -o {}/{}.opus
0 render {}.log --seconds 1 -o {}.flac
1 render {}none.mid -o {}.mp3
1 render --soundfont {}.mid -o {}.mp3
0 render --soundfont {}.sf2 --seconds 1 -o {}.mp3
0 models {}
0 models {} --json
0 models inspect {}.onnx
0 models inspect {}.onnx --json
1 presets {}.toml
1 presets {}
0 presets --folder {}
1 serve {}.toml --check
1 serve --model {}.onnx --check
1 serve --state {} --check
1 serve --preset {} --check
0 roll {}.mid -o {}.png --title {}
0 data {} -o {}/set --jobs 1
1 train {}.toml
1 export {}.toml -o {}9.onnx
0 evaluate {}.onnx {} --notes 50 --bars 0 --styles 0 --png {}e.png
0 evaluate {}.onnx {} --notes 50 --bars 0 --styles 0 --json
2 {}
2 compose --{}
"""


class Said(NamedTuple):
    code: int
    output: str
    errors: str


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Said]:
    folder = tmp_path_factory.mktemp("names")
    (folder / NAME).mkdir()
    for i in range(9):
        (folder / NAME / f"{NAME}{i}.mid").write_bytes(write(tune(i, 90)))
    shutil.copy(model_file("lstm"), folder / f"{NAME}.onnx")
    shutil.copy(model_file("lstm"), folder / NAME / f"{NAME}.onnx")
    (folder / f"{NAME}.sf2").symlink_to(soundfont(None))
    lines = COMMANDS.split("\n")[1:-1]
    words = [[word.replace("{}", NAME) for word in line.split()[1:]] for line in lines]
    ran = subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps(words).encode(),
        capture_output=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=600,
    )
    told = [Said(*json.loads(line)) for line in ran.stdout.decode().splitlines()]
    assert len(told) == len(lines), ran.stderr[-2000:].decode()
    return dict(zip(lines, told, strict=True))


def test_each_command_ends_as_with_any_other_name(heard: dict[str, Said]) -> None:
    assert {line: said.code for line, said in heard.items()} == {
        line: int(line.split()[0]) for line in heard
    }, list(heard.values())


def test_names_are_shown_as_far_as_they_can_be(heard: dict[str, Said]) -> None:
    quiet = {line for line, said in heard.items() if SHOWN not in said.output + said.errors}
    assert {line.split()[1] for line in quiet} <= {"compose", "presets", "serve"}
    for line, said in heard.items():
        if "--json" in line.split():
            json.loads(said.output)
            assert "\\ud" not in said.output


def test_an_output_of_another_encoding_gets_question_marks() -> None:
    told = io.TextIOWrapper(io.BytesIO(), "latin-1")
    with contextlib.redirect_stderr(told):
        tolerate_any_encoding()
        complain(f"{NAME} é 🎵")
        told.flush()
    assert told.buffer.getvalue().decode("latin-1").endswith("?t? é ?\n")
