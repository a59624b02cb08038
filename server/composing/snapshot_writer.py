"""Writes snapshots to disk, in a thread of its own: a slow disk must not hold up the music."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from server.composing.waker import Waker

SUFFIX = ".stream"


def snapshot_name(name: str) -> str:
    """The file name of a stream's snapshot: safe, whatever the stream is called."""
    return quote(name, safe=" ()+,=@") + SUFFIX


class StreamSnapshot(NamedTuple):
    """A stream's state to be written; `request` is 0 for one of its own accord."""

    request: int
    stream: int
    bar: int
    path: Path
    data: bytes


class WrittenSnapshot(NamedTuple):
    """What became of a snapshot; `failure` is a sentence, "" if it is on the disk."""

    snapshot: StreamSnapshot
    failure: str


class SnapshotWriter:
    """A queue of snapshots and the thread that writes them; it wakes whoever waits when one is done."""

    def __init__(self, waker: Waker) -> None:
        self.waiting = 0  # given and not yet reported
        self._waker = waker
        self._in: queue.SimpleQueue[StreamSnapshot | Path | None] = queue.SimpleQueue()
        self._out: queue.SimpleQueue[WrittenSnapshot] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="snapshots", daemon=True)
        self._thread.start()

    def keep(self, snapshot: StreamSnapshot) -> None:
        self.waiting += 1
        self._in.put(snapshot)

    def remove(self, path: Path) -> None:
        """Delete a snapshot, after all that is waiting was written."""
        self._in.put(path)

    def written(self) -> list[WrittenSnapshot]:
        """What was written, or failed, since the last call."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._out.get_nowait())
        self.waiting -= len(found)
        return found

    def close(self) -> None:
        """Write all that is waiting, which `written` then tells; the thread ends."""
        self._in.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (snapshot := self._in.get()) is not None:
            if isinstance(snapshot, Path):
                with contextlib.suppress(OSError):
                    snapshot.unlink()
                continue
            self._out.put(WrittenSnapshot(snapshot, _write(snapshot.path, snapshot.data)))
            self._waker.ring()


def _write(path: Path, data: bytes) -> str:
    """Put a file in place at once; a sentence if that fails.

    It is not forced out to the disk: after a power cut an older state, or none, must do.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        return (
            f"the snapshot {path} cannot be written ({error.strerror or error}): the music goes "
            "on, but could not be taken up from there"
        )
    return ""
