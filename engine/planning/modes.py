"""Chords that a scale has: what is drawn from habits of major and minor, made to fit a mode."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engine.music.fields import CHORDS, FIRST_CHORD
from engine.music.harmony import CHORD_CLASSES, chord_id, chord_parts

_TRIADS = ("maj", "min", "dim")


@lru_cache(maxsize=64)
def fitted(scale: tuple[bool, ...]) -> NDArray[np.int64]:
    """For each chord the one on its root that has only tones of the scale, [CHORDS]: itself, else a
    triad; 0 where the scale has neither."""
    found = np.zeros(CHORDS, np.int64)
    for chord in range(FIRST_CHORD, CHORDS):
        root, _ = chord_parts(chord)
        choices = (chord, *(chord_id(root, quality) for quality in _TRIADS))
        found[chord] = next((one for one in choices if _is_in(one, scale)), 0)
    return found


def _is_in(chord: int, scale: Sequence[bool]) -> bool:
    return all(scale[tone] for tone in CHORD_CLASSES[chord])
