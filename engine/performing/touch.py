"""How loud the notes of a bar are struck: voices beside each other, the phrase."""

from __future__ import annotations

from collections.abc import Sequence

from engine.music.score import Note
from engine.performing.learned import LEARNED
from engine.performing.roles import VOICES


def velocities_of(
    notes: Sequence[Note], roles: Sequence[int], phrase: int, expression: float
) -> list[int]:
    """Velocities with the balance of voices that players have. What the music has of it already
    counts, and the mean of the bar stays but for the phrase."""
    melodic = [i for i in range(len(notes)) if roles[i] in VOICES]
    if not melodic:
        return [note.velocity for note in notes]
    mean = sum(notes[i].velocity for i in melodic) / len(melodic)
    swell = mean * LEARNED.phrase_loudness[phrase % len(LEARNED.phrase_loudness)]
    changes = _balance(notes, roles, melodic, mean)
    return [
        min(127, max(1, round(note.velocity + expression * (changes.get(role, 0.0) + swell))))
        for note, role in zip(notes, roles, strict=True)
    ]


def _balance(
    notes: Sequence[Note], roles: Sequence[int], melodic: Sequence[int], mean: float
) -> dict[int, float]:
    """By role, by how many steps it changes: as many as are missing to the learned balance. A
    melody that is louder than that already, such as a singer's, stays so, and so does a voice that
    is softer."""
    by_role: dict[int, list[int]] = {}
    for i in melodic:
        by_role.setdefault(roles[i], []).append(notes[i].velocity)
    if len(by_role) < 2:
        return {}
    missing = {}
    for role, loud in by_role.items():
        wanted = mean * LEARNED.voice_loudness[role]
        lacks = wanted - (sum(loud) / len(loud) - mean)
        missing[role] = lacks if lacks * wanted > 0 else 0.0
    middle = sum(missing[role] * len(loud) for role, loud in by_role.items()) / len(melodic)
    return {role: value - middle for role, value in missing.items()}
