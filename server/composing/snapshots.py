"""Snapshots of streams: now and then, when one is asked for, and of all at the end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from common.errors import OutputError
from engine.composing.snapshot import save
from server.composing import messages
from server.composing.composed_stream import ComposedStream
from server.composing.server_connection import ServerConnection
from server.composing.settings import ComposerSettings
from server.composing.snapshot_writer import SnapshotWriter, StreamSnapshot, snapshot_name
from server.composing.waker import Waker

log = logging.getLogger("perpetuo.composing")

# Between two snapshots that nobody asked for: bounds what many streams write.
KEEP_GAP = 50_000
MOST_UNWRITTEN = 4


class Snapshots:
    """What is written is reported; `report_written` does that."""

    def __init__(
        self,
        settings: ComposerSettings,
        line: ServerConnection,
        waker: Waker,
        now: Callable[[], int],
    ) -> None:
        self.settings, self.line, self.now = settings, line, now
        self.writer = SnapshotWriter(waker)
        self._last = 0
        self._in_trouble = False

    def now_and_then(self, voice: ComposedStream, bar: int) -> None:
        """Save a stream that has composed this bar, if it is time to."""
        settings, time = self.settings, self.now()
        if (
            not settings.directory
            or bar - voice.kept < settings.keep_every
            or time - self._last < KEEP_GAP
            or self.writer.waiting >= MOST_UNWRITTEN
            or not voice.can_be_saved
        ):
            return
        self._last = time
        self.keep(voice, 0)

    def keep(self, voice: ComposedStream, request: int) -> None:
        """Save a stream that can be saved; OutputError if there is no place to."""
        if not self.settings.directory:
            raise OutputError("no folder for snapshots was named: set one in the configuration")
        voice.kept = voice.composer.first_open
        data = save(voice.composer)
        path = self._path(voice.name)
        self.writer.keep(StreamSnapshot(request, voice.stream, voice.kept, path, data))

    def remove(self, voice: ComposedStream) -> None:
        """Forget what was saved of a stream."""
        if self.settings.directory:
            self.writer.remove(self._path(voice.name))

    def _path(self, name: str) -> Path:
        return Path(self.settings.directory, snapshot_name(name))

    def report_written(self) -> None:
        for snapshot, failure in self.writer.written():
            request, stream, bar = snapshot.request, snapshot.stream, snapshot.bar
            if not failure:
                self._in_trouble = False
                self.line.report(messages.SnapshotReport(request, stream, bar, str(snapshot.path)))
                continue
            if request:
                self.line.report(messages.RefusalReport(request, stream, "OutputError", failure))
            if not self._in_trouble:  # said once, until it works again
                self._in_trouble = True
                log.warning("%s", failure)
                self.line.report(messages.TroubleReport(stream, failure))

    def save_all(self, voices: Iterable[ComposedStream]) -> None:
        """The end: save whatever can be, and return when it has been written and reported."""
        for voice in voices:
            if not self.settings.directory or voice.member.is_catching_up:
                continue
            try:
                if voice.can_be_saved:
                    self.keep(voice, 0)
            except Exception:  # all others are saved
                log.exception("%s could not be saved", voice.name)
            while self.writer.waiting >= MOST_UNWRITTEN:
                self.line.listen(0.01)
                self.report_written()
        self.writer.close()
        self.report_written()
