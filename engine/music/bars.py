"""The bar: what a stream hands out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from engine.music.controllers import Controller
from engine.music.plan import BarPlan
from engine.music.score import Note
from engine.music.time import Metre, duration


class Pedal(NamedTuple):
    """The sustain pedal of a part (from 0) is down: from a tick after the bar line on, for so many
    ticks, and never beyond its bar."""

    tick: int
    length: int
    part: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One composed bar, as it sounds.

    `index` counts from 0; `revision` is how often this bar was composed: a higher one replaces
    the one that listeners hold. `start` and the notes' onsets are ticks of the stream. `shifts`
    go note by note with `notes`: microseconds by which each is played later (or earlier), of
    swing and humanising. `programs` are General MIDI programs by part. `surprise` is the mean of
    -log p a note, in nats. `pedals` are in order, those of one part apart from each other. `chords`
    are what is heard in its halves, as it sounds (`plan` has what was planned); 0 as long as no
    chord was heard.
    `controllers` are in order, those that are asked for.
    """

    index: int
    revision: int
    start: int
    metre: Metre
    microseconds_per_quarter: int
    notes: tuple[Note, ...]
    shifts: tuple[int, ...]
    programs: tuple[int, ...]
    plan: BarPlan
    section: str
    surprise: float
    pedals: tuple[Pedal, ...] = ()
    chords: tuple[int, int] = (0, 0)
    controllers: tuple[Controller, ...] = ()

    @property
    def end(self) -> int:
        return self.start + self.metre.ticks

    @property
    def length(self) -> int:
        """Microseconds."""
        return duration(self.metre.ticks, self.microseconds_per_quarter)


def moved(bar: Bar, ticks: int) -> Bar:
    """The same bar, so many ticks later."""
    if not ticks:
        return bar
    notes = tuple(note._replace(onset=note.onset + ticks) for note in bar.notes)
    return replace(bar, start=bar.start + ticks, notes=notes)
