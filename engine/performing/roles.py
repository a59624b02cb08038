"""Which voice each note belongs to as one hears it: melody, bass, or what lies between."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from engine.music.score import DRUMS, Note

MELODY, INNER, BASS, PERCUSSION = range(4)
VOICES = (MELODY, INNER, BASS)


def roles_of(notes: Sequence[Note]) -> list[int]:
    """The role of each note; they come in the order of their onsets.

    Melody is the highest note that is struck, unless a higher one still sounds; bass the lowest in
    the same way, and what is both is melody.
    """
    roles = [PERCUSSION if note.part == DRUMS else INNER for note in notes]
    sounding: list[Note] = []
    melodic = (i for i, note in enumerate(notes) if note.part != DRUMS)
    for onset, group in groupby(melodic, key=lambda i: notes[i].onset):
        struck = list(group)
        sounding = [note for note in sounding if note.onset + note.duration > onset]
        lowest = min(struck, key=lambda i: notes[i].pitch)
        if notes[lowest].pitch <= min((note.pitch for note in sounding), default=127):
            roles[lowest] = BASS
        highest = max(struck, key=lambda i: notes[i].pitch)
        if notes[highest].pitch >= max((note.pitch for note in sounding), default=0):
            roles[highest] = MELODY
        sounding += [notes[i] for i in struck]
    return roles
