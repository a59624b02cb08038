"""A bar as a player renders it: a pure function of the bar, nothing is kept to the next."""

from __future__ import annotations

from engine.music.score import Note
from engine.performing.played_bar import PlayedBar
from engine.performing.roles import roles_of
from engine.performing.timing import delays_of
from engine.performing.touch import velocities_of


def rendered(
    notes: tuple[Note, ...], shifts: tuple[int, ...], bar: PlayedBar, expression: float
) -> tuple[tuple[Note, ...], tuple[int, ...]]:
    """The notes with other velocities, and by how many microseconds each is shifted, besides
    `shifts`."""
    if not expression or not notes:
        return notes, shifts
    roles = roles_of(notes)
    velocities = velocities_of(notes, roles, bar.phrase, expression)
    delays = delays_of(notes, roles, bar, expression)
    played = (
        note._replace(velocity=velocity) for note, velocity in zip(notes, velocities, strict=True)
    )
    return tuple(played), tuple(a + b for a, b in zip(shifts, delays, strict=True))
