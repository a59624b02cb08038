"""A private JACK server without sound, and an ear in another process that notes what comes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from common.errors import PortError
from server.benches.live.served import ROOT

# Synchronous (-S), so that nothing is lost on a busy machine; what is heard is up to a period late.
PERIOD, SAMPLES_A_SECOND = 256, 48_000
COMMAND = f"jackd -r -S -n {{name}} -d dummy -r {SAMPLES_A_SECOND} -p {PERIOD} -C 0 -P 0"
READY_WITHIN = 30
END_WITHIN = 10


def is_installed() -> bool:
    return bool(shutil.which("jackd") and shutil.which("jack_wait"))


class JackServer:
    """The server, until the block ends. `environment` is for programs that are to use it."""

    def __init__(self) -> None:
        self.name = f"perpetuo-bench-{os.getpid()}"
        self.environment = {
            "JACK_DEFAULT_SERVER": self.name,
            "JACK_NO_AUDIO_RESERVATION": "1",
            "JACK_NO_START_SERVER": "1",
        }

    def __enter__(self) -> Self:
        self._process = self._run(*COMMAND.format(name=self.name).split())
        waiting = self._run("jack_wait", "-w", "-t", str(READY_WITHIN))
        if waiting.wait() != 0 or self._process.poll() is not None:
            self._end()
            raise PortError("jackd does not start here: what JACK hears cannot be measured")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        # Asked first: one that is killed keeps one of the machine's eight places for servers.
        self._process.terminate()
        try:
            self._process.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for left in Path("/dev/shm").glob(f"jack*{self.name}*"):
            left.unlink(missing_ok=True)

    def _run(self, *words: str) -> subprocess.Popen[bytes]:
        silent = subprocess.DEVNULL
        environment = {**os.environ, **self.environment}
        return subprocess.Popen(words, env=environment, stdout=silent, stderr=silent)


class ReceivedNote(NamedTuple):
    """A note-on as it was received, in microseconds of the monotonic clock."""

    at: int
    channel: int  # from 1
    pitch: int


class JackListener:
    """A process that listens to the port of this name, as soon as there is one."""

    def __init__(self, port: str, jack: JackServer) -> None:
        paths = filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "server.benches.live.jack_listener", port],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **jack.environment, "PYTHONPATH": os.pathsep.join(paths)},
        )
        self.heard: list[ReceivedNote] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        # It is not asked: its JACK server may be gone.
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _read(self) -> None:
        assert self._process.stdout is not None, "it was made with a pipe"
        for line in self._process.stdout:
            at, (status, pitch, velocity) = json.loads(line)
            if status & 0xF0 == 0x90 and velocity:
                self.heard.append(ReceivedNote(at, (status & 0x0F) + 1, pitch))
