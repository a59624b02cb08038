"""Swing and humanising: how the written notes of a bar are played.

Looked up by (seed, stream, bar), so the same bar is always played alike.
"""

from __future__ import annotations

from engine.music.noise import HUMANISING, uniforms
from engine.music.score import TIED_FROM, Note
from engine.music.time import TICKS_PER_QUARTER

_EIGHTH = TICKS_PER_QUARTER // 2
# An off-beat eighth of full swing is the last of a triplet: later by a sixth of a quarter.
_SWING_SHARE = 1 / 6


def performed(
    notes: tuple[Note, ...],
    start: int,
    microseconds_per_quarter: int,
    swing: float,
    time_spread: float,
    velocity_spread: float,
    key: tuple[int, int, int],
) -> tuple[tuple[Note, ...], tuple[int, ...]]:
    """The notes with the velocities they are struck with, and by how many microseconds each is
    shifted. `time_spread` in milliseconds, `velocity_spread` in MIDI steps, `key` is
    (seed, stream, bar)."""
    if not notes or not (swing or time_spread or velocity_spread):
        return notes, (0,) * len(notes)
    seed, stream, bar = key
    draws = (2 * uniforms(seed, stream, HUMANISING, bar, 2 * len(notes)) - 1).tolist()
    played, shifts = [], []
    for i, note in enumerate(notes):
        shift = _swing(note.onset - start) * swing * microseconds_per_quarter
        shift += draws[2 * i] * time_spread * 1000
        velocity = round(note.velocity + draws[2 * i + 1] * velocity_spread)
        played.append(note._replace(velocity=min(127, max(1, velocity))))
        shifts.append(0 if note.tie & TIED_FROM else round(shift))
    return tuple(played), tuple(shifts)


def _swing(tick: int) -> float:
    """How late, as a share of a quarter, a tick of the bar falls at full swing.

    The first eighth of every beat is stretched and the second squeezed, with all that lies in
    them.
    """
    place = tick % TICKS_PER_QUARTER
    if place <= _EIGHTH:
        return _SWING_SHARE * place / _EIGHTH
    return _SWING_SHARE * (TICKS_PER_QUARTER - place) / _EIGHTH
