"""Composed bars as they travel: names instead of numbers, everything as it sounds."""

from __future__ import annotations

from engine.controls.key import HOME_MAJOR, HOME_MINOR, Key
from engine.music.bars import Bar
from engine.music.fields import NO_CHORD
from engine.music.harmony import CHORD_SHIFT, KEY_SHIFT, chord_name, key_id, key_name
from server.base.wire import WireBar, WireNote


def wire_bar(bar: Bar, key: Key, transposition: int) -> WireBar:
    """The bar for listeners. `key` is what the controls ask for, `transposition` by how many
    semitones the bar sounds above what was composed."""
    plan = bar.plan
    return WireBar(
        index=bar.index,
        revision=bar.revision,
        tick=bar.start,
        ticks=bar.metre.ticks,
        metre=str(bar.metre),
        tempo=bar.microseconds_per_quarter,
        key=sounding_key(plan.key, key, transposition),
        chords=(_chord(plan.chord, transposition), _chord(plan.half_chord, transposition)),
        section=bar.section,
        echo=plan.source,
        programs=bar.programs,
        notes=tuple(
            WireNote(
                note.part + 1,
                note.pitch,
                note.velocity,
                note.onset - bar.start,
                note.duration,
                shift,
                note.tie,
            )
            for note, shift in zip(bar.notes, bar.shifts, strict=True)
        ),
    )


def sounding_key(planned: int, key: Key, transposition: int) -> str:
    """The planned key as it sounds; at home, or where none is planned, the one asked for, whose
    mode may be any."""
    if planned in (0, key_id(HOME_MINOR if key.minor else HOME_MAJOR, key.minor)):
        return str(Key((key.tonic + transposition - key.shift) % 12, key.mode))
    return key_name(int(KEY_SHIFT[transposition % 12][planned]))


def _chord(chord: int, transposition: int) -> str:
    if chord < NO_CHORD:
        return ""
    return chord_name(int(CHORD_SHIFT[transposition % 12][chord]))
