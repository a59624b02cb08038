"""What the dispatching thread plays into."""

from __future__ import annotations

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


class BarLine(NamedTuple):
    """A bar begins; for outputs that show or count bars."""

    index: int
    section: str
    chords: tuple[str, str]


class ClockTick(NamedTuple):
    """One of 24 a quarter; `position` counts them since the stream began."""

    position: int


class Start(NamedTuple):
    """Playing begins at this tick (0: from the beginning, else it continues there)."""

    position: int


class Stop(NamedTuple):
    pass


Event = NoteOn | NoteOff | Program | BarLine | ClockTick | Start | Stop


class Output(Protocol):
    """An output of one stream. All methods are called by the dispatching thread alone.

    `send` must not block. OSError (or a subclass) tells that the output is gone: the thread goes
    on without it, ends what sounds on the others, and calls `revive` about once a second.
    """

    name: str
    wants_clock: bool

    def send(self, event: Event, due: int) -> None:
        """Play an event that is due now (`due` in microseconds of the monotonic clock)."""
        ...

    def silence(self) -> None:
        """End everything: all notes off, all sound off. Must not raise."""
        ...

    def is_alive(self) -> bool:
        """Whether it still reaches anybody; called about once a second."""
        ...

    def revive(self) -> bool:
        """Try to open it again; whether it succeeded."""
        ...

    def close(self) -> None: ...
