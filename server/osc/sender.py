"""What goes out: notes and bars at their due time or ahead of it, and news of the controls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from engine.music.time import Metre, Timeline, duration, quarters, quarters_per_minute
from server.base.wire import WireBar, WireNote
from server.house.events import (
    BarsMoved,
    ChangeAnnounced,
    ChangePostponed,
    Panicked,
    PlannedBar,
    StateTurned,
    StreamEvent,
)
from server.osc.packets import Value, encode, encode_bundle, timetag_of
from server.osc.settings import AHEAD, BARS, CHORDS, CONTROLS, DUE, NOTES, SECTIONS
from server.osc.subscribers import DatagramSender, Subscribers
from server.osc.timetags import TimerHandle, Timers
from server.osc.values import arguments_of
from server.playing.outputs import BarBegin, ClockTick, Event, NoteOff, NoteOn, Sustain
from server.playing.pedals import timed_pedals

if TYPE_CHECKING:
    from server.house.house import House
    from server.house.stream import Stream

TIED_ON, TIED_FROM = 1, 2  # flags of WireNote.tie
SOONER = 10_000  # microseconds before its told end from which on a note's end is told anew


def _half(bar: WireBar) -> int:
    """Tick at which its second chord begins."""
    return bar.tick + Metre.parse(bar.metre).half


def _bar_values(bar: WireBar) -> tuple[Value, ...]:
    return bar.index, quarters(bar.tick), quarters_per_minute(bar.tempo), bar.metre, bar.key


class _Addresses:
    """The addresses of what is told of one station."""

    def __init__(self, station: str) -> None:
        root = f"/perpetuo/{station}"
        self.note, self.bar, self.chord = f"{root}/note", f"{root}/bar", f"{root}/chord"
        self.section, self.silence = f"{root}/section", f"{root}/silence"
        self.off, self.sustain = f"{root}/off", f"{root}/sustain"


class OscOutput:
    """One station at its due time: an `Output` of the dispatching thread.

    `outlet` must be used by that thread alone. Clock ticks are wanted for the chord in the middle
    of a bar. Nothing here waits or raises: whoever does not listen misses it.
    """

    wants_clock = True

    def __init__(self, stream: Stream, audience: Subscribers, outlet: DatagramSender) -> None:
        self.name = f"osc {stream.name}"
        self._stream, self._audience, self._outlet = stream, audience, outlet
        self._to = _Addresses(stream.name)
        self._timeline = Timeline()  # from the last bar line on
        self._next_chord: tuple[int, str] | None = None  # when it is due, and its name
        self._ends: dict[tuple[int, int], int] = {}  # by part and pitch, as they were told

    def send(self, event: Event, due: int) -> None:
        match event:
            case NoteOn(part, pitch, velocity, length):
                values = (part, pitch, velocity, length / 1_000_000, self._timeline.beat_at(due))
                self._tell(NOTES, self._to.note, *values)
                self._ends[part, pitch] = due + length
            case NoteOff(part, pitch):
                if due < self._ends.pop((part, pitch), 0) - SOONER:
                    self._tell(NOTES, self._to.off, part, pitch)
            case Sustain(part, down):
                self._tell(NOTES, self._to.sustain, part, int(down))
            case BarBegin():
                self._begin(event, due)
            case ClockTick() if self._next_chord and due >= self._next_chord[0]:
                self._tell(CHORDS, self._to.chord, self._next_chord[1])
                self._next_chord = None

    def silence(self) -> None:
        self._ends.clear()
        self._tell(NOTES, self._to.silence)

    def is_alive(self) -> bool:
        return True

    def revive(self) -> bool:
        return True

    def close(self) -> None:
        """The socket is the door's."""

    def _begin(self, line: BarBegin, due: int) -> None:
        first, second = line.chords
        self._next_chord = None
        planned = self._stream.bars.get(line.index)  # one look-up, safe from any thread
        if planned is not None:
            bar = planned.bar
            self._timeline = bar.timeline(due)
            self._tell(BARS, self._to.bar, *_bar_values(bar))
            if second and second != first:
                self._next_chord = (self._timeline.time_of(_half(bar)), second)
        if line.section:
            self._tell(SECTIONS, self._to.section, line.section)
        if first:
            self._tell(CHORDS, self._to.chord, first)

    def _tell(self, what: str, address: str, *values: Value) -> None:
        listeners = self._audience.of(self._stream.name, what, DUE)
        if listeners:
            self._outlet.message(listeners, address, *values)


class AheadSender:
    """One station ahead of time, as bundles; runs in the event loop.

    A bar is sent `lead` microseconds before its bar line, when it is committed and cannot be
    revised any more, and so never twice; only a bar that is played again after a pause is sent
    again. Timetags are told from the system's clock as it is when the bar is sent.
    """

    def __init__(
        self,
        house: House,
        stream: Stream,
        audience: Subscribers,
        outlet: DatagramSender,
        *,
        lead: int,
        timers: Timers,
        clock: Callable[[], int],
    ) -> None:
        self._house, self._stream, self._audience, self._outlet = house, stream, audience, outlet
        self._lead, self._timers, self._clock = lead, timers, clock
        self._to = _Addresses(stream.name)
        self._next = stream.first_open(house.now(), lead)
        self._epoch = stream.epoch
        self._handle: TimerHandle | None = None
        self._arm()

    def hear(self, event: StreamEvent) -> None:
        if isinstance(event, StateTurned) and event.epoch != self._epoch:
            self._epoch, self._next = event.epoch, self._stream.first
        elif isinstance(event, BarsMoved):
            self._next = min(self._next, event.bar)
        stopped = isinstance(event, StateTurned) and event.state != "playing"
        if stopped or isinstance(event, Panicked):
            self._tell([(0, encode(self._to.silence))], NOTES)
        self._arm()

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _arm(self) -> None:
        """Wake when the next bar is to be sent, if it is planned; else whoever plans it will."""
        self.close()
        bars = self._stream.bars
        if self._next not in bars and self._next < self._stream.missing:
            self._next = self._stream.first_open(self._house.now(), 0)
        if self._stream.state == "playing" and self._next in bars:
            wait = (bars[self._next].due - self._lead - self._house.now()) / 1_000_000
            self._handle = self._timers.call_at(self._timers.time() + max(0.0, wait), self._wake)

    def _wake(self) -> None:
        self._handle = None
        planned = self._stream.bars.get(self._next)
        if planned is not None and planned.due - self._lead <= self._house.now():
            self._next += 1
            self._send(planned)
        self._arm()

    def _send(self, planned: PlannedBar) -> None:
        bar, to = planned.bar, self._to
        self._tell([(planned.due, encode(to.bar, *_bar_values(bar)))], BARS)
        if bar.section:
            self._tell([(planned.due, encode(to.section, bar.section))], SECTIONS)
        first, second = bar.chords
        middle = bar.timeline(planned.due).time_of(_half(bar))
        chords = [(planned.due, first), (middle, second if second != first else "")]
        self._tell([(due, encode(to.chord, name)) for due, name in chords if name], CHORDS)
        if self._audience.of(self._stream.name, NOTES, AHEAD):
            self._tell([*self._notes(planned), *self._pedals(planned)], NOTES)

    def _notes(self, planned: PlannedBar) -> Iterable[tuple[int, bytes]]:
        bar, timeline = planned.bar, planned.bar.timeline(planned.due)
        for note in bar.notes:
            if note.tie & TIED_FROM:
                continue
            due = planned.due + bar.onset_of(note)
            beat = timeline.beat_of(bar.tick + note.tick, note.shift)
            seconds = self._length(bar, note) / 1_000_000
            values = (note.part, note.pitch, note.velocity, seconds, beat)
            yield due, encode(self._to.note, *values)

    def _pedals(self, planned: PlannedBar) -> Iterable[tuple[int, bytes]]:
        for part, down, up in timed_pedals(planned.bar, planned.bar.timeline(planned.due)):
            yield down, encode(self._to.sustain, part, 1)
            yield up, encode(self._to.sustain, part, 0)

    def _length(self, bar: WireBar, note: WireNote) -> int:
        """Microseconds, with what the bars planned now add to a note that is tied on."""
        length = duration(note.length, bar.tempo)
        index, tied_on = bar.index, note.tie & TIED_ON
        while tied_on:
            index, tied_on = index + 1, 0
            planned = self._stream.bars.get(index)
            for more in planned.bar.notes if planned else ():
                if more.tie & TIED_FROM and (more.part, more.pitch) == (note.part, note.pitch):
                    assert planned is not None, "its notes were looked at"
                    length += duration(more.length, planned.bar.tempo)
                    tied_on = more.tie & TIED_ON
                    break
        return length

    def _tell(self, timed: list[tuple[int, bytes]], what: str) -> None:
        """Send messages as one bundle for each due time; 0 is at once. What is past is left out:
        it would be played late, and all of it together."""
        listeners = self._audience.of(self._stream.name, what, AHEAD)
        if not listeners:
            return
        now, offset = self._house.now(), self._clock() - self._house.now()
        together: defaultdict[int, list[bytes]] = defaultdict(list)
        for due, message in timed:
            if due == 0 or due >= now:
                together[due].append(message)
        for due in sorted(together):
            timetag = timetag_of(due + offset) if due else 1
            self._outlet.send(encode_bundle(timetag, *together[due]), listeners)


def tell_news(
    stream: Stream, event: StreamEvent, audience: Subscribers, outlet: DatagramSender
) -> None:
    """Tell who follows the controls of a station what was changed, whoever did it."""
    followers = audience.everyone(stream.name, CONTROLS)
    if not followers:
        return
    root = f"/perpetuo/{stream.name}"
    if isinstance(event, ChangeAnnounced):
        for name, value in event.controls.items():
            outlet.message(followers, f"{root}/{name}", *arguments_of(name, value))
    elif isinstance(event, ChangePostponed):
        late = next((one for one in stream.history if one.change == event.change), None)
        for name in late.controls if late else ():
            outlet.message(followers, f"{root}/postponed", name, event.bar)
    elif isinstance(event, StateTurned):
        outlet.message(followers, f"{root}/state", event.state)
