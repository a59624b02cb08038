"""A real `perpetuo serve` for a bench: on free ports of this machine alone, with nothing kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from common.errors import StreamError
from server.base.clock import monotonic_us
from server.benches.live.processes import Memory, composers, cpu_seconds, memory, waiting_seconds

ROOT = Path(__file__).parents[3]
READY_WITHIN = 120.0  # seconds, on a machine however busy
END_WITHIN = 30.0
MANY = 4096  # what limits visitors must not limit the bench
STATION = "bench"
RESTING = f"""
[[station]]
name = "{STATION}"
preset = "study"
seed = 1
start = "stopped"
"""
NO_MIDI = "\n[midi]\nenabled = false\n"


class Setup(NamedTuple):
    """What is served: a model, threads of the network, and what the configuration says besides
    its doors. `words` follow on the command line."""

    model: str = "default"
    threads: int = 1
    configuration: str = RESTING + NO_MIDI
    words: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}


class Served:
    """A server that plays, until the block ends."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._folder = tempfile.TemporaryDirectory(prefix="perpetuo-bench-")
        self._home = Path(self._folder.name)

    def __enter__(self) -> Self:
        path = self._home / "bench.toml"
        path.write_text(_configuration(self._setup), "utf-8")
        words = [sys.executable, "-P", "-m", "server", "serve", str(path), *self._setup.words]
        paths = filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        self.started = monotonic_us()
        with (self._home / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [*words, "--state", str(self._home / "state")],
                stdout=subprocess.PIPE,
                stderr=log,
                env={**environment, **self._setup.environment},
            )
        try:
            self.page = self._read_page()
        except BaseException:
            self._clear()
            raise
        self.ready = monotonic_us()
        self.pid = self._process.pid
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._clear()

    def _read_page(self) -> str:
        """The address that the server prints; StreamError if it prints none."""
        assert self._process.stdout is not None, "it was made with a pipe"
        watchdog = threading.Timer(READY_WITHIN, self._process.kill)
        watchdog.start()
        try:
            for line in self._process.stdout:
                words = line.decode("utf-8", "replace").split()
                if words[:1] == ["page"]:
                    return words[1]
        finally:
            watchdog.cancel()
        raise StreamError(f"the server did not start: {self.last_words()}")

    def last_words(self) -> str:
        lines = (self._home / "log").read_text("utf-8", "replace").splitlines()
        return lines[-1].removeprefix("perpetuo: ") if lines else "it said nothing"

    def complaints(self) -> list[str]:
        """Warnings and errors that it has logged."""
        lines = (self._home / "log").read_text("utf-8", "replace").splitlines()
        return [line for line in lines if " WARNING " in line or " ERROR " in line]

    def end(self) -> None:
        """As Ctrl-C would; what it has written lies there until the block ends."""
        process = self._process
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _clear(self) -> None:
        self.end()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._folder.cleanup()

    # -- reading ---------------------------------------------------------------------------------

    @property
    def socket(self) -> str:
        """Address of the WebSocket."""
        return f"ws{self.page.removeprefix('http')}ws"

    @property
    def logs(self) -> Path:
        """The folder of the control logs."""
        return self._home / "state" / "logs"

    def metrics(self) -> dict[str, float]:
        """The figures of /metrics, by name and labels as they stand there."""
        with urllib.request.urlopen(f"{self.page}metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        rows = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in rows}

    def cpu(self) -> tuple[float, float]:
        """Seconds of a core that serving and composing have used."""
        return cpu_seconds(self.pid), sum(map(cpu_seconds, composers(self.pid)))

    def memory(self) -> tuple[Memory, Memory]:
        composing = [memory(pid) for pid in composers(self.pid)]
        return memory(self.pid), Memory(*map(sum, zip(*composing, strict=True)))

    def waited(self) -> float:
        """Seconds that serving and composing could have run and had no core."""
        return sum(map(waiting_seconds, [self.pid, *composers(self.pid)]))


def _configuration(setup: Setup) -> str:
    head = f"model = {json.dumps(setup.model)}\nthreads = {setup.threads}\n"
    doors = (
        f"\n[web]\nport = 0\nmax_clients = {MANY}\nmax_own_streams = {MANY}\nrate = 1000\n"
        "\n[osc]\nport = 0\n"
    )
    return head + setup.configuration + doors
