"""Sends visitors or listeners to a server, as a process of their own, and leads them."""

from __future__ import annotations

import os
import subprocess
import sys
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from common.errors import StreamError
from server.benches.live.processes import cpu_seconds
from server.benches.live.served import ROOT
from server.benches.live.visitors import OpenedCounts, VisitCounts, VisitPlan

T = TypeVar("T")


class ClientProcess:
    """The process of a module that is told words on its standard input and answers in lines of
    JSON; it ends with the block."""

    def __init__(self, module: str, address: str, plan: msgspec.Struct) -> None:
        words = [address, msgspec.json.encode(plan).decode()]
        paths = filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def cpu(self) -> float:
        return cpu_seconds(self._process.pid)

    def say(self, word: bytes) -> None:
        assert self._process.stdin is not None, "it was made with a pipe"
        self._process.stdin.write(word)
        self._process.stdin.flush()

    def read(self, kind: type[T]) -> T:
        assert self._process.stdout is not None, "it was made with a pipe"
        line = self._process.stdout.readline()
        if not line:
            raise StreamError("the process of the bench's own clients has died")
        return msgspec.json.decode(line, type=kind)


class VisitorsProcess(ClientProcess):
    """The process of the visitors."""

    def __init__(self, address: str, plan: VisitPlan) -> None:
        super().__init__("server.benches.live.visitors", address, plan)

    def opened(self) -> OpenedCounts:
        """Wait until everybody is in, or their patience ends."""
        return self.read(OpenedCounts)

    def count(self) -> None:
        self.say(b"count\n")

    def end(self) -> VisitCounts:
        self.say(b"end\n")
        return self.read(VisitCounts)
