"""docs/osc-steering.md works as it stands: what is sent is done, and nothing is refused."""

from __future__ import annotations

import re
import shlex
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bundles import tiny_bytes
from tests.clients.hosts import CLIENTS, PATIENCE, free_port, program
from tests.doc_steps import do, steps
from tests.server.served import Served, brisk, serving

PAGE = "osc-steering.md"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    model, configuration = tmp_path / "tiny.onnx", brisk(tmp_path)
    model.write_bytes(tiny_bytes("gpt"))
    text = configuration.read_text().replace('name = "test"', 'name = "study"')
    configuration.write_text(text)
    with serving(configuration, "--model", model, "--port", 0, "--state", tmp_path) as served:
        yield served


def adapted(script: str, served: Served, own: int) -> str:
    """The script for this server and its model, with its pauses and ramps shortened."""
    script = script.replace("8771", str(served.osc)).replace("9000", str(own))
    script = script.replace("folk", "calm").replace("romantic", "lively")
    # Of a random network hardly two notes sound together in so sparse a preset: no chord is heard.
    script = script.replace("s ambient", "s chorale")
    script = script.replace("cd clients", f"cd {CLIENTS}").replace("sleep 120", "sleep 1")
    return re.sub(r"^(\./ramp\.sh \w+ \d+ \d+) \d+$", r"\1 1", script, flags=re.MULTILINE)


def test_every_message_of_the_page_is_obeyed(served: Served, tmp_path: Path) -> None:
    program("oscsend", "liblo-tools")
    own = free_port()
    listening = None
    missing = {"bar", "chord", "tempo", "key", "state"}
    try:
        for kind, script in steps(PAGE):
            script = adapted(script, served, own)
            if kind == "listen":
                words = shlex.split(script)
                listening = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
            else:
                do(f"export PERPETUO_PORT={served.osc}\n{script}", tmp_path)
        assert listening is not None
        assert listening.stdout is not None
        watchdog = threading.Timer(PATIENCE, listening.kill)
        watchdog.start()
        for line in listening.stdout:
            missing.discard(line.split()[1].rpartition("/")[2])
            if not missing:
                break
        watchdog.cancel()
    finally:
        if listening is not None:
            listening.kill()
            listening.communicate()
    assert not missing
    assert served.metric("perpetuo_osc_refused_total") == 0
