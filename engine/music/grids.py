"""Grids that onsets can be kept to, as places in a quarter."""

from __future__ import annotations

from engine.music.time import TICKS_PER_QUARTER

# Multiples of any of these ticks belong to a grid: the finer two have triplets too.
_STEPS = {
    "1/32": (3, 4),
    "1/16": (6, 8),
    "1/8": (12,),
    "1/4": (24,),
}
FREE = "free"
GRIDS = (FREE, *_STEPS)


def places(grid: str) -> tuple[bool, ...]:
    """Which ticks of a quarter belong to it; none are told apart where it is free."""
    if grid == FREE:
        return ()
    return tuple(
        any(tick % step == 0 for step in _STEPS[grid]) for tick in range(TICKS_PER_QUARTER)
    )


def widest(grid: str) -> int:
    """Ticks of the longest way from a place to the next."""
    return 1 if grid == FREE else _STEPS[grid][0]
