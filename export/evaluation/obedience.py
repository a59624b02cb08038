"""Whether composed music does what was asked: correlations by control, shares by harmony."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.music.fields import FIRST_CHORD, KEYS, PITCH_CLASSES
from engine.music.harmony import CHORD_TONES
from engine.music.measures import Floats, Ints
from engine.music.score import DRUMS

_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_MINOR = (0, 2, 3, 5, 7, 8, 9, 10, 11)  # natural, harmonic and melodic together


@dataclass(frozen=True, slots=True)
class Obedience:
    """How the heard values of one control follow the asked ones, over `bars` bars.

    A correlation is None when fewer than three bars are known or one side never changes.
    """

    control: str
    bars: int
    pearson: float | None
    spearman: float | None


def pearson(first: Floats, second: Floats) -> float | None:
    if len(first) < 3:
        return None
    a, b = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    # A spread that is only rounding counts as none.
    if scale <= 1e-12 * max(1.0, float(np.abs(first).max() * np.abs(second).max())):
        return None
    return float(np.clip(a @ b / scale, -1.0, 1.0))


def ranks(values: Floats) -> Floats:
    """Rank of each value from 1 on; equal values share their mean rank."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    found: Floats = (last - (counts - 1) / 2)[where]
    return found


def obedience(control: str, asked: ArrayLike, heard: ArrayLike) -> Obedience:
    """Asked and heard values by bar; bars where either is nan are left out."""
    first, second = np.asarray(asked, np.float64), np.asarray(heard, np.float64)
    known = ~(np.isnan(first) | np.isnan(second))
    first, second = first[known], second[known]
    return Obedience(
        control, len(first), pearson(first, second), pearson(ranks(first), ranks(second))
    )


def obedience_of(pairs: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> tuple[Obedience, ...]:
    return tuple(obedience(control, asked, heard) for control, (asked, heard) in pairs.items())


@dataclass(frozen=True, slots=True)
class Harmony:
    """Share of the pitched notes that lie in the scale of the key asked for, and share that are
    tones of the chord asked for; None where nothing was asked."""

    key: float | None
    chord: float | None


def harmony(pitch: Ints, part: Ints, key: Ints, chord: Ints) -> Harmony:
    """From each note and the plan's field values at its place; pitches have the plan's home.

    Minor accepts both forms of its sixth and seventh degree.
    """
    tuned = part != DRUMS
    in_key = _scale_of_keys()[key, pitch % PITCH_CLASSES]
    in_chord = CHORD_TONES[chord, pitch % PITCH_CLASSES]
    return Harmony(
        _share(in_key[tuned & (key > 0)]),
        _share(in_chord[tuned & (chord >= FIRST_CHORD)]),
    )


def _share(holds: NDArray[np.bool_]) -> float | None:
    return float(holds.mean()) if len(holds) else None


def _scale_of_keys() -> NDArray[np.bool_]:
    """[KEYS, 12]: the pitch classes of each key's scale."""
    found = np.zeros((KEYS, PITCH_CLASSES), bool)
    for tonic in range(PITCH_CLASSES):
        found[1 + tonic, [(tonic + step) % PITCH_CLASSES for step in _MAJOR]] = True
        minor = [(tonic + step) % PITCH_CLASSES for step in _MINOR]
        found[1 + PITCH_CLASSES + tonic, minor] = True
    return found
