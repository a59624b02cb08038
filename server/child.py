"""A child process of the server at the other end of a socket pair: what the processes that compose
and that make sound have in common. Use in the event loop."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]
CHUNK = 1 << 18  # bytes that are read or written at once
# Waits before a process that died is started again: none for one that lived, then longer ones.
LIVED, FIRST_WAIT, LONGEST_WAIT = 30.0, 0.25, 15.0


def spawn(
    module: str, theirs: socket.socket, argument: str, environment: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start `python -m MODULE FD ARGUMENT` with its end of the line. Its standard error is ours;
    what is typed at the terminal, an interrupt included, does not reach it."""
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, str(theirs.fileno()), argument],
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **(environment or {}), "PYTHONPATH": os.pathsep.join(paths)},
        process_group=0,
    )


async def reap(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for a process whose line has ended to be gone itself; False if it had to be killed."""
    try:
        await asyncio.to_thread(process.wait, seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        await asyncio.to_thread(process.wait)
        return False
    return True


def next_wait(wait: float, lived: float) -> float:
    """Seconds until a process that lived so long is started again; `wait` was the wait before."""
    return 0.0 if lived > LIVED else min(max(2 * wait, FIRST_WAIT), LONGEST_WAIT)


class Outbox:
    """Bytes on their way into a socket that does not block: what it does not take is kept."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._waiting = bytearray()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, data: bytes) -> None:
        if not self._waiting:
            asyncio.get_running_loop().add_writer(self._line, self._write)
        self._waiting += data
        self._write()

    def close(self) -> None:
        asyncio.get_running_loop().remove_writer(self._line)

    def _write(self) -> None:
        try:
            while self._waiting:
                sent = self._line.send(memoryview(self._waiting)[:CHUNK])
                del self._waiting[:sent]
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            self._waiting.clear()  # what it still had to say is read first, then its end
        self.close()
