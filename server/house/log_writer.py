"""The control logs of running streams: what `perpetuo replay` needs to give back what was heard.

One file an epoch of a stream, in segments: a segment that has grown too long is closed, and the
next one begins with a snapshot, so that each can be replayed alone and old ones are deleted. A disk
that cannot be written to never stops the music.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from common.errors import PerpetuoError
from engine.files.control_log import (
    ControlLog,
    LoggedChange,
    change_line,
    end_line,
    header_line,
    heard_line,
    late_line,
)
from server.house.events import (
    BarKeptAsItWas,
    BarPlanned,
    BarsLeapt,
    ChangeAnnounced,
    StateTurned,
    StreamEvent,
)
from server.house.metrics import Counters
from server.house.resume_state import ResumeState, heard_as
from server.house.stream import ENDED, Stream

log = logging.getLogger("perpetuo.logs")

RETRY = 30_000_000  # microseconds until a log that could not be written is begun anew
SUFFIX = ".jsonl"
OWN = "own"  # own streams share one number of files
# What stands behind the name of a stream in that of a file, as a pattern.
_STAMP, _COUNT = f"{'[0-9]' * 8}T{'[0-9]' * 6}", "[0-9]" * 6


@dataclass(frozen=True, slots=True)
class LogRules:
    """Where the logs go, the size at which a segment is closed, and how many are kept: of each
    station, and ten times as many of all own streams together."""

    directory: Path
    max_bytes: int
    keep: int


class LogSegment:
    """One open file."""

    def __init__(self, path: Path, header: bytes) -> None:
        self.path = path
        self._file = path.open("xb", buffering=0)
        self.size = 0
        try:
            self.write(header)
        except OSError:
            self._file.close()
            raise

    def write(self, line: bytes) -> None:
        self.size += self._file.write(line)

    def close(self) -> None:
        self._file.close()


class ControlLogWriter:
    """Listens to streams and writes their logs.

    `keep` has the composing process save a stream now, and gives what it saved.
    """

    def __init__(
        self,
        rules: LogRules,
        clock: Callable[[], int],
        counters: Counters,
        keep: Callable[[Stream], Awaitable[ResumeState]],
    ) -> None:
        self.rules, self.now, self.counters, self.keep = rules, clock, counters, keep
        self._segments: dict[str, LogSegment] = {}
        self._streams: dict[str, Stream] = {}
        self._epochs: dict[str, int] = {}
        self._count = 0  # of segments, in their names
        self._broken: dict[str, int] = {}  # since when a stream's log cannot be written

    def hear(self, stream: Stream, event: StreamEvent) -> None:
        match event:
            case StateTurned(state="ended"):
                self._finish(stream)
            case StateTurned() if self._epochs.get(stream.name) != event.epoch:
                self._begin_epoch(stream, event.epoch)
            case ChangeAnnounced() if event.composed >= 0:  # else it is what an epoch began with
                self._write(stream, change_line(_change(event)))
            case BarPlanned(planned) if stream.is_bridged(planned.index):
                self._write(stream, late_line(planned.index) + heard_line(heard_as(planned.bar)))
            case BarKeptAsItWas(planned):
                self._write(stream, heard_line(heard_as(planned.bar)))
            case BarsLeapt(bar, to, tick):
                self._write(stream, change_line(LoggedChange(bar, to=to, tick=tick)))
            case _:
                pass

    async def tick(self) -> None:
        """Go on in new segments where the old one is full, or could not be written for a while."""
        for name, stream in list(self._streams.items()):
            segment = self._segments.get(name)
            is_full = segment is not None and segment.size >= self.rules.max_bytes
            since = self._broken.get(name)
            may_retry = since is not None and self.now() - since >= RETRY
            if is_full or may_retry:
                await self._go_on(stream)

    def close(self) -> None:
        """Close all files, without an end: the streams go on when the server does."""
        for segment in self._segments.values():
            segment.close()
        self._segments.clear()
        self._streams.clear()

    # -- segments --------------------------------------------------------------------------------

    def _begin_epoch(self, stream: Stream, epoch: int) -> None:
        self._close_segment(stream, end=stream.last_epoch_end)
        self._streams[stream.name], self._epochs[stream.name] = stream, epoch
        self._broken.pop(stream.name, None)
        self._open(stream, stream.kept if stream.kept.path else None)

    async def _go_on(self, stream: Stream) -> None:
        """Another segment of the same epoch, from a snapshot of now."""
        epoch = stream.epoch
        try:
            kept = await self.keep(stream)
        except PerpetuoError as error:
            self._break(stream, str(error))
            return
        is_on = self._streams.get(stream.name) is stream and stream.state != ENDED
        if is_on and stream.epoch == epoch:
            self._close_segment(stream)
            self._broken.pop(stream.name, None)
            self._open(stream, kept)

    def _open(self, stream: Stream, kept: ResumeState | None) -> None:
        path = self._new_path(stream)
        snapshot = path.with_suffix(".stream") if kept is not None else None
        try:
            if kept is not None and snapshot is not None:
                shutil.copyfile(kept.path, snapshot)
            header = header_line(_header(stream, snapshot, kept))
            segment = LogSegment(path, header)
            for line in _lines_since(kept) if kept else ():
                segment.write(line)
        except (OSError, PerpetuoError) as error:
            _remove(path, snapshot)
            self._break(stream, str(error))
            return
        self._segments[stream.name] = segment
        self._delete_old(stream)

    def _new_path(self, stream: Stream) -> Path:
        """A name that sorts by time; the wall clock is good enough for that."""
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        self._count += 1
        return self.rules.directory / f"{stream.name}-{stamp}-{self._count:06d}{SUFFIX}"

    def _write(self, stream: Stream, line: bytes) -> None:
        segment = self._segments.get(stream.name)
        if segment is None:
            return
        try:
            segment.write(line)
        except OSError as error:
            self._close_segment(stream)
            self._break(stream, error.strerror or str(error))

    def _break(self, stream: Stream, reason: str) -> None:
        if stream.name not in self._broken:
            log.warning("%s is not logged: %s; tried again in a while", stream.name, reason)
        self.counters.troubles += 1
        self._broken[stream.name] = self.now()

    def _finish(self, stream: Stream) -> None:
        self._close_segment(stream, end=stream.resting_bar(self.now()) + 1)
        self._streams.pop(stream.name, None)
        self._epochs.pop(stream.name, None)
        self._broken.pop(stream.name, None)

    def _close_segment(self, stream: Stream, end: int | None = None) -> None:
        if end is not None:
            self._write(stream, end_line(end))
        segment = self._segments.pop(stream.name, None)
        if segment is not None:
            segment.close()

    def _delete_old(self, stream: Stream) -> None:
        name, most = stream.name, self.rules.keep
        if not stream.is_station:
            name, most = f"{OWN}-*", 10 * self.rules.keep
        in_use = {segment.path for segment in self._segments.values()}
        for path in logs_of(self.rules.directory, name)[:-most]:
            if path not in in_use:
                _remove(path, path.with_suffix(".stream"))


def logs_of(directory: Path, name: str) -> list[Path]:
    """The logs of a stream, oldest first, and none of another one whose name begins with its."""
    return sorted(directory.glob(f"{name}-{_STAMP}-{_COUNT}{SUFFIX}"), key=_stamp)


def _stamp(path: Path) -> tuple[str, str]:
    *_, stamp, count = path.stem.split("-")
    return stamp, count


def _remove(*paths: Path | None) -> None:
    for path in paths:
        if path is not None:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                log.warning("%s cannot be deleted: %s", path, error)


def _lines_since(kept: ResumeState) -> Iterator[bytes]:
    """What was written of the stream since it was kept."""
    for one in kept.changes:
        yield change_line(LoggedChange(one.bar, one.set, one.plan, one.to, one.tick))
    if kept.late:
        yield late_line(*sorted(kept.late))
    for bar in sorted(kept.heard):
        yield heard_line(heard_as(kept.heard[bar]))


def _change(event: ChangeAnnounced) -> LoggedChange:
    return LoggedChange(
        event.composed, dict(event.controls), {b: dict(c) for b, c in event.plan.items()}
    )


def _header(stream: Stream, snapshot: Path | None, kept: ResumeState | None) -> ControlLog:
    return ControlLog(
        model=stream.model,
        sha256=stream.sha256,
        seed=stream.seed,
        controls=stream.begun_with,
        prompt=stream.prompt if snapshot is None else None,
        snapshot=snapshot.name if snapshot else None,
        first=kept.bar if kept else 0,
    )
