"""`perpetuo serve` in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0  # seconds

# 2/4 at 300: a bar lasts 0.4 seconds.
BRISK = """
lookahead = 3
snapshot_bars = 4
[[station]]
name = "test"
seed = 7
controls = {{ tempo = 300, metre = "2/4", density = 4 }}
[osc]
port = 0
{more}
"""
NO_MIDI = "[midi]\nenabled = false\n"
SILENT = NO_MIDI + "[audio]\nenabled = false\n"


def brisk(folder: Path, more: str = SILENT) -> Path:
    """A configuration of one station of short bars; `more` stands at its end."""
    path = folder / "brisk.toml"
    path.write_text(BRISK.format(more=more), "utf-8")
    return path


def _words(pid: int) -> list[bytes]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "server", "serve", *map(str, words)]


class Served:
    """A running server; `said` holds its lines so far, on whichever stream."""

    def __init__(self, *words: object) -> None:
        self._process = subprocess.Popen(
            command(*words),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,  # as a terminal's foreground job: Ctrl-C goes to all of the group
        )
        self.pid = self._process.pid
        self.said: list[str] = []
        self._more = threading.Condition()
        self._is_over = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None, "it was made with a pipe"
        with self._process.stdout as lines:
            for line in lines:
                with self._more:
                    self.said.append(line.rstrip("\n"))
                    self._more.notify_all()
        with self._more:
            self._is_over = True
            self._more.notify_all()

    def until(self, pattern: str, since: int = 0) -> str:
        """The first line, from the one numbered `since` on, in which this is found."""
        end = monotonic() + PATIENCE
        with self._more:
            while True:
                found = [line for line in self.said[since:] if re.search(pattern, line)]
                if found:
                    return found[0]
                waiting = not self._is_over and monotonic() < end
                assert waiting, f"never said {pattern!r}, but {self.said}"
                self._more.wait(1)

    @property
    def page(self) -> str:
        return self.until(r"^  page ").split()[1]

    @property
    def osc(self) -> int:
        return int(self.until(r"^  OSC ").split()[-1])

    def send_osc(self, address: str) -> None:
        """A message without arguments."""
        text = address.encode()
        message = text + bytes(4 - len(text) % 4) + b",\0\0\0"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(message, ("127.0.0.1", self.osc))

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.page + path, timeout=PATIENCE) as answer:
            return str(answer.read().decode())

    def metric(self, name: str) -> float:
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.get("metrics"), re.MULTILINE)
        assert found, f"there is no metric {name}"
        return float(found[1])

    def station(self) -> dict[str, object]:
        """The message `state` of the station."""
        return dict(json.loads(self.get("api/stations/test")))

    def bar(self) -> int:
        """The bar that sounds, -1 before the first."""
        bar = self.station()["bar"]
        return bar if isinstance(bar, int) else -1

    def until_bar(self, bar: int) -> None:
        """Wait until this bar has begun."""
        end, pause = monotonic() + PATIENCE, threading.Event()
        while self.bar() < bar:
            assert monotonic() < end, f"bar {bar} never came"
            pause.wait(0.05)

    def composing(self) -> int:
        """The id of the composing process."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/children")
        children = {int(pid) for path in tasks for pid in path.read_text().split()}
        (found,) = (child for child in children if b"server.composing" in _words(child))
        return found

    def is_catching(self, number: int) -> bool:
        """Whether it has said what it does at this signal."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"^SigCgt:\s*(\w+)", status, re.MULTILINE)
        return found is not None and bool(int(found[1], 16) >> (number - 1) & 1)

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def interrupt(self) -> None:
        """Ctrl-C at its terminal."""
        os.killpg(self.pid, signal.SIGINT)

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        code = self._process.wait(PATIENCE)
        self._reader.join()
        return code

    def end(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """As a loss of power would; nothing of it stays."""
        self._process.kill()
        self._process.wait()
        self._reader.join()


@contextmanager
def serving(*words: object) -> Iterator[Served]:
    """A server that plays already; killed if it still runs at the end."""
    served = Served(*words)
    try:
        served.until("^Ctrl-C ends it")
        yield served
    finally:
        served.kill()
