"""From bars to what is sent to a synthesizer, and when: every note-on finds its note-off,
every pedal that goes down comes up.

Times are microseconds of one clock, that of `Bar.due`; knows no port and no thread.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

from perpetuo_client.bars import DRUMS, Bar, Note
from perpetuo_client.controllers import TurnedControllers
from perpetuo_client.smf import SUSTAIN

STALE = 30_000  # a note-on later than this is left out: better a missing note than a burst
SLACK = (
    50_000  # by which two bars may miss each other and still be neighbours: clocks get corrected
)
DRUM_CHANNEL = 9
ALL_SOUND_OFF, ALL_NOTES_OFF = 120, 123
_END, _PROGRAM, _BEGIN = range(3)  # the order of what is due together

MidiMessage = tuple[int, ...]


def channel_of(part: int) -> int:
    """Of a part, counted from 0: each part its own, percussion the tenth."""
    return DRUM_CHANNEL if part == DRUMS else part - 1


@dataclass(slots=True, eq=False)
class ScheduledNote:
    """A note that is to sound or sounds, through all bars that go on with it.

    `pieces` are (the due time of the bar, the end of the note as far as that bar knows).
    """

    note: Note
    on: int
    pieces: list[tuple[int, int]]
    sounds: bool = False

    @property
    def off(self) -> int:
        return self.pieces[-1][1]


@dataclass(frozen=True, slots=True, eq=False)
class ScheduledPedal:
    """A pedal that is to go down or is down; `line` is when its bar begins."""

    part: int
    line: int
    down: int
    up: int

    def message(self, value: int) -> MidiMessage:
        return 0xB0 | channel_of(self.part), SUSTAIN, value


Scheduled = ScheduledNote | ScheduledPedal | MidiMessage


class Scheduler:
    """Feed it committed bars, ask it what is due; what it has begun it ends, whatever comes."""

    def __init__(self) -> None:
        self._queue: list[tuple[int, int, int, Scheduled]] = []
        self._count = 0  # keeps what is due together in the order in which it came
        self._sounding: dict[tuple[int, int], ScheduledNote] = {}
        self._pressed: dict[int, ScheduledPedal] = {}  # by part
        self._going_on: dict[tuple[int, int], ScheduledNote] = {}  # past the end of the last bar
        self._last_bar_end: int | None = None
        self._programs: tuple[int, ...] = ()
        self._controllers = TurnedControllers()

    @property
    def next_due(self) -> int | None:
        return self._queue[0][0] if self._queue else None

    @property
    def sounding(self) -> int:
        """How many notes sound."""
        return len(self._sounding)

    def add(self, bar: Bar, now: int) -> None:
        """A committed bar, before it begins; of one that sounds already, the notes yet to come."""
        self._change_programs(bar)
        self._change_controllers(bar)
        self._add_pedals(bar, now)
        joined = self._last_bar_end is not None and abs(bar.due - self._last_bar_end) <= SLACK
        before, self._going_on = self._going_on if joined else {}, {}
        for note in bar.notes:
            if note.goes_on_from_before and joined:
                scheduled = before.get((note.part, note.pitch))
                if scheduled is not None:
                    scheduled.pieces.append((bar.due, bar.end_of(note)))
            else:
                scheduled = self._new(bar, note, now)
            if scheduled is None:
                continue
            self._push(scheduled.off, _END, scheduled)
            if note.goes_on:
                self._going_on[note.part, note.pitch] = scheduled
        self._last_bar_end = bar.end

    def _add_pedals(self, bar: Bar, now: int) -> None:
        for pedal in bar.pedals:
            down, up = bar.span_of(pedal)
            if down >= now - STALE:
                scheduled = ScheduledPedal(pedal.part, bar.due, down, up)
                self._push(down, _BEGIN, scheduled)
                self._push(up, _END, scheduled)

    def _change_programs(self, bar: Bar) -> None:
        for part, program in enumerate(bar.programs, 1):
            if self._programs[part - 1 : part] != (program,):
                first = min((bar.start_of(n) for n in bar.notes if n.part == part), default=bar.due)
                self._push(min(first, bar.due), _PROGRAM, (0xC0 | channel_of(part), program))
        self._programs = bar.programs

    def _change_controllers(self, bar: Bar) -> None:
        first = min((bar.start_of(note) for note in bar.notes), default=bar.due)
        for part, number, value in self._controllers.changes(bar.controllers):
            message = 0xB0 | channel_of(part), number, value
            self._push(min(first, bar.due), _PROGRAM, message)

    def _new(self, bar: Bar, note: Note, now: int) -> ScheduledNote | None:
        start = bar.start_of(note)
        if start < now - STALE:
            return None
        scheduled = ScheduledNote(note, start, [(bar.due, bar.end_of(note))])
        self._push(start, _BEGIN, scheduled)
        return scheduled

    def _push(self, due: int, kind: int, what: Scheduled) -> None:
        self._count += 1
        heapq.heappush(self._queue, (due, kind, self._count, what))

    def take(self, now: int) -> Iterator[tuple[int, MidiMessage]]:
        """(when it was due, message) of all that is due by now."""
        while self._queue and self._queue[0][0] <= now:
            due, kind, _, what = heapq.heappop(self._queue)
            if isinstance(what, tuple):
                yield due, what
            elif isinstance(what, ScheduledPedal):
                for message in self._pedal(what, kind, is_late=due < now - STALE):
                    yield due, message
            elif kind == _END:
                if what.sounds and what.off == due:
                    yield due, self._end(what)
            elif due >= now - STALE:
                yield from self._begin(what, due)

    def _pedal(self, pedal: ScheduledPedal, kind: int, *, is_late: bool) -> Iterator[MidiMessage]:
        if kind == _END:
            if self._pressed.get(pedal.part) is pedal:
                del self._pressed[pedal.part]
                yield pedal.message(0)
        elif not is_late:
            if pedal.part in self._pressed:
                yield pedal.message(0)
            self._pressed[pedal.part] = pedal
            yield pedal.message(127)

    def _begin(self, scheduled: ScheduledNote, due: int) -> Iterator[tuple[int, MidiMessage]]:
        note = scheduled.note
        same = self._sounding.get((note.part, note.pitch))
        if same is not None:
            yield due, self._end(same)
        scheduled.sounds = True
        self._sounding[note.part, note.pitch] = scheduled
        yield due, (0x90 | channel_of(note.part), note.pitch, note.velocity)

    def _end(self, scheduled: ScheduledNote) -> MidiMessage:
        scheduled.sounds = False
        note = scheduled.note
        del self._sounding[note.part, note.pitch]
        return 0x80 | channel_of(note.part), note.pitch, 64

    def drop(self, now: int) -> None:
        """Void the bars that have not begun; the one that sounds is played to its end."""
        kept = []
        for due, kind, count, what in self._queue:
            if isinstance(what, ScheduledNote):
                while what.pieces and what.pieces[-1][0] > now:
                    what.pieces.pop()
                if not what.pieces:
                    continue
                due = what.on if kind == _BEGIN else what.off
            if isinstance(what, ScheduledPedal) and what.line > now:
                continue
            kept.append((due, kind, count, what))
        self._queue = kept
        heapq.heapify(self._queue)
        self._going_on, self._last_bar_end = {}, None

    def stop(self) -> list[MidiMessage]:
        """Void everything that is planned and end all that sounds."""
        self._queue.clear()
        self._going_on, self._last_bar_end, self._programs = {}, None, ()
        self._controllers.forget()
        return self.silence()

    def silence(self) -> list[MidiMessage]:
        """End all that sounds; what is planned stays."""
        ends = [self._end(scheduled) for scheduled in list(self._sounding.values())]
        self._pressed.clear()
        for controller in (SUSTAIN, ALL_NOTES_OFF, ALL_SOUND_OFF):
            for part in range(1, DRUMS + 1):
                ends.append((0xB0 | channel_of(part), controller, 0))
        return ends
