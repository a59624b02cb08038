"""What the dispatching thread plays into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol


class NoteOn(NamedTuple):
    part: int  # 1 … 8, 8 is percussion
    pitch: int
    velocity: int
    length: int  # microseconds that it will sound, as known now


class NoteOff(NamedTuple):
    part: int
    pitch: int


class Program(NamedTuple):
    """General MIDI program of a part, before the first note that uses it."""

    part: int
    program: int  # from 0


class Controller(NamedTuple):
    """A controller of a part is turned, before the first note that is played with it; None: it is
    asked for no longer, and goes back to what is usual."""

    part: int
    number: int
    value: int | None


class Sustain(NamedTuple):
    """The sustain pedal of a part goes down or comes up."""

    part: int
    down: bool


@dataclass(frozen=True, slots=True)
class BarBegin:
    """A bar begins; for outputs that show or count bars."""

    index: int
    section: str
    chords: tuple[str, str]


class ClockTick(NamedTuple):
    """One of 24 a quarter; `position` counts them since the stream began."""

    position: int


class ClockStart(NamedTuple):
    """Playing begins at this tick (0: from the beginning, else it continues there)."""

    position: int


class ClockStop(NamedTuple):
    pass


Event = (
    NoteOn
    | NoteOff
    | Program
    | Controller
    | Sustain
    | BarBegin
    | ClockTick
    | ClockStart
    | ClockStop
)


class Output(Protocol):
    """An output of one stream.

    `send`, `silence` and `close` are called by the dispatching thread alone, `is_alive` and
    `revive` by the one that watches the outputs; `revive` only while nothing is sent. `send` must
    not block. OSError (or a subclass) tells that the output is gone: the others go on without it,
    and `revive` is called about once a second.
    """

    name: str
    wants_clock: bool

    def send(self, event: Event, due: int) -> None:
        """Play an event that is due now (`due` in microseconds of the monotonic clock)."""
        ...

    def silence(self) -> None:
        """End everything: pedals up, all notes off, all sound off. Must not raise."""
        ...

    def is_alive(self) -> bool:
        """Whether it still reaches anybody; called about twice a second, maybe once more after
        `close`. Must not take long: other threads wait meanwhile."""
        ...

    def revive(self) -> bool:
        """Try to open it again; whether it is open now."""
        ...

    def close(self) -> None: ...
