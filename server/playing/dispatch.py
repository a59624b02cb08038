"""What the dispatching thread does: which stream plays into which outputs, and when.

Nothing here waits. `step` does all that is due and says when to come again; the thread around it is
in `server.playing.player`. Everything is called by that one thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from server.base.wire import WireBar
from server.playing.lateness import Lateness
from server.playing.outputs import ClockStart, ClockStop, ClockTick, Event, Output, Program
from server.playing.schedule import TICKS_PER_SIXTEENTH, Schedule, TimedEvent

log = logging.getLogger("perpetuo.player")

GONE = "it takes nothing any more"


class PortReport(NamedTuple):
    """An output was lost, or is there again; `message` is a sentence."""

    stream: str
    output: str
    alive: bool
    message: str


@dataclass(eq=False)
class OutputState:
    """An output and how it fares."""

    stream: str
    output: Output
    alive: bool = True
    removed: bool = False
    follows_clock: bool = False  # it was told to start

    def silence(self) -> None:
        if self.alive:
            _careful(self.output.silence, self)


@dataclass
class PlayedStream:
    """One stream on outputs that share an offset."""

    outlets: list[OutputState]
    offset: int
    schedule: Schedule = field(default_factory=Schedule)

    def __post_init__(self) -> None:
        self.schedule.wants_clock = any(outlet.output.wants_clock for outlet in self.outlets)


class Dispatch:
    """`report` is told of outputs that come and go, in the thread that calls."""

    def __init__(self, clock: Callable[[], int], report: Callable[[PortReport], None]) -> None:
        self.lateness = Lateness()
        self.faults = 0  # exceptions that were survived
        self._clock, self._report = clock, report
        self._voices: dict[str, list[PlayedStream]] = {}

    # -- what it is told ---------------------------------------------------------------------------

    def add(self, stream: str, outlets: Sequence[OutputState], offset: int) -> None:
        self._voices.setdefault(stream, []).append(PlayedStream(list(outlets), offset))

    def remove(self, stream: str) -> None:
        self._end(self._voices.pop(stream, []))

    def _end(self, played_streams: Sequence[PlayedStream]) -> None:
        """All of them are silent before the first is closed, which may take a moment."""
        unused: list[OutputState] = []
        for played in played_streams:
            self._stop(played)
            for outlet in played.outlets:
                outlet.removed = True
                known = any(outlet.output is other.output for other in unused)
                if not known and not self._is_used(outlet.output):
                    outlet.silence()
                    unused.append(outlet)
        for outlet in unused:
            _careful(outlet.output.close, outlet)

    def offer(self, stream: str, index: int, revision: int, due: int, bar: WireBar) -> None:
        for played in self._of(stream):
            played.schedule.offer(index, revision, due + played.offset, bar)

    def move(self, stream: str, bar: int, later: int) -> None:
        for played in self._of(stream):
            played.schedule.move(bar, later)

    def stop(self, stream: str) -> None:
        for played in self._of(stream):
            self._stop(played)

    def go_on(self, stream: str) -> None:
        for played in self._of(stream):
            played.schedule.go_on()

    def restart(self, stream: str) -> None:
        for played in self._of(stream):
            played.schedule.restart(self._clock())

    def panic(self, stream: str) -> None:
        for played in self._of(stream):
            self._send_all(played, played.schedule.silence(self._clock()))
            for outlet in played.outlets:
                outlet.silence()

    def send_now(self, stream: str, event: Event) -> None:
        for played in self._of(stream):
            self._send_all(played, played.schedule.send_now(event, self._clock()))

    def lost(self, outlet: OutputState, reason: str) -> None:
        """It takes nothing until `found`."""
        if outlet.alive and not outlet.removed:
            outlet.alive = outlet.follows_clock = False
            name = outlet.output.name
            self._tell(outlet, f"{name} is gone: {reason}. It is looked for every second.")

    def found(self, outlet: OutputState) -> None:
        """It was opened again."""
        if outlet.removed:
            if not self._is_used(outlet.output):
                _careful(outlet.output.close, outlet)
        elif not outlet.alive:
            outlet.alive = True
            outlet.silence()
            schedule = next(
                played.schedule for played in self._of(outlet.stream) if outlet in played.outlets
            )
            for part, program in enumerate(schedule.programs, 1):
                self._send(outlet, Program(part, program), self._clock())
            for turned in schedule.controllers.held():
                self._send(outlet, turned, self._clock())
            if outlet.alive:
                self._tell(outlet, f"{outlet.output.name} is there.")

    def close(self) -> None:
        """End everything on every output."""
        played_streams = list(self._all())
        self._voices.clear()
        self._end(played_streams)

    # -- what it does ------------------------------------------------------------------------------

    def step(self) -> int | None:
        """Play what is due; returns when something is due next, None if nothing is planned."""
        for stream, played_streams in self._voices.items():
            for played in played_streams:
                try:
                    self._play(played, played.schedule.due_events(self._clock()))
                except Exception:
                    self.faults += 1
                    log.exception("%s: a fault of ours; what sounds is ended", stream)
                    self._begin_again(played)
        dues = (played.schedule.next_due() for played in self._all())
        return min((due for due in dues if due is not None), default=None)

    @property
    def ignored(self) -> int:
        """Bars that came too late to be played."""
        return sum(played.schedule.ignored for played in self._all())

    @property
    def missed(self) -> int:
        """Notes that were not struck because it was too late."""
        return sum(played.schedule.missed for played in self._all())

    def _play(self, played: PlayedStream, events: Iterable[TimedEvent]) -> None:
        for due, event in events:
            self.lateness.record(self._clock() - due)
            for outlet in played.outlets:
                self._pass_on(outlet, event, due)

    def _send_all(self, played: PlayedStream, events: Iterable[TimedEvent]) -> None:
        for due, event in events:
            for outlet in played.outlets:
                self._pass_on(outlet, event, due)

    def _pass_on(self, outlet: OutputState, event: Event, due: int) -> None:
        """Send an event, clock events only to those that want them and in an order that makes
        sense to one that was away meanwhile."""
        if isinstance(event, ClockStart | ClockStop | ClockTick):
            if not outlet.output.wants_clock:
                return
            if isinstance(event, ClockTick) and not outlet.follows_clock:
                if event.position % TICKS_PER_SIXTEENTH:
                    return
                self._send(outlet, ClockStart(event.position), due)
            if isinstance(event, ClockStop) and not outlet.follows_clock:
                return
            outlet.follows_clock = outlet.alive and not isinstance(event, ClockStop)
        self._send(outlet, event, due)

    def _send(self, outlet: OutputState, event: Event, due: int) -> None:
        if not outlet.alive:
            return
        try:
            outlet.output.send(event, due)
        except OSError as error:
            self.lost(outlet, error.strerror or str(error) or GONE)
        except Exception:
            self.faults += 1
            log.exception("%s: a fault of ours", outlet.output.name)
            self.lost(outlet, "playing into it failed")

    def _stop(self, played: PlayedStream) -> None:
        self._send_all(played, played.schedule.stop(self._clock()))

    def _begin_again(self, played: PlayedStream) -> None:
        """After a fault: nothing planned is trusted any more."""
        for outlet in played.outlets:
            outlet.silence()
            outlet.follows_clock = False
        played.schedule = Schedule(wants_clock=played.schedule.wants_clock)

    def _tell(self, outlet: OutputState, message: str) -> None:
        log.log(logging.INFO if outlet.alive else logging.WARNING, "%s", message)
        report = PortReport(outlet.stream, outlet.output.name, outlet.alive, message)
        _careful(partial(self._report, report), outlet)

    def _of(self, stream: str) -> list[PlayedStream]:
        return self._voices.get(stream, [])

    def _is_used(self, output: Output) -> bool:
        """Streams may share an output."""
        outlets = (outlet for played in self._all() for outlet in played.outlets)
        return any(outlet.output is output for outlet in outlets)

    def _all(self) -> Iterator[PlayedStream]:
        for played_streams in self._voices.values():
            yield from played_streams


def _careful(call: Callable[[], object], outlet: OutputState) -> None:
    """What fails for one output must not keep the others from being silenced and closed."""
    try:
        call()
    except Exception:
        log.exception("%s: a fault of ours", outlet.output.name)
