"""The events of one stream in the order and at the times they are played.

No clock and no thread: feed it bars, ask it what is due. Times are integer microseconds, whatever
happens late keeps the time at which it *should* have happened. Its laws: every note-on has exactly
one note-off, every pedal that goes down comes up, at the end of its bar at the latest, no pitch of
a part is struck while it sounds, and the clock has 24 ticks a quarter
that fall exactly between the bar lines.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from engine.music.time import Timeline, duration
from server.base.wire import WireBar, WireNote
from server.playing.controllers import SentControllers
from server.playing.outputs import (
    BarBegin,
    ClockStart,
    ClockStop,
    ClockTick,
    Event,
    NoteOff,
    NoteOn,
    Program,
    Sustain,
)
from server.playing.pedals import PressedPedals, timed_pedals

MAX_EARLY = 100_000  # by how much a note's shift may bring it before its bar line
STALE = 100_000  # a note or clock tick that is later than this is not played any more
PREPARED = 20_000  # before its first event is due, a bar is taken apart and cannot be revised
SEAM = 20_000  # a bar that begins this long after the last one's end still continues it
SHORTEST = 1_000  # that a note sounds
TICKS_PER_SIXTEENTH = 6  # a clock can only be started there
MAX_PLANNED = 256

Key = tuple[int, int]  # part, pitch

# The order at one instant: what ends before what begins.
_OFF, _EDGE, _PROGRAM, _TICK, _BAR, _ON = range(6)


class TimedEvent(NamedTuple):
    due: int
    event: Event


@dataclass(slots=True)
class ScheduledBar:
    revision: int
    timeline: Timeline
    bar: WireBar
    early: int  # by how much its first note comes before the bar line

    @property
    def due(self) -> int:
        return self.timeline.time_origin

    @property
    def first(self) -> int:
        """When its first event is due."""
        return self.due - self.early

    @property
    def begins(self) -> int:
        """When it cannot be changed any more."""
        return self.first - PREPARED


class _TiedNote(NamedTuple):
    """A note that sounds on into the next bar, at least for so many ticks."""

    number: int
    ticks: int
    struck: int  # when it is or was


class Schedule:
    """`wants_clock`: whether to make clock ticks. `ignored` counts bars that came too late or
    were older than what is held, `missed` notes that were not struck because it was too late."""

    def __init__(self, *, wants_clock: bool = False) -> None:
        self.wants_clock = wants_clock
        self.running = True
        self.programs: tuple[int, ...] = ()  # as last sent
        self.controllers = SentControllers()
        self.ignored = self.missed = 0
        self._planned: dict[int, ScheduledBar] = {}
        self._begun = -1  # index of the last bar that has begun
        self._may_go_back = False
        self._line = self._end = 0  # when that bar begins and ends
        self._bars = 0  # begun so far, whatever their index
        self._clock: int | None = None  # the position of its next tick, while it runs
        self._carried: dict[Key, _TiedNote] = {}
        self._sounding: dict[Key, int] = {}  # the number of the note that sounds
        self._pedals = PressedPedals()
        self._numbers = self._pushed = 0
        self._heap: list[tuple[int, int, int, Event | None, int]] = []

    # -- what it is told ---------------------------------------------------------------------------

    def offer(self, index: int, revision: int, due: int, bar: WireBar) -> bool:
        """Plan a bar, or replace one that has not begun; whether it was taken."""
        held = self._planned.get(index)
        begun = index <= self._begun and self.running
        if begun or (held is not None and held.revision >= revision):
            self.ignored += 1
            return False
        self._planned[index] = ScheduledBar(
            revision, bar.timeline(due), bar, min(MAX_EARLY, bar.early)
        )
        while len(self._planned) > MAX_PLANNED:
            del self._planned[min(self._planned)]
        return True

    def move(self, bar: int, later: int) -> None:
        """All bars from `bar` on are due later. After a stop that bar is the next to begin."""
        for index, planned in self._planned.items():
            if index >= bar:
                planned.timeline = planned.timeline.moved(later)
        if self._may_go_back:
            self._begun = min(self._begun, bar - 1)

    def stop(self, now: int) -> list[TimedEvent]:
        """End what sounds and rest; the bars stay planned."""
        ended = self.silence(now)
        if self._clock is not None:
            self._clock = None
            ended.append(TimedEvent(now, ClockStop()))
        self._heap.clear()
        self._carried.clear()
        self.programs = ()  # some may not have been sent yet
        self.controllers.forget()
        self.running, self._may_go_back = False, True
        return ended

    def go_on(self) -> None:
        """Play on; from an earlier bar if `move` says so before the next one begins."""
        self.running = True

    def restart(self, now: int) -> None:
        """All bars that have not begun are void; what sounds goes on to the end of its bar."""
        self._planned.clear()
        self._begun, self._may_go_back = -1, False
        if self._line > now:
            self._take_back()
        self._end_carried(self._end)
        self.programs = ()
        self.controllers.forget()
        self.running = True

    def _take_back(self) -> None:
        """The last bar was prepared, but its line is yet to come: everything ends there."""
        line, heap = self._line, self._heap
        self._heap = [entry for entry in heap if entry[0] < line]
        self._heap += [
            (line, *entry[1:]) for entry in heap if entry[0] >= line and entry[1] == _OFF
        ]
        heapq.heapify(self._heap)
        self._end = line
        self._push(line, _EDGE, None, self._bars)

    def silence(self, now: int) -> list[TimedEvent]:
        """End what sounds, pedals included; the music goes on at the next note."""
        ended = [TimedEvent(now, NoteOff(*key)) for key in sorted(self._sounding)]
        ended += [TimedEvent(now, event) for event in self._pedals.release()]
        self._sounding.clear()
        return ended

    def send_now(self, event: Event, now: int) -> list[TimedEvent]:
        """Play an event that belongs to no bar; a note with a length is ended after it."""
        self._numbers += 1
        if isinstance(event, NoteOn) and event.length > 0:
            off = NoteOff(event.part, event.pitch)
            self._push(now + event.length, _OFF, off, self._numbers)
        if isinstance(event, NoteOff):
            sounds = self._sounding.pop((event.part, event.pitch), None) is not None
            return [TimedEvent(now, event)] if sounds else []
        if isinstance(event, NoteOn):
            return list(self._strike(TimedEvent(now, event), self._numbers, now))
        return [TimedEvent(now, event)]

    # -- what it says ------------------------------------------------------------------------------

    def next_due(self) -> int | None:
        """When something happens next, as far as is known."""
        coming = self._coming()
        dues = [self._planned[coming].begins] if coming is not None else []
        dues += [self._heap[0][0]] if self._heap else []
        return min(dues, default=None)

    def due_events(self, now: int) -> list[TimedEvent]:
        """What is due by now and was not given before, in order."""
        while (coming := self._coming()) is not None and self._planned[coming].begins <= now:
            self._begin(coming, now)
        events: list[TimedEvent] = []
        while self._heap and self._heap[0][0] <= now:
            due, rank, _, event, number = heapq.heappop(self._heap)
            if rank == _EDGE:
                events += self._edge(due, number)
            else:
                assert event is not None, "only the edge of a bar has no event"
                events += self._played(TimedEvent(due, event), number, now)
        return events

    # -- bars begin --------------------------------------------------------------------------------

    def _coming(self) -> int | None:
        if not self.running:
            return None
        return min((index for index in self._planned if index > self._begun), default=None)

    def _begin(self, index: int, now: int) -> None:
        planned = self._planned[index]
        bar, due = planned.bar, planned.due
        self._begun, self._may_go_back = index, False
        for old in [i for i in self._planned if i < index - 1]:  # a stop may still go back by one
            del self._planned[old]
        past = due + bar.length <= now - STALE
        if past or due > self._end + SEAM:
            self._end_carried(self._end)
        if past:
            self.missed += len(bar.notes)
            return
        carried, self._carried = self._carried, {}
        self._line, self._end = due, due + bar.length
        self._bars += 1
        self._push(self._end, _EDGE, None, self._bars)
        self._push(due, _BAR, BarBegin(bar.index, bar.section, bar.chords))
        self._begin_programs(planned)
        if self.wants_clock:
            for tick in range(bar.tick, bar.tick + bar.ticks):
                self._push(planned.timeline.time_of(tick), _TICK, ClockTick(tick))
        self._begin_pedals(planned)
        self._begin_notes(planned, carried)

    def _begin_pedals(self, planned: ScheduledBar) -> None:
        for part, down, up in timed_pedals(planned.bar, planned.timeline):
            self._numbers += 1
            self._push(down, _ON, Sustain(part, down=True), self._numbers)
            self._push(up, _OFF, Sustain(part, down=False), self._numbers)

    def _begin_programs(self, planned: ScheduledBar) -> None:
        programs, before = planned.bar.programs, self.programs
        for part, program in enumerate(programs):
            if part >= len(before) or before[part] != program:
                self._push(planned.first, _PROGRAM, Program(part + 1, program))
        self.programs = programs
        for turned in self.controllers.changes(planned.bar.controllers):
            self._push(planned.first, _PROGRAM, turned)

    def _begin_notes(self, planned: ScheduledBar, carried: dict[Key, _TiedNote]) -> None:
        bar, due = planned.bar, planned.due
        struck: list[tuple[int, WireNote]] = []
        for note in bar.notes:
            key = note.part, note.pitch
            if note.tie & 2 and key in carried:
                number, _, on = carried.pop(key)
                self._end_at(number, key, note.tick + note.length, note.tie, planned, on)
            else:
                on = due + max(-MAX_EARLY, bar.onset_of(note))
                struck.append((on, note))
        for key, (number, ticks, on) in carried.items():
            self._end_at(number, key, ticks, 0, planned, on)
        # In the order in which they sound: of one pitch, the last is the one that is carried on.
        for on, note in sorted(struck, key=lambda timed: timed[0]):
            self._numbers += 1
            sounds = self._length(note, bar)
            event = NoteOn(note.part, note.pitch, note.velocity, sounds)
            self._push(on, _ON, event, self._numbers)
            end = note.tick + note.length
            key = note.part, note.pitch
            self._end_at(self._numbers, key, end, note.tie, planned, on, note.shift)

    def _end_at(
        self,
        number: int,
        key: Key,
        tick: int,
        tie: int,
        planned: ScheduledBar,
        on: int,
        shift: int = 0,
    ) -> None:
        """End a note at a tick of a bar, or carry it into the next one."""
        bar = planned.bar
        if tick > bar.ticks or tie & 1:
            self._carried[key] = _TiedNote(number, max(0, tick - bar.ticks), on)
            return
        off = planned.timeline.time_of(bar.tick + tick) + shift
        self._push(max(off, on + SHORTEST), _OFF, NoteOff(*key), number)

    def _length(self, note: WireNote, bar: WireBar) -> int:
        """Microseconds that a note will sound, as far as the bars are planned."""
        length = duration(note.length, bar.tempo)
        index, tie = bar.index + 1, note.tie
        while tie & 1 and index in self._planned:
            bar = self._planned[index].bar
            going_on = (
                n for n in bar.notes if n.tie & 2 and (n.part, n.pitch) == (note.part, note.pitch)
            )
            piece = next(going_on, None)
            length += duration(piece.length, bar.tempo) if piece else 0
            index, tie = index + 1, piece.tie if piece else 0
        return length

    def _end_carried(self, due: int) -> None:
        for key, carried in self._carried.items():
            self._push(max(due, carried.struck + SHORTEST), _OFF, NoteOff(*key), carried.number)
        self._carried.clear()

    def _push(self, due: int, rank: int, event: Event | None, number: int = 0) -> None:
        self._pushed += 1
        heapq.heappush(self._heap, (due, rank, self._pushed, event, number))

    # -- events are played -------------------------------------------------------------------------

    def _edge(self, due: int, bars: int) -> list[TimedEvent]:
        """A bar ends: if none follows, what it carries ends with it and the clock stops."""
        if self._bars != bars:
            return []
        coming = self._coming()
        if coming is not None and self._planned[coming].due <= self._end + SEAM:
            self._push(max(due + 1, self._planned[coming].begins), _EDGE, None, bars)
            return []
        events = []
        for key, carried in sorted(self._carried.items()):
            if self._sounding.get(key) == carried.number:
                del self._sounding[key]
                events.append(TimedEvent(due, NoteOff(*key)))
        self._end_carried(due)  # those that are struck later still: shifted beyond their bar
        if self._clock is not None:
            self._clock = None
            events.append(TimedEvent(due, ClockStop()))
        return events

    def _played(self, timed: TimedEvent, number: int, now: int) -> Iterator[TimedEvent]:
        event = timed.event
        if isinstance(event, NoteOn):
            yield from self._strike(timed, number, now)
        elif isinstance(event, NoteOff):
            if self._sounding.get((event.part, event.pitch)) == number:
                del self._sounding[event.part, event.pitch]
                yield timed
        elif isinstance(event, Sustain):
            stale = timed.due < now - STALE
            for sent in self._pedals.events(event, number, stale=stale):
                yield TimedEvent(timed.due, sent)
        elif isinstance(event, ClockTick):
            yield from self._tick(timed, event, now)
        else:
            yield timed

    def _strike(self, timed: TimedEvent, number: int, now: int) -> Iterator[TimedEvent]:
        event = timed.event
        assert isinstance(event, NoteOn), "only notes are struck"
        key = event.part, event.pitch
        if self._sounding.pop(key, None) is not None:
            yield TimedEvent(timed.due, NoteOff(*key))
        if timed.due < now - STALE:
            self.missed += 1
            return
        self._sounding[key] = number
        yield timed

    def _tick(self, timed: TimedEvent, tick: ClockTick, now: int) -> Iterator[TimedEvent]:
        """Clock ticks that are too late are left out, as a burst of them would be heard as a
        tempo. The clock is started again at its place, and wherever the music leaps."""
        stale = timed.due < now - STALE
        if self._clock is not None and (stale or self._clock != tick.position):
            self._clock = None
            yield TimedEvent(timed.due, ClockStop())
        if stale:
            return
        if self._clock is None:
            if tick.position % TICKS_PER_SIXTEENTH:
                return
            yield TimedEvent(timed.due, ClockStart(tick.position))
        self._clock = tick.position + 1
        yield timed
