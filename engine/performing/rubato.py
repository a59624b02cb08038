"""How long a quarter lasts by place in phrase and section."""

from __future__ import annotations

from math import exp

from engine.music.noise import PLAYING_PHRASE, uniforms
from engine.performing.learned import LEARNED

# The close of a section is not the end of a piece, which is what was measured.
SECTION_CLOSE = 0.5


def pace(phrase: int, ending: int, expression: float, key: tuple[int, int, int]) -> float:
    """How many times as long as in an even tempo a quarter of a bar lasts; `key` is (seed, stream,
    bar)."""
    if not expression:
        return 1.0
    seed, stream, bar = key
    shape = LEARNED.phrase_tempo[phrase % len(LEARNED.phrase_tempo)]
    depth = _depth(float(uniforms(seed, stream, PLAYING_PHRASE, max(0, bar - phrase), 1)[0]))
    close = LEARNED.close_tempo[ending]
    return exp(expression * (depth * shape + SECTION_CLOSE * close))


def _depth(draw: float) -> float:
    """How far a phrase goes in tempo: between the deciles that were measured."""
    deciles = LEARNED.phrase_depth
    place = draw * (len(deciles) - 1)
    here = min(int(place), len(deciles) - 2)
    return deciles[here] + (deciles[here + 1] - deciles[here]) * (place - here)


def bent(place: float, ending: int, expression: float) -> float:
    """By what share of the bar a place in it, 0 … 1, comes later (or earlier) because the bar
    grows slower towards its end. Nothing at the bar lines themselves."""
    slope = 2 * expression * SECTION_CLOSE * LEARNED.close_slope[ending]
    return -slope / 2 * place * (1 - place)
