"""Bars and notes as plain values.

A bar's place in time is `due`, microseconds of the server's clock; `Server.local_time` turns it
into the local one. Times within a bar are ticks, 24 to a quarter note. Parts count from 1, and
part 8 is percussion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from perpetuo_client.controllers import Controller
from perpetuo_client.errors import ProtocolError
from perpetuo_client.protocol import WireBar

TICKS_PER_QUARTER = 24
DRUMS = 8
TIED_ON, TIED_FROM = 1, 2  # flags of Note.tie


class Note(NamedTuple):
    """One note, or the piece of it that lies in one bar."""

    part: int
    pitch: int
    velocity: int
    tick: int  # since the bar line
    length: int  # in ticks; may reach beyond the bar
    shift: int  # microseconds by which it is played later (or earlier) than its tick
    tie: int  # 1: goes on in the next bar; 2: goes on from the last one; 3: both

    @property
    def goes_on(self) -> bool:
        return bool(self.tie & TIED_ON)

    @property
    def goes_on_from_before(self) -> bool:
        return bool(self.tie & TIED_FROM)


class Pedal(NamedTuple):
    """The sustain pedal of a part is down, for so many ticks since a tick of its bar, and up at
    every bar line. Music may be played without."""

    part: int
    tick: int
    length: int


class TimedNote(NamedTuple):
    """A note and when it sounds: microseconds of the server's clock, or, from
    `Server.local_notes`, seconds of `time.monotonic`.

    Of a note that goes on in the next bar `end` is the end of its bar; the next bar has a piece
    that begins there, with `goes_on_from_before`, which is not struck again.
    """

    note: Note
    due: float
    end: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar as it sounds. A higher revision replaces a lower one of the same index."""

    index: int  # from 0
    revision: int
    due: int  # microseconds of the server's clock
    epoch: int  # how often the stream has begun anew
    tick: int  # ticks of the stream at the bar line
    ticks: int  # its length
    metre: str  # "4/4"
    tempo: int  # microseconds a quarter
    key: str  # "A minor"
    chords: tuple[str, ...]  # of its halves: "Am"; "" until one is heard
    section: str  # of the form, "" outside one
    echo: int  # the bar that it takes up again, -1: none
    programs: tuple[int, ...]  # General MIDI programs by part, from 0
    notes: tuple[Note, ...]
    late: bool = False  # a stand-in, because the composed bar was not there in time
    pedals: tuple[Pedal, ...] = ()
    controllers: tuple[Controller, ...] = ()

    @property
    def length(self) -> int:
        """Microseconds."""
        return self.time_of(self.ticks)

    @property
    def end(self) -> int:
        """When the next bar is due."""
        return self.due + self.length

    @property
    def bpm(self) -> float:
        """Quarters a minute."""
        return 60_000_000 / self.tempo

    @property
    def timed_notes(self) -> tuple[TimedNote, ...]:
        """Every note with when it begins and ends, in microseconds of the server's clock, in the
        order in which they begin."""
        timed = (TimedNote(note, self.start_of(note), self.end_of(note)) for note in self.notes)
        return tuple(sorted(timed, key=lambda one: one.due))

    def start_of(self, note: Note) -> int:
        """When a note of this bar begins; one that goes on from the bar before, at the bar line."""
        return self.due + self.time_of(note.tick) + note.shift

    def end_of(self, note: Note) -> int:
        """When a note of this bar ends; one that goes on in the next bar, with this one."""
        start = self.start_of(note)
        return max(self.end if note.goes_on else start + self.time_of(note.length), start + 1)

    def span_of(self, pedal: Pedal) -> tuple[int, int]:
        """When a pedal of this bar goes down and comes up."""
        down = self.due + self.time_of(pedal.tick)
        return down, max(self.due + self.time_of(pedal.tick + pedal.length), down + 1)

    def time_of(self, ticks: int) -> int:
        """Microseconds that so many ticks of this bar last."""
        return ticks * self.tempo // TICKS_PER_QUARTER


def bar_from(plain: WireBar, *, due: int, epoch: int) -> Bar:
    """A bar from its JSON. Fields that this version does not know are passed over."""
    try:
        return Bar(
            index=int(plain["index"]),
            revision=int(plain["revision"]),
            due=due,
            epoch=epoch,
            tick=int(plain["tick"]),
            ticks=int(plain["ticks"]),
            metre=str(plain["metre"]),
            tempo=int(plain["tempo"]),
            key=str(plain["key"]),
            chords=tuple(str(chord) for chord in plain["chords"]),
            section=str(plain["section"]),
            echo=int(plain["echo"]),
            programs=tuple(int(program) for program in plain["programs"]),
            notes=tuple(Note(*map(int, note[:7])) for note in plain["notes"]),
            late=bool(plain.get("late", False)),
            pedals=tuple(Pedal(*map(int, pedal[:3])) for pedal in plain.get("pedals", ())),
            controllers=tuple(
                Controller(*map(int, turned[:3])) for turned in plain.get("controllers", ())
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError(f"The server sent a bar that cannot be read: {error!r}.") from error
