"""Representations: how music becomes events of a network and events become music.

A codec is chosen by the name that a bundle carries. Composer, runtime, training and export know
only the interfaces below, so a new representation is one new module and one line in `codec`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from common.errors import BundleError
from engine.music.fields import Field
from engine.music.score import Note, Score
from engine.music.time import Metre

if TYPE_CHECKING:
    from engine.files.midi import Smf
    from engine.music.analysis import Analysis
    from engine.planning.correction import Leaning
    from engine.representations.limits import Limits


@dataclass(frozen=True, slots=True)
class Encoded:
    """A piece as a network sees it: one row an event.

    `events` [N, event fields] and `context` [N, context fields] hold field values, `onsets` [N]
    the tick at which each event stands, `bars` [N] the bar of the piece it stands in.
    """

    events: NDArray[np.uint16]
    context: NDArray[np.uint8]
    onsets: NDArray[np.int64]
    bars: NDArray[np.int64]


class Cursor(Protocol):
    """Turns drawn events back into notes, one stream, one event at a time.

    `tick` is where the next event stands, `rank` how many notes that onset already has. A cursor
    is mutable; `copy` gives one that goes on independently (a snapshot).
    """

    tick: int
    rank: int

    @property
    def voices(self) -> int:
        """How many notes still sound at `tick`."""
        ...

    @property
    def carried(self) -> tuple[int, ...]:
        """Ends of notes that sound on at `tick`, as far as they are known."""
        ...

    def copy(self) -> Cursor: ...

    def state(self) -> list[Any]:
        """Where it stands, as plain JSON, for `resume` of a fresh cursor."""
        ...

    def resume(self, state: list[Any]) -> None: ...

    def enter_bar(self, start: int, end: int) -> list[Note]:
        """Begin a bar; returns the notes that are tied into it."""
        ...

    def constrain(self, bias: NDArray[np.float32], limits: Limits) -> None:
        """Adjust the bias row for what may come at this place (the static part is written)."""
        ...

    def accept(self, event: list[int], limits: Limits) -> Note | None:
        """Take the drawn event, moving on; the note that it completes, if any.

        May edit `event` in place: what stands there afterwards is what the network is told.
        """
        ...

    def leave_bar(self, end: int) -> list[Note]:
        """Notes still sounding whose length is not known yet, tied at the bar line."""
        ...


class Codec(Protocol):
    """One representation. Stateless: everything that moves is in its cursors."""

    name: str
    fields: tuple[Field, ...]
    context: tuple[str, ...]  # names of the context fields it uses, in order
    velocity_column: int | None  # the event field that is velocity alone
    metrical: bool  # its onsets have places in a bar, which a grid can thin out
    tempo: float  # quarters a minute at which its ticks were learned
    metre: Metre  # that it composes in if nothing else is asked

    def read(self, smf: Smf) -> Score:
        """A MIDI file on the grid of this representation."""
        ...

    def encode(self, analysis: Analysis) -> Encoded: ...

    def decode(self, encoded: Encoded) -> NDArray[np.void]: ...

    def bridge(self, encoded: Encoded, tick: int) -> Encoded:
        """The same music, led on so that the event after its last one stands at `tick`."""
        ...

    def cursor(self, tick: int) -> Cursor: ...

    def pitch_shift(self, semitones: int) -> dict[int, NDArray[np.int64]]:
        """Event columns that speak of pitch, each with the table old value → transposed value."""
        ...

    def loudness_shift(self, steps: int) -> dict[int, NDArray[np.int64]]:
        """Event columns that speak of velocity, each with the table old value → louder value."""
        ...

    def touch(self, factor: float) -> dict[int, NDArray[np.int64]]:
        """The event column that is duration alone, with the table old value → scaled value; empty
        where no field is."""
        ...

    def echoed(self, event: list[int]) -> tuple[int, int, int] | None:
        """Pitch, duration and part as an echo of this event needs them, None if it has no echo."""
        ...

    def leaning(self, lean: Leaning) -> NDArray[np.float32]:
        """What is added to the log-weights of an event's values to have them lean so."""
        ...

    def write_bias(self, bias: NDArray[np.float32], limits: Limits) -> None:
        """The part of the masks that holds for a whole bar."""
        ...

    def lean_to(self, bias: NDArray[np.float32], parts: Collection[int], weight: float) -> None:
        """Have the next note lean to these parts, which are on, by so much log-weight."""
        ...


def field_offsets(fields: Sequence[Field]) -> list[int]:
    """Where each field begins when all are laid in one row; the last entry is the width."""
    offsets = [0]
    for field in fields:
        offsets.append(offsets[-1] + field.size)
    return offsets


def codec(name: str) -> Codec:
    """The representation of this name."""
    from engine.representations.notes import NotesCodec
    from engine.representations.performance import PerformanceCodec

    codecs: tuple[Codec, ...] = (NotesCodec(), PerformanceCodec())
    for found in codecs:
        if found.name == name:
            return found
    known = ", ".join(found.name for found in codecs)
    raise BundleError(f"representation '{name}' is not known here (known: {known})")
