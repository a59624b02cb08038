"""What the system tells of running processes (Linux alone tells it like this), and processes that
take its cores from others."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
# Ends by itself if whoever started it is gone.
_SPIN = """
import os
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""


def can_tell() -> bool:
    return (_PROC / "self" / "smaps_rollup").exists()


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that do nothing with all their might, until the block ends."""
    spinning = [subprocess.Popen([sys.executable, "-c", _SPIN]) for _ in range(count)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


@contextmanager
def at_once() -> Iterator[bool]:
    """Until the block ends this thread runs whenever it has something to do, so that it does not
    take its own delays for those of others; whether the system permits it."""
    policy, before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        os.sched_setscheduler(0, policy, before)


def cpu_seconds(pid: int) -> float:
    """Seconds of a core that a process, all its threads together, has used so far."""
    words = _stat(pid)
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def waiting_seconds(pid: int) -> float:
    """Seconds that its threads could have run and had no core."""
    waited = 0
    for task in (_PROC / str(pid) / "task").iterdir():
        try:
            waited += int((task / "schedstat").read_text("ascii").split()[1])
        except OSError:
            continue  # it has ended
    return waited / 1e9


def composers(pid: int) -> list[int]:
    """The composing processes of a server."""
    return _children(pid, b"server.composing")


def makers_of_sound(pid: int) -> list[int]:
    """The process of a server that makes sound, if it has one."""
    return _children(pid, b"server.audio")


def _children(pid: int, module: bytes) -> list[int]:
    children = (child for child, parent in _families() if parent == pid)
    return [child for child in children if module in _words(child)]


def _words(pid: int) -> list[bytes]:
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:  # it has ended
        return []


class Memory(NamedTuple):
    """Bytes: `resident` counts pages that several processes share in each of them, `proportional`
    divides them."""

    resident: int
    proportional: int


def memory(pid: int) -> Memory:
    rows = (_PROC / str(pid) / "smaps_rollup").read_text("ascii", "replace").splitlines()
    found = {row.split()[0]: 1024 * int(row.split()[1]) for row in rows if row.endswith(" kB")}
    return Memory(found["Rss:"], found["Pss:"])


def _stat(pid: int) -> list[str]:
    """The fields from the state on: the name before it may hold anything."""
    return (_PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()


def _families() -> Iterator[tuple[int, int]]:
    for path in _PROC.iterdir():
        if path.name.isdecimal():
            try:
                yield int(path.name), int(_stat(int(path.name))[1])
            except (OSError, IndexError):
                continue  # it has ended
