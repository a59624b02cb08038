"""Sees to it that every part that is asked for is heard.

A network that is asked for three parts may find that two are enough. A part that was silent in the
first bar in which it is asked for is leaned to in the next, until its first note; what comes of it
is left to the network. Later it may rest as long as parts do.
"""

from __future__ import annotations

from collections.abc import Collection

from engine.music.score import DRUMS, PARTS

Patience = tuple[int, ...]  # by part: bars for which it may still be silent

RESTING = 8  # bars that a part may rest once it was heard
FRESH: Patience = (1,) * PARTS
# Log-weight towards a part that is overdue, in the bar's first half and in its second: networks
# give some parts less than one chance in a thousand, and few notes may be left in the bar.
URGE, LAST_URGE = 8.0, 40.0


def after_bar(patience: Patience, asked: Collection[int], heard: Collection[int]) -> Patience:
    """The patience after a bar; parts are counted from 0. Percussion is none of them: it is told
    apart by its pitches, and leaning to it would drive the others out."""
    return tuple(
        FRESH[part]
        if part not in asked or part == DRUMS
        else RESTING
        if part in heard
        else max(0, left - 1)
        for part, left in enumerate(patience)
    )


def overdue(patience: Patience) -> set[int]:
    """The parts that are to be heard now."""
    return {part for part, left in enumerate(patience) if not left}


def urge(place: float) -> float:
    """The log-weight towards an overdue part at a place of the bar, from 0 to 1."""
    return URGE if place < 0.5 else LAST_URGE
