"""Finding music that is there twice: also transposed, in other note values, or as a part.

A piece is told by its upper line: the highest note of every onset. Eight notes in a row, taken as
intervals and ratios of durations, make one *turn*; the turns of a piece are hashed to a set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.music.score import DRUMS, Score

TURN_NOTES = 8
# Share of the smaller set that must lie in the other one.
DUPLICATE = 0.85
RELATED = 0.4  # kept both, but on the same side of the split
LEAST_TURNS = 24  # a smaller set says nothing
_SAMPLE = 4  # candidates are sought with every fourth hash
_NEIGHBOURS = 12


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """`exact` is equal for pieces with the same notes in any key and any note value."""

    exact: bytes
    turns: NDArray[np.uint32]


class Likeness(NamedTuple):
    """Pieces `first` < `second` by index; `share` of the smaller one's turns is common."""

    first: int
    second: int
    share: float
    exact: bool


def fingerprint(score: Score) -> Fingerprint:
    melodic = score.notes[score.notes["part"] != DRUMS]
    notes = melodic if len(melodic) else score.notes
    return Fingerprint(_exact(notes), _turns(notes))


def _exact(notes: NDArray[np.void]) -> bytes:
    order = np.lexsort((notes["pitch"], notes["onset"]))
    onset, pitch = notes["onset"][order].astype(np.int64), notes["pitch"][order].astype(np.int64)
    steps = np.diff(onset)
    unit = int(np.gcd.reduce(steps)) if len(steps) else 1
    shape = np.concatenate((steps // max(unit, 1), pitch - pitch.min(initial=127)))
    return hashlib.blake2b(shape.astype("<i4").tobytes(), digest_size=16).digest()


def _turns(notes: NDArray[np.void]) -> NDArray[np.uint32]:
    order = np.lexsort((255 - notes["pitch"].astype(np.int64), notes["onset"]))
    onset, first = np.unique(notes["onset"][order], return_index=True)
    pitch = notes["pitch"][order][first].astype(np.int64)
    if len(onset) < TURN_NOTES + 1:
        return np.zeros(0, np.uint32)
    gaps = np.log2(np.diff(onset))
    interval = np.clip(np.diff(pitch), -24, 24)[:-1] + 24
    ratio = np.clip(np.rint(2 * np.diff(gaps)), -8, 8).astype(np.int64) + 8
    symbol = (interval * 17 + ratio).astype(np.uint64)
    hashes = np.zeros(len(symbol) - TURN_NOTES + 2, np.uint64)
    for i in range(TURN_NOTES - 1):
        hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + symbol[i : i + len(hashes)]
    hashes ^= hashes >> np.uint64(31)
    hashes *= np.uint64(0xBF58476D1CE4E5B9)
    return np.unique((hashes >> np.uint64(32)).astype(np.uint32))


def likenesses(prints: Sequence[Fingerprint]) -> list[Likeness]:
    """All pairs of pieces that are the same or share at least `RELATED` of their turns.

    Of many exact copies each is paired with the first.
    """
    first_of: dict[bytes, int] = {}
    found = []
    for i, each in enumerate(prints):
        original = first_of.setdefault(each.exact, i)
        if original != i:
            found.append(Likeness(original, i, 1.0, True))
    unique = list(first_of.values())
    for a, b in _candidates([prints[i].turns for i in unique]):
        i, j = unique[a], unique[b]
        smaller = min(len(prints[i].turns), len(prints[j].turns))
        common = len(np.intersect1d(prints[i].turns, prints[j].turns, assume_unique=True))
        if common >= RELATED * smaller:
            found.append(Likeness(i, j, common / smaller, False))
    return sorted(found)


def _candidates(sets: list[NDArray[np.uint32]]) -> list[tuple[int, int]]:
    """Pairs that share enough of the sampled hashes to be worth a full comparison."""
    sampled = [turns[turns % _SAMPLE == 0] for turns in sets]
    sizes = np.array(
        [len(s) if len(t) >= LEAST_TURNS else 0 for s, t in zip(sampled, sets, strict=True)]
    )
    if not sizes.any():
        return []
    hashes = np.concatenate([s[:n] for s, n in zip(sampled, sizes, strict=True)])
    owner = np.repeat(np.arange(len(sets)), sizes)
    order = np.lexsort((owner, hashes))
    hashes, owner = hashes[order], owner[order]
    codes = []
    for step in range(1, _NEIGHBOURS + 1):
        same = hashes[step:] == hashes[:-step]
        codes.append(owner[:-step][same] * len(sets) + owner[step:][same])
    pairs, counts = np.unique(np.concatenate(codes), return_counts=True)
    first, second = pairs // len(sets), pairs % len(sets)
    enough = counts >= np.maximum(RELATED / 2 * np.minimum(sizes[first], sizes[second]), 3)
    return list(zip(first[enough].tolist(), second[enough].tolist(), strict=True))
