"""A private Icecast: Debian's, on a free port of this machine, as nobody.

    def test_x(icecast: Icecast) -> None: ...

with `from tests.server.icecast import icecast` in the test module.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests.server.sound import PATIENCE

SOURCE, ADMIN = "source-secret", "admin-secret"
SHARED = Path("/usr/share/icecast2")
CONFIGURATION = """
<icecast>
  <limits><sources>4</sources><clients>20</clients></limits>
  <authentication>
    <source-password>{source}</source-password>
    <admin-user>admin</admin-user><admin-password>{admin}</admin-password>
  </authentication>
  <hostname>localhost</hostname>
  <listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket>
  <paths>
    <logdir>{folder}</logdir><webroot>{shared}/web</webroot><adminroot>{shared}/admin</adminroot>
  </paths>
  <logging><accesslog>access.log</accesslog><errorlog>error.log</errorlog></logging>
  <security><chroot>0</chroot>{owner}</security>
</icecast>
"""
OWNER = "<changeowner><user>nobody</user><group>nogroup</group></changeowner>"


class Icecast:
    """`start` and `stop` as often as wanted; the port stays."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        is_root = os.geteuid() == 0  # which it refuses to be
        folder.chmod(0o777)
        self._configuration = folder / "icecast.xml"
        self._configuration.write_text(
            CONFIGURATION.format(
                source=SOURCE,
                admin=ADMIN,
                port=self.port,
                folder=folder,
                shared=SHARED,
                owner=OWNER if is_root else "",
            ),
            "utf-8",
        )

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        silent = subprocess.DEVNULL
        words = ["icecast2", "-c", str(self._configuration)]
        self._process = subprocess.Popen(words, stdout=silent, stderr=silent)
        self.until(lambda: self.sources() is not None)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE)
            self._process = None

    def sources(self) -> list[dict[str, Any]] | None:
        """What is sent to it, None if it does not answer."""
        try:
            with urllib.request.urlopen(f"{self.address}/status-json.xsl", timeout=5) as answer:
                found = json.loads(answer.read())["icestats"].get("source", [])
        except (OSError, ValueError):
            return None
        return [found] if isinstance(found, dict) else list(found)

    def until(self, holds: Any) -> None:
        end, pause = monotonic() + PATIENCE, threading.Event()
        while not holds():
            assert monotonic() < end, f"it never was so: {self.sources()}"
            pause.wait(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def icecast() -> Iterator[Icecast]:
    if not shutil.which("icecast2"):
        pytest.skip("icecast2 is not installed (apt-get install icecast2)")
    # Not below pytest's folder, which only its owner may enter.
    with tempfile.TemporaryDirectory(prefix="perpetuo-icecast-") as folder:
        server = Icecast(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()
