"""A private JACK server on its dummy driver, and an ear in another process.

    def test_x(jack_server: JackServer) -> None: ...

with `from tests.server.jack import jack_server` in the test module.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

# Synchronous (-S) and with long periods: nothing is lost on a busy machine. No sound card needed.
COMMAND = "jackd -r -S -n {name} -d dummy -r 48000 -p 512 -C 0 -P 0"
READY = 30  # seconds

# Prints what comes as lines of JSON: [microseconds of the monotonic clock, message].
EAR = """
import json, os, sys, time
import rtmidi
port = sys.argv[1]
# A name of its own: what is left of an ear that has outlived its server would disturb this one.
ear = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, f"ear{os.getpid()}")
ear.ignore_types(timing=False)
def hear(event, data):
    print(json.dumps([time.monotonic_ns() // 1000, event[0]]), flush=True)
ear.set_callback(hear)
while not (found := [i for i, name in enumerate(ear.get_ports()) if name.endswith(":" + port)]):
    time.sleep(0.01)
ear.open_port(found[0], "in")
print(json.dumps([0, []]), flush=True)
sys.stdin.read()
ear.close_port()
ear.delete()
"""


class JackServer:
    def __init__(self, name: str) -> None:
        self.name = name
        self._environment = {**os.environ, "JACK_DEFAULT_SERVER": name}
        self._environment |= {"JACK_NO_AUDIO_RESERVATION": "1", "JACK_NO_START_SERVER": "1"}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Skips the test if the server does not come up."""
        if not self._starts():
            pytest.skip("jackd does not start here")

    def _starts(self) -> bool:
        self._process = self._run(*COMMAND.format(name=self.name).split())
        waiting = self._run("jack_wait", "-w", "-t", str(READY))
        return waiting.wait() == 0 and self._process.poll() is None

    def kill(self) -> None:
        """As a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Politely: a server that is killed keeps one of the eight places that the machine has
        for servers, until one of its name begins again and ends."""
        if self._process is None:
            self._starts()
        assert self._process is not None, "it was started at least now"
        self._process.terminate()
        self._process.wait(READY)
        for left in Path("/dev/shm").glob(f"jack_sem.*_{self.name}_*"):
            left.unlink(missing_ok=True)  # of clients that outlived the server

    def _run(self, *words: str) -> subprocess.Popen[bytes]:
        silent = subprocess.DEVNULL
        return subprocess.Popen(words, env=self._environment, stdout=silent, stderr=silent)


@pytest.fixture
def jack_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[JackServer]:
    """A running server that this process and its children use as their JACK server."""
    if not (shutil.which("jackd") and shutil.which("jack_wait")):
        pytest.skip("jackd is not installed (apt-get install jackd2)")
    server = JackServer(f"perpetuo{os.getpid()}")
    monkeypatch.setenv("JACK_DEFAULT_SERVER", server.name)
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    try:
        server.start()
        yield server
    finally:
        server.close()


class Heard(NamedTuple):
    time: int  # microseconds of the monotonic clock
    message: tuple[int, ...]


class Ear:
    """Another process that listens to a port, from when it is made (it waits for the port)."""

    def __init__(self, port: str) -> None:
        words = [sys.executable, "-c", EAR, port]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            words, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
        )
        self._lines: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.heard: list[Heard] = []
        self._lines.get(timeout=READY)  # it listens

    def until(self, is_last: Callable[[tuple[int, ...]], bool], timeout: float = 30) -> list[Heard]:
        """Everything up to a message; queue.Empty if none comes for so many seconds."""
        while not (self.heard and is_last(self.heard[-1].message)):
            self.heard.append(self._lines.get(timeout=timeout))
        return self.heard

    def close(self) -> None:
        assert self._process.stdin is not None, "the ear was made with a pipe"
        self._process.stdin.close()  # which ends it
        try:
            self._process.wait(READY)
        finally:
            self._process.kill()
            self._reader.join()
            if self._process.stdout is not None:
                self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None, "the ear was made with a pipe"
        for line in self._process.stdout:
            time, message = json.loads(line)
            self._lines.put(Heard(time, tuple(message)))
