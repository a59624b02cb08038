"""Which child a process is, starting it at the other end of a socket pair, and seeing that it is
gone.

Use in the event loop; nothing here waits without a limit.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

HANGS_AFTER = 6.0  # seconds without a word; twice as many while it starts, when disks are slow
START_WITHIN = 180.0  # seconds until it is ready: a large model on a busy machine


@dataclass(frozen=True)
class ChildKind:
    """Times in seconds."""

    name: str  # as logs have it: "the composing process"
    command: tuple[str, ...]  # its line and its argument are added
    environment: Mapping[str, str] = field(default_factory=dict)
    most_waiting: int = 64 * 2**20  # bytes that it may leave unread before it is taken for hanging
    hangs_after: float = HANGS_AFTER
    start_within: float = START_WITHIN
    # Before it is started again: nothing at the first failure, then pauses that double. Failures
    # are forgotten once it has lived for so long.
    first_pause: float = 0.25
    longest_pause: float = 15.0
    lives_after: float = 30.0

    def pause(self, failures: int) -> float:
        """Before it is started again after so many failures in a row."""
        if failures <= 1:
            return 0.0
        return min(self.first_pause * 2.0 ** min(failures - 2, 16), self.longest_pause)


log = logging.getLogger("perpetuo.server")

_ROOT = Path(__file__).parents[2]
SPAWN_WITHIN = 20.0  # seconds that the system may take to begin a process
KILLED_WITHIN = 5.0  # seconds; one that waits for a broken disk may take for ever
_LOOK_AGAIN = 0.02


def python_module(name: str) -> tuple[str, ...]:
    """The command line that runs a module of ours."""
    return sys.executable, "-P", "-m", name


async def started(
    command: Sequence[str],
    theirs: socket.socket,
    argument: str,
    environment: Mapping[str, str],
) -> subprocess.Popen[bytes]:
    """Run `COMMAND FD ARGUMENT` with its end of the line, which is closed here. OSError if the
    system refuses, TimeoutError if it takes too long; what begins all the same is killed."""
    words = [*command, str(theirs.fileno()), argument]
    work = asyncio.ensure_future(asyncio.to_thread(_spawn, words, theirs, environment))
    try:
        return await asyncio.wait_for(asyncio.shield(work), SPAWN_WITHIN)
    except TimeoutError:
        work.add_done_callback(_kill_late)
        raise TimeoutError(f"the system took more than {SPAWN_WITHIN:.0f} s to begin it") from None
    except BaseException:
        if work.done():
            theirs.close()
        work.add_done_callback(_kill_late)
        raise


def _spawn(
    words: Sequence[str], theirs: socket.socket, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Its standard error is ours; what is typed at the terminal, an interrupt included, does not
    reach it."""
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    with theirs:
        return subprocess.Popen(
            words,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(paths)},
            process_group=0,
        )


def _kill_late(work: asyncio.Future[subprocess.Popen[bytes]]) -> None:
    """Nobody waits for it any more."""
    if work.cancelled() or work.exception() is not None:
        return
    process = work.result()
    process.kill()
    process.poll()


async def reaped(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait for a process whose line has ended to be gone itself; it is killed after so long."""
    if await _is_gone(process, seconds):
        return
    log.warning("process %d did not end: it is killed", process.pid)
    process.kill()
    if not await _is_gone(process, KILLED_WITHIN):
        log.error("process %d cannot be ended: it is left behind", process.pid)


async def _is_gone(process: subprocess.Popen[bytes], seconds: float) -> bool:
    end = monotonic() + seconds
    while process.poll() is None:
        if monotonic() >= end:
            return False
        await asyncio.sleep(_LOOK_AGAIN)
    return True
