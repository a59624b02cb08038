"""A process beside the tests that sees when the machine stands still: `python witness.py FILE`.

It wants to be woken a hundred times a second and computes nothing. Whenever it is woken much too
late, nobody was given any time, and no music can have been on time either. It writes down when, on
the monotonic clock, and ends when nobody holds its standard input any more.
"""

from __future__ import annotations

import select
import subprocess
import sys
import time
from pathlib import Path

EVERY = 0.01  # seconds
MUCH = 0.05  # seconds; half of what makes a note too late to be played


class Witness:
    """What the process wrote down; whoever started it ends it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def stalls(self, begin: float, end: float) -> list[float]:
        """The seconds for which the machine stood still, each time, between these moments."""
        found = []
        for line in self._path.read_text().splitlines():
            woken, late = map(float, line.split())
            if woken > begin and woken - late < end:
                found.append(late)
        return found


def start(path: Path) -> subprocess.Popen[bytes]:
    path.touch()
    return subprocess.Popen([sys.executable, "-SE", __file__, path], stdin=subprocess.PIPE)


def main(path: str) -> None:
    with open(path, "a", buffering=1) as notes:
        due = time.monotonic() + EVERY
        while not select.select([sys.stdin], [], [], EVERY)[0]:
            now = time.monotonic()
            if now - due > MUCH:
                notes.write(f"{now:.3f} {now - due:.3f}\n")
            due = now + EVERY


if __name__ == "__main__":
    main(sys.argv[1])
