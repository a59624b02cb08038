"""The sustain pedal: down after the harmony has changed, up when it changes again.

It comes up at every bar line, so that a bar can be left out, revised or bridged without a pedal
that stays down.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.music.bars import Pedal
from engine.music.fields import FIRST_CHORD
from engine.music.score import DRUMS, Note
from engine.performing.learned import LEARNED
from engine.performing.played_bar import PlayedBar

PEDALLING = ("auto", "off", "on")
# Programs of General MIDI whose instruments have such a pedal: pianos, celesta, vibraphone.
PEDALLED = frozenset({*range(6), 8, 11})
_DELAY = round(LEARNED.pedal_delay)


def is_pressed(pedal: str, expression: float) -> bool:
    """Whether the controls ask for it."""
    return pedal == "on" or (pedal == "auto" and expression > 0)


def pedals_of(notes: Sequence[Note], bar: PlayedBar) -> tuple[Pedal, ...]:
    """When the pedals of a bar are down, for those parts that have one and something to sustain."""
    parts = sorted({note.part for note in notes if bar.programs[note.part] in PEDALLED} - {DRUMS})
    found = []
    for first, last in _harmonies(notes, bar):
        down = first + min(_DELAY, (last - first) // 3)
        for part in parts:
            if any(_sounds(note, part, bar.start + first, bar.start + last) for note in notes):
                found.append(Pedal(down, last - down, part))
    return tuple(found)


def _sounds(note: Note, part: int, first: int, last: int) -> bool:
    return note.part == part and note.onset < last and note.onset + note.duration > first


def _harmonies(notes: Sequence[Note], bar: PlayedBar) -> list[tuple[int, int]]:
    """Ticks of the bar from one change of harmony to the next."""
    half, whole = bar.metre.half, bar.metre.ticks
    if half < whole and _changes(notes, bar):
        return [(0, half), (half, whole)]
    return [(0, whole)]


def _changes(notes: Sequence[Note], bar: PlayedBar) -> bool:
    """Whether the second half has another chord; another bass, where none is planned."""
    first, second = bar.chords
    if min(first, second) >= FIRST_CHORD:
        return first != second
    middle = bar.start + bar.metre.half
    melodic = [note for note in notes if note.part != DRUMS]
    early = min((note.pitch for note in melodic if note.onset < middle), default=0)
    late = min((note.pitch for note in melodic if note.onset >= middle), default=early)
    return early % 12 != late % 12
