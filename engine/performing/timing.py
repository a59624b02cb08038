"""When the notes of a bar are struck: voices beside each other, and the player beside the beat."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi, sqrt

from engine.music.noise import PLAYING, PLAYING_TOGETHER, uniforms
from engine.music.score import TIED_FROM, Note
from engine.music.time import duration
from engine.performing.learned import LEARNED
from engine.performing.played_bar import PlayedBar
from engine.performing.roles import MELODY, PERCUSSION
from engine.performing.rubato import bent

# Milliseconds by which a melody comes before what is struck with it. Pianists are known to do so;
# the files that were measured, which are on a grid, cannot show it.
MELODY_LEAD = 6.0
# Chords of three, the commonest, are as far apart as was measured: n numbers drawn evenly from a
# width lie (n - 1) / (n + 1) of it apart in the mean.
_WIDTH = 2 * LEARNED.together_spread
# What lasts from note to note of a drummer's distance from the beat; evenly drawn heights vary by
# a third of the square of their reach.
_REACH = LEARNED.drift_spread * sqrt(3 * LEARNED.drift_memory)
_TICKS_PER_SIXTEENTH = 6


def delays_of(
    notes: Sequence[Note], roles: Sequence[int], bar: PlayedBar, expression: float
) -> list[int]:
    """Microseconds by which each note is struck later (or earlier); 0 for what is tied from the
    bar before."""
    seed, stream, number = bar.key
    draws = uniforms(seed, stream, PLAYING, number, len(notes)).tolist()
    heights = _heights(bar)
    length = duration(bar.metre.ticks, bar.microseconds_per_quarter)
    before = [-1, *(note.onset for note in notes)]
    after = [*(note.onset for note in notes[1:]), -1]
    found = []
    for i, note in enumerate(notes):
        tick = note.onset - bar.start
        place = tick / bar.metre.ticks
        late = _drifted(heights, place) + (draws[i] - 0.5) * _WIDTH
        if roles[i] == PERCUSSION:
            late += LEARNED.drum_places[tick // _TICKS_PER_SIXTEENTH % len(LEARNED.drum_places)]
        elif roles[i] == MELODY and note.onset in (before[i], after[i]):
            late -= MELODY_LEAD
        shift = 1000 * expression * late + length * bent(place, bar.ending, expression)
        found.append(0 if note.tie & TIED_FROM else round(shift))
    return found


def _heights(bar: PlayedBar) -> tuple[float, float, float]:
    """How late the player is at the bar line, in the middle and at the next bar line."""
    seed, stream, number = bar.key
    here = uniforms(seed, stream, PLAYING_TOGETHER, number, 2).tolist()
    there = uniforms(seed, stream, PLAYING_TOGETHER, number + 1, 1).tolist()
    first, middle, last = ((2 * height - 1) * _REACH for height in (*here, *there))
    return first, middle, last


def _drifted(heights: tuple[float, float, float], place: float) -> float:
    """Between two heights, setting out and arriving gently."""
    half = place >= 0.5
    here, there = heights[half], heights[half + 1]
    return here + (there - here) * (1 - cos(2 * pi * (place - half / 2))) / 2
