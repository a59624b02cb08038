"""The sustain pedal: down after the harmony has changed, up when it changes again.

It comes up at every bar line, so that a bar can be left out, revised or bridged without a pedal
that stays down.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.music.bars import Pedal
from engine.music.fields import FIRST_CHORD
from engine.music.noise import PLAYING_PEDAL, uniforms
from engine.music.score import DRUMS, Note
from engine.performing.learned import LEARNED
from engine.performing.played_bar import PlayedBar
from engine.performing.texture import texture_of

PEDALLING = ("auto", "off", "on")
# Programs of General MIDI whose instruments have such a pedal: pianos, celesta, vibraphone.
PEDALLED = frozenset({*range(6), 8, 11})
_DELAY = round(LEARNED.pedal_delay)


def is_pressed(pedal: str, expression: float) -> bool:
    """Whether the controls ask for it."""
    return pedal == "on" or (pedal == "auto" and expression > 0)


def pedals_of(notes: Sequence[Note], bar: PlayedBar) -> tuple[Pedal, ...]:
    """When the pedals of a bar are down, for those parts that have one and something to sustain.
    A player leaves some harmonies without."""
    mine = [n for n in notes if n.part != DRUMS and bar.programs[n.part] in PEDALLED]
    draws = uniforms(*bar.key[:2], PLAYING_PEDAL, bar.key[2], 2).tolist() if mine else ()
    found = []
    for (first, last), draw in zip(_harmonies(notes, bar), draws, strict=False):
        here = [n for n in mine if n.onset < bar.start + last and _end(n) > bar.start + first]
        struck = [n for n in here if n.onset >= bar.start + first]
        if struck and draw >= LEARNED.pedal_rests[texture_of(struck, bar.start + last)]:
            down = first + min(_DELAY, (last - first) // 3)
            found += [Pedal(down, last - down, part) for part in sorted({n.part for n in here})]
    return tuple(found)


def _end(note: Note) -> int:
    return note.onset + note.duration


def _harmonies(notes: Sequence[Note], bar: PlayedBar) -> list[tuple[int, int]]:
    """Ticks of the bar from one change of harmony to the next."""
    half, whole = bar.metre.half, bar.metre.ticks
    if half < whole and _changes(notes, bar):
        return [(0, half), (half, whole)]
    return [(0, whole)]


def _changes(notes: Sequence[Note], bar: PlayedBar) -> bool:
    """Whether what is struck in the second half has another chord; another bass, where no chord is
    planned."""
    middle = bar.start + bar.metre.half
    melodic = [note for note in notes if note.part != DRUMS]
    late = [note.pitch for note in melodic if note.onset >= middle]
    first, second = bar.chords
    if late and min(first, second) >= FIRST_CHORD:
        return first != second
    early = [note.pitch for note in melodic if note.onset < middle]
    return bool(early and late) and min(early) % 12 != min(late) % 12
