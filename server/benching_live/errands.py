"""Sends visitors to a server, as a process of their own, and leads them."""

from __future__ import annotations

import os
import subprocess
import sys
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from engine.errors import StreamError
from server.benching_live.processes import cpu_seconds
from server.benching_live.served import ROOT
from server.benching_live.visitors import Counted, Errand, Opened

T = TypeVar("T")


class Crowd:
    """The process of the visitors; it ends with the block."""

    def __init__(self, address: str, errand: Errand) -> None:
        words = [address, msgspec.json.encode(errand).decode()]
        paths = filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "server.benching_live.visitors", *words],
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

    def opened(self) -> Opened:
        """Wait until everybody is in, or their patience ends."""
        return self._read(Opened)

    def count(self) -> None:
        self._say(b"count\n")

    def end(self) -> Counted:
        self._say(b"end\n")
        return self._read(Counted)

    def cpu(self) -> float:
        return cpu_seconds(self._process.pid)

    def _say(self, word: bytes) -> None:
        assert self._process.stdin is not None, "it was made with a pipe"
        self._process.stdin.write(word)
        self._process.stdin.flush()

    def _read(self, kind: type[T]) -> T:
        assert self._process.stdout is not None, "it was made with a pipe"
        line = self._process.stdout.readline()
        if not line:
            raise StreamError("the process of the bench's own clients has died")
        return msgspec.json.decode(line, type=kind)
