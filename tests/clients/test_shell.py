"""The shell examples, with liblo's tools and Python's WebSocket program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator

import pytest

from tests.bundles import tiny_bytes
from tests.clients.hosts import CLIENTS, PATIENCE, free_port, program, run
from tests.server.served import Served, brisk, serving

pytestmark = pytest.mark.in_time

SHELL = CLIENTS / "shell"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    model = folder / "tiny.onnx"
    model.write_bytes(tiny_bytes("gpt"))
    with serving(brisk(folder), "--model", model, "--port", 0, "--state", folder) as served:
        yield served


def first_lines(count: int, *words: object, **environment: object) -> list[str]:
    """So many lines of a script that goes on until Ctrl-C, which then ends all of it."""
    more = {name: str(value) for name, value in environment.items()}
    process = subprocess.Popen(
        [str(word) for word in words],
        env={**os.environ, **more},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None, "it was made with a pipe"
    watchdog = threading.Timer(PATIENCE, os.killpg, (process.pid, signal.SIGKILL))
    watchdog.start()
    try:
        lines = [line for line, _ in zip(process.stdout, range(count), strict=False)]
        os.killpg(process.pid, signal.SIGINT)
        process.stdout.read()  # until nobody of them can write any more
        process.wait()
        assert len(lines) == count, lines
    finally:
        watchdog.cancel()
        process.stdout.close()
    return lines


def test_what_a_station_plays_is_printed(served: Served) -> None:
    program("oscdump", "liblo-tools")
    lines = first_lines(
        40,
        *(SHELL / "listen.sh", "test", "notes", "bars"),
        PERPETUO_PORT=served.osc,
        LISTEN_PORT=free_port(),
    )
    addresses = {line.split()[1] for line in lines}
    # The end of a note is told where it was not known when the note began.
    assert addresses - {"/perpetuo/test/off"} == {"/perpetuo/test/note", "/perpetuo/test/bar"}


def test_a_control_is_moved(served: Served) -> None:
    program("oscsend", "liblo-tools")
    run(SHELL / "ramp.sh", "density", 2, 8, 1, PERPETUO_PORT=served.osc, STATION="test")
    served.until_bar(served.bar() + 1)
    controls = served.station()["controls"]
    assert isinstance(controls, dict)
    assert controls["density"] == 8


def test_a_ramp_that_is_not_said_whole_is_refused() -> None:
    refused = subprocess.run([SHELL / "ramp.sh", "density"], stderr=subprocess.PIPE, text=True)
    assert refused.returncode == 2
    assert "CONTROL FROM TO SECONDS" in refused.stderr


def test_bars_come_over_the_websocket(served: Served) -> None:
    address = served.page.replace("http", "ws") + "ws"
    lines = first_lines(12, SHELL / "bars.sh", "test", address)
    types = [json.loads(line)["type"] for line in lines]
    assert types[:3] == ["welcome", "ack", "state"]
    assert types.count("bar") == 9
