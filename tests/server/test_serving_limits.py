"""A running server that can open no file, and a composing process that dies meanwhile."""

from __future__ import annotations

import json
import os
import resource
import signal
from pathlib import Path

import pytest

from tests.bundles import tiny_bytes
from tests.server.served import brisk, serving

pytestmark = pytest.mark.in_time

FILES = resource.RLIMIT_NOFILE


def test_composing_comes_back_when_files_can_be_opened_again(tmp_path: Path) -> None:
    model = tmp_path / "tiny.onnx"
    model.write_bytes(tiny_bytes("gpt"))
    words = (brisk(tmp_path), "--model", model, "--port", 0, "--state", tmp_path)
    with serving(*words) as served:
        served.until_bar(3)
        first = served.composing()
        soft, hard = resource.prlimit(served.pid, FILES)
        resource.prlimit(served.pid, FILES, (3, hard))
        try:
            os.kill(first, signal.SIGKILL)
            since = len(served.said)
            for _ in range(3):  # and so on, for ever
                line = served.until("composing process cannot be started", since)
                assert "Too many open files" in line
                since = served.said.index(line, since) + 1
        finally:
            resource.prlimit(served.pid, FILES, (soft, hard))
        served.until("the composing process is there again")
        assert served.composing() != first
        served.until_bar(served.bar() + 8)
        health = json.loads(served.get("health"))
        told = health["processes"]["composing 1"]
        assert (told["state"], told["restarts"]) == ("up", 1)
        assert "Too many open files" in told["last_failure"]
        assert served.metric('perpetuo_process_failures_total{process="composing 1"}') >= 4
        assert served.metric('perpetuo_process_up{process="composing 1"}') == 1
        late = served.metric("perpetuo_bars_late_total")
        served.until_bar(served.bar() + 5)
        assert served.metric("perpetuo_bars_late_total") == late
        assert served.end() == 0
