"""Snapshots of streams: now and then, when one is asked for, and of all at the end. They are
written in a thread of their own: a slow disk must not hold up the music."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from common.errors import OutputError
from engine.composing.snapshot import save
from server.composing import messages
from server.composing.composed_stream import ComposedStream
from server.composing.messages import ComposerSettings, snapshot_name
from server.composing.server_connection import ServerConnection, Waker


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
    """A queue of snapshots and the thread that writes them; it wakes whoever waits when one is
    done."""

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
            self._waker.wake()


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


log = logging.getLogger("perpetuo.composing")

# Between two snapshots that nobody asked for: bounds what many streams write.
KEEP_GAP = 50_000
MOST_UNWRITTEN = 4


class Snapshots:
    """What is written is reported; `report_written` does that."""

    def __init__(
        self,
        settings: ComposerSettings,
        connection: ServerConnection,
        waker: Waker,
        now: Callable[[], int],
    ) -> None:
        self.settings, self.connection, self.now = settings, connection, now
        self.writer = SnapshotWriter(waker)
        self._last = 0
        self._in_trouble = False

    def now_and_then(self, composed: ComposedStream, bar: int) -> None:
        """Save a stream that has composed this bar, if it is time to."""
        settings, time = self.settings, self.now()
        if (
            not settings.directory
            or bar - composed.kept < settings.keep_every
            or time - self._last < KEEP_GAP
            or self.writer.waiting >= MOST_UNWRITTEN
            or not composed.can_be_saved
        ):
            return
        self._last = time
        self.keep(composed, 0)

    def keep(self, composed: ComposedStream, request: int) -> None:
        """Save a stream that can be saved; OutputError if there is no place to."""
        if not self.settings.directory:
            raise OutputError("no folder for snapshots was named: set one in the configuration")
        composed.kept = composed.composer.first_open
        data = save(composed.composer)
        path = self._path(composed.name)
        self.writer.keep(StreamSnapshot(request, composed.stream, composed.kept, path, data))

    def remove(self, composed: ComposedStream) -> None:
        """Forget what was saved of a stream."""
        if self.settings.directory:
            self.writer.remove(self._path(composed.name))

    def _path(self, name: str) -> Path:
        return Path(self.settings.directory, snapshot_name(name))

    def report_written(self) -> None:
        for snapshot, failure in self.writer.written():
            request, stream, bar = snapshot.request, snapshot.stream, snapshot.bar
            if not failure:
                self._in_trouble = False
                self.connection.report(
                    messages.SnapshotReport(request, stream, bar, str(snapshot.path))
                )
                continue
            if request:
                self.connection.report(
                    messages.RefusalReport(request, stream, "OutputError", failure)
                )
            if not self._in_trouble:  # said once, until it works again
                self._in_trouble = True
                log.warning("%s", failure)
                self.connection.report(messages.TroubleReport(stream, failure))

    def save_all(self, composed_streams: Iterable[ComposedStream]) -> None:
        """The end: save whatever can be, and return when it has been written and reported."""
        for composed in composed_streams:
            if not self.settings.directory or composed.member.is_catching_up:
                continue
            try:
                if composed.can_be_saved:
                    self.keep(composed, 0)
            except Exception:  # all others are saved
                log.exception("%s could not be saved", composed.name)
            while self.writer.waiting >= MOST_UNWRITTEN:
                self.connection.listen(0.01)
                self.report_written()
        self.writer.close()
        self.report_written()
