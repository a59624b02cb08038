"""What a player sees of the notes under one harmony before pressing the pedal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from engine.music.score import Note

TEXTURES = 4
STEP = 2  # semitones
SHORT = 0.4  # of the time to the end of the harmony


def texture_of(struck: Sequence[Note], end: int) -> int:
    """Of the notes that are struck under a harmony that ends at tick `end`, at least one: 0 as a
    rule; 1 more if they are let go early, 2 more if the highest of them run in steps."""
    held = sum(min(1.0, note.duration / (end - note.onset)) for note in struck) / len(struck)
    return (held < SHORT) + 2 * _runs(struck)


def _runs(struck: Sequence[Note]) -> bool:
    highest: dict[int, int] = {}
    for note in struck:
        highest[note.onset] = max(note.pitch, highest.get(note.onset, 0))
    line = [highest[onset] for onset in sorted(highest)]
    steps = sum(0 < abs(b - a) <= STEP for a, b in pairwise(line))
    return len(line) > 2 and 3 * steps > 2 * (len(line) - 1)
