"""Whether composed music does what the plan asked: correlations by control, share in the key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.fields import PITCH_CLASSES
from engine.measures import Floats
from engine.score import DRUMS

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


def key_share(notes: NDArray[np.void], keys: ArrayLike) -> float | None:
    """Share of the pitched notes that lie in the scale of the key asked for at each.

    Keys are the values of the plan's field: 1 … 12 major on C, C# …, 13 … 24 minor, 0 open. Minor
    accepts both forms of its sixth and seventh degree. Pitches and keys must have one home.
    """
    asked = np.asarray(keys, np.int64)
    counted = (asked > 0) & (notes["part"] != DRUMS)
    if not counted.any():
        return None
    key = asked[counted] - 1
    degree = (notes["pitch"][counted].astype(np.int64) - key) % PITCH_CLASSES
    scales = np.zeros((2, PITCH_CLASSES), bool)
    scales[0, list(_MAJOR)] = True
    scales[1, list(_MINOR)] = True
    return float(scales[key // PITCH_CLASSES, degree].mean())
