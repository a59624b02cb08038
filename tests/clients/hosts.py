"""Programs that other people wrote, as clients of a real server, and what they heard."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from tests.bundles import tiny_bytes
from tests.server.served import brisk
from tests.server.test_serving import newest_log, replayed

CLIENTS = Path(__file__).parents[2] / "clients"
PATIENCE = 120  # seconds
BEATS = 2  # of a bar of the brisk configuration

# For the brisk configuration: two parts, and so much ahead that a busy machine loses nothing.
PATIENT = {
    "lookahead = 3": "lookahead = 8\nhorizon = 1500",
    "density = 4": "density = 4, parts = [1, 8]",
    "[osc]": "[osc]\nahead = 1000",
}

Heard = tuple[int, int, int]  # part, pitch, velocity


def program(name: str, package: str) -> str:
    """The path of a program; the test is skipped if the system lacks it."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (apt-get install {package})")
    return found


def run(*words: object, **environment: object) -> list[str]:
    """What a program prints until it ends by itself; all that it started ends with it."""
    more = {name: str(value) for name, value in environment.items()}
    process = subprocess.Popen(
        [str(word) for word in words],
        env={**os.environ, **more},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        said, _ = process.communicate()
        pytest.fail(f"{words[0]} did not end by itself; it said:\n{said}")
    assert process.returncode == 0, said
    return said.splitlines()


def free_port() -> int:
    """A UDP port of this machine that nobody has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def patient(folder: Path) -> list[object]:
    """What to serve: a station of a tiny model, whose files are in this folder."""
    model, configuration = folder / "tiny.onnx", brisk(folder)
    model.write_bytes(tiny_bytes("gpt"))
    text = configuration.read_text("utf-8")
    for old, new in PATIENT.items():
        text = text.replace(old, new)
    configuration.write_text(text, "utf-8")
    return [configuration, "--model", model, "--port", 0, "--state", folder]


def composed(folder: Path, bars: int) -> dict[int, list[Heard]]:
    """The notes that were begun in each bar, as the control log gives them back."""
    log, logs = newest_log(folder)
    return {
        index: sorted((n.part, n.pitch, n.velocity) for n in bar.notes if not n.tie & 2)
        for index, bar in replayed(folder / "tiny.onnx", log, logs, bars).items()
    }


def agree(heard: Mapping[int, Iterable[Heard]], folder: Path) -> None:
    """What was heard of each bar is what was composed, but for the first and last of them, of
    which a part may be missing."""
    first, last = min(heard), max(heard)
    wanted = composed(folder, last)
    whole = {index: wanted[index] for index in range(first + 1, last)}
    assert sum(map(len, whole.values())) > 8
    assert {index: sorted(heard.get(index, ())) for index in whole} == whole
