"""What the planner knows about music: statistics of plans, learned or written by hand.

Chords are counted by half bar as they stand in the local key moved to C major or A minor, so that
a modulation speaks the same language as home. Arrays with a row a style have one row more, the
last, for all music together. Buckets, chords and keys are field values (see `engine.music.fields`).
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from common.errors import BundleError
from engine.music.fields import (
    ATTRIBUTES,
    CHORDS,
    ENDING_LAST,
    FIRST_CHORD,
    KEYS,
    NO_CHORD,
    PHRASE_BARS,
)
from engine.music.harmony import chord_id, key_id

MAX_ECHO = 64  # farthest bar that the planner echoes on its own, in bars back
LEVELS = 4  # ECHO_NEW … ECHO_EXACT
MAX_BYTES = 300_000

Floats = NDArray[np.float64]
Number = TypeVar("Number", int, NDArray[np.int64])

# Pieces repeat their own turns, so two chords of context promise more than they hold: on pieces
# left out, counting each kind of follower 20 times was best (2.08 nats a chord; 2.12 with one
# chord of context, 2.22 with kinds counted once).
_DOUBT = 20.0

_MODES, _HALVES = 2, 2
_N = len(ATTRIBUTES)
# Type and shape of every array; "S" counts the styles and the row for all of them, other letters
# are free but must agree.
_LAYOUT: dict[str, tuple[str, tuple[int | str, ...]]] = {
    "contexts": ("<i4", ("C",)),
    "starts": ("<i4", ("C+1",)),
    "followers": ("u1", ("F",)),
    "counts": ("<u4", ("F",)),
    "phrase_tilt": ("<f4", (_MODES, PHRASE_BARS, _HALVES, CHORDS)),
    "ending_tilt": ("<f4", (_MODES, 1 + ENDING_LAST, _HALVES, CHORDS)),
    "key_leave": ("<f4", (_MODES,)),
    "key_return": ("<f4", (_MODES,)),
    "key_moves": ("<f4", (_MODES, KEYS)),
    "means": ("<f4", ("S", _N)),
    "spreads": ("<f4", ("S", _N)),
    "between": ("<f4", ("S", _N)),
    "persistence": ("<f4", ("S", _N)),
    "mixing": ("<f4", (_N, _N)),
    "echo_levels": ("<f4", ("S", LEVELS, PHRASE_BARS, LEVELS)),
    "echo_distances": ("<f4", ("S", MAX_ECHO)),
    "echo_goes_on": ("<f4", ("S",)),
    "part_masks": ("u1", ("P",)),
    "part_weights": ("<f4", ("S", "P")),
}
_MAY_BE_NEGATIVE = ("mixing",)


def chord_context(
    style: Number, before: Number, last: Number, minor: Number, half: Number
) -> Number:
    """Number of a chord context; `minor` is 0 or 1.

    0 for `before` or `last` means any chord, NO_CHORD that the music begins.
    """
    return ((style * CHORDS + before) * CHORDS + last) * 4 + 2 * minor + half


@dataclass(frozen=True, slots=True, eq=False)
class PlannerTable:
    """Statistics of plans by style.

    Which chord follows: for each of the rising `contexts` (see `chord_context`) the `followers`
    and their `counts` from `starts[i]` to `starts[i + 1]`. The tilts multiply a chord's weight by
    its place in the phrase and its distance to the close. `key_leave` and `key_return` are
    probabilities a bar of leaving the home key and coming back, `key_moves` where to.

    `means` and `spreads` of the attributes are in buckets, within a piece, `between` the spread of
    the pieces' own means; `persistence` is their correlation from bar to bar, `mixing` the lower
    triangle that correlates them with each other.

    `echo_levels[style, level of the bar before - 1, bar in phrase]` weighs the levels,
    `echo_distances[style, d - 1]` the distances; `echo_goes_on` is the probability that a bar
    after an echo keeps its distance. `part_masks` are sets of parts playing, weighed by style.
    """

    styles: tuple[str, ...]
    contexts: NDArray[np.int32]
    starts: NDArray[np.int32]
    followers: NDArray[np.uint8]
    counts: NDArray[np.uint32]
    phrase_tilt: NDArray[np.float32]
    ending_tilt: NDArray[np.float32]
    key_leave: NDArray[np.float32]
    key_return: NDArray[np.float32]
    key_moves: NDArray[np.float32]
    means: NDArray[np.float32]
    spreads: NDArray[np.float32]
    between: NDArray[np.float32]
    persistence: NDArray[np.float32]
    mixing: NDArray[np.float32]
    echo_levels: NDArray[np.float32]
    echo_distances: NDArray[np.float32]
    echo_goes_on: NDArray[np.float32]
    part_masks: NDArray[np.uint8]
    part_weights: NDArray[np.float32]

    def weights(self, mix: Mapping[str, float]) -> tuple[float, ...]:
        """A style mix as one weight a row, summing to 1; all music if no style of it is here."""
        found = [max(0.0, mix.get(style, 0.0)) for style in self.styles]
        total = sum(found)
        if total <= 0:
            return (*(0.0 for _ in found), 1.0)
        return (*(weight / total for weight in found), 0.0)

    def chord_weights(
        self, styles: tuple[float, ...], before: int, last: int, minor: bool, half: int
    ) -> Floats:
        """How likely each chord is after `before` and `last`, [CHORDS], summing to 1. The caller's
        own to change."""
        return _chord_weights(self, styles, before, last, minor, half).copy()

    def _weigh_chords(
        self, styles: tuple[float, ...], before: int, last: int, minor: bool, half: int
    ) -> Floats:
        common = np.zeros(CHORDS)
        common[FIRST_CHORD:] = 1 / (CHORDS - FIRST_CHORD)
        everything = len(self.styles)
        for context in dict.fromkeys(((0, 0), (0, last), (before, last))):
            doubt = _DOUBT if context[0] else 1.0
            self._sharpen(common, chord_context(everything, *context, minor, half), doubt)
        found = styles[everything] * common
        for style, weight in enumerate(styles[:everything]):
            if weight > 0:
                own = common.copy()
                self._sharpen(own, chord_context(style, before, last, minor, half), _DOUBT)
                found += weight * own
        return found

    def _sharpen(self, weights: Floats, context: int, doubt: float) -> None:
        """Witten–Bell: trust a context's own counts the more, the fewer kinds of follower."""
        at = int(np.searchsorted(self.contexts, context))
        if at == len(self.contexts) or self.contexts[at] != context:
            return
        own = slice(int(self.starts[at]), int(self.starts[at + 1]))
        counts = self.counts[own]
        reserve = doubt * len(counts)
        trust = 1 / (int(counts.sum()) + reserve)
        weights *= reserve * trust
        weights[self.followers[own]] += counts * trust

    def part_set(self, styles: tuple[float, ...], uniform: float) -> int:
        """A typical set of parts as a bit mask."""
        heights = np.cumsum(np.asarray(styles) @ self.part_weights)
        at = int(np.searchsorted(heights, uniform * heights[-1], side="right"))
        return int(self.part_masks[min(at, len(self.part_masks) - 1)])

    def to_bytes(self) -> bytes:
        """The same table always gives the same bytes."""
        arrays: dict[str, Any] = {
            name: np.ascontiguousarray(getattr(self, name), dtype)
            for name, (dtype, _) in _LAYOUT.items()
        }
        arrays["styles"] = np.frombuffer("\n".join(self.styles).encode(), np.uint8)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> PlannerTable:
        """Read what `to_bytes` wrote; BundleError if it is something else."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            text = arrays.pop("styles").tobytes().decode()
            arrays.setdefault("between", np.zeros_like(arrays["spreads"]))  # tables of before
            table = cls(tuple(text.split("\n")) if text else (), **arrays)
            table._check()
        except Exception as error:  # what a damaged archive raises is anyone's guess
            raise BundleError(
                f"the planner table is damaged ({error}); export the bundle again"
            ) from error
        return table

    def _check(self) -> None:
        sizes: dict[int | str, int] = {"S": len(self.styles) + 1, "C": len(self.contexts)}
        sizes |= {"C+1": len(self.contexts) + 1}
        for name, (dtype, shape) in _LAYOUT.items():
            array = getattr(self, name)
            wanted = tuple(
                n if isinstance(n, int) else sizes.setdefault(n, array.shape[-1]) for n in shape
            )
            if array.dtype != np.dtype(dtype) or array.shape != wanted:
                raise ValueError(f"{name} is {array.dtype} {array.shape}, not {dtype} {wanted}")
            bound = -1e6 if name in _MAY_BE_NEGATIVE else 0
            if array.size and not (bound <= array.min() and array.max() < 2**31):
                raise ValueError(f"{name} is out of range")
        ordered = (np.diff(self.contexts) > 0).all() and (np.diff(self.starts) > 0).all()
        if not ordered or self.starts[0] != 0 or self.starts[-1] != len(self.followers):
            raise ValueError("the chord contexts are out of order")
        if len(self.followers) and self.followers.max() >= CHORDS:
            raise ValueError("a chord is out of range")
        if not len(self.part_masks):
            raise ValueError("no part sets")

    @classmethod
    def plain(cls) -> PlannerTable:
        """Simple diatonic progressions and even habits: for bundles without learned tables."""
        tilt = np.ones((_MODES, PHRASE_BARS, _HALVES, CHORDS), np.float32)
        ending = np.ones((_MODES, 1 + ENDING_LAST, _HALVES, CHORDS), np.float32)
        for mode, (tonic, dominants) in enumerate(_CADENCE):
            for bar in (3, 7):
                tilt[mode, bar, 1, list(dominants)] *= 3
            tilt[mode, 0, :, tonic] *= 3
            ending[mode, ENDING_LAST - 1, :, list(dominants)] *= 8
            ending[mode, ENDING_LAST, :, tonic] *= 500
        levels = np.full((1, LEVELS, PHRASE_BARS, LEVELS), (0.6, 0.1, 0.2, 0.1), np.float32)
        levels[:, 1:, 1:] = (0.3, 0.2, 0.35, 0.15)
        distances = np.full((1, MAX_ECHO), 0.002)
        distances[0, [0, 1, 3, 7, 15]] = (0.1, 0.15, 0.3, 0.4, 0.1)
        return cls(
            styles=(),
            **chord_counts(_plain_pairs(), 1),
            phrase_tilt=tilt,
            ending_tilt=ending,
            key_leave=np.array([0.03, 0.03], np.float32),
            key_return=np.array([0.2, 0.2], np.float32),
            key_moves=_plain_moves(),
            means=np.array([[6.5, 6.5, 4.5, 6.5, 4.5]], np.float32),
            spreads=np.array([[1.0, 0.8, 0.7, 0.8, 0.7]], np.float32),
            between=np.array([[0.8, 0.6, 0.5, 0.8, 0.5]], np.float32),
            persistence=np.full((1, _N), 0.6, np.float32),
            mixing=np.eye(_N, dtype=np.float32),
            echo_levels=levels,
            echo_distances=(distances / distances.sum()).astype(np.float32),
            echo_goes_on=np.array([0.8], np.float32),
            part_masks=np.array([1], np.uint8),
            part_weights=np.ones((1, 1), np.float32),
        )


def chord_counts(pairs: NDArray[np.int64], least: int) -> dict[str, Any]:
    """The chord arrays of a table from (context, chord) rows; rarer ones than `least` left out."""
    code, count = np.unique(pairs[:, 0] * 256 + pairs[:, 1], return_counts=True)
    kept = count >= least
    code, count = code[kept], count[kept]
    contexts, starts = np.unique(code // 256, return_index=True)
    return {
        "contexts": contexts.astype(np.int32),
        "starts": np.append(starts, len(code)).astype(np.int32),
        "followers": (code % 256).astype(np.uint8),
        "counts": count.astype(np.uint32),
    }


_CADENCE = (
    (chord_id(0, "maj"), (chord_id(7, "maj"), chord_id(7, "7"))),
    (chord_id(9, "min"), (chord_id(4, "maj"), chord_id(4, "7"))),
)
_PLAIN_COUNT = 100  # as if each progression had been heard so often
# One chord a bar, first in C major, then in A minor: root and quality.
_PROGRESSIONS = (
    (
        ((0, "maj"), (5, "maj"), (7, "maj"), (0, "maj")),
        ((0, "maj"), (9, "min"), (5, "maj"), (7, "maj")),
        ((0, "maj"), (7, "maj"), (9, "min"), (5, "maj")),
        ((0, "maj"), (9, "min"), (2, "min7"), (7, "7")),
        ((0, "maj"), (5, "maj"), (2, "min"), (7, "7")),
        ((9, "min"), (4, "min"), (5, "maj"), (7, "maj")),
    ),
    (
        ((9, "min"), (2, "min"), (4, "maj"), (9, "min")),
        ((9, "min"), (5, "maj"), (0, "maj"), (7, "maj")),
        ((9, "min"), (7, "maj"), (5, "maj"), (4, "maj")),
        ((9, "min"), (2, "min"), (11, "dim"), (4, "7")),
        ((9, "min"), (0, "maj"), (2, "min"), (4, "7")),
    ),
)


def _plain_pairs() -> NDArray[np.int64]:
    pairs = []
    for mode, progressions in enumerate(_PROGRESSIONS):
        beginning = chord_context(0, 0, NO_CHORD, mode, 0)
        pairs.append((beginning, _CADENCE[mode][0]))
        for progression in progressions:
            chords = [chord_id(*chord) for chord in progression for _ in range(2)]
            for i, chord in enumerate(chords):
                before, last = chords[i - 2], chords[i - 1]
                for context in ((0, 0), (0, last), (before, last)):
                    pairs.append((chord_context(0, *context, mode, i % 2), chord))
    return np.array(pairs * _PLAIN_COUNT, np.int64)


def _plain_moves() -> NDArray[np.float32]:
    """Dominant, subdominant and relative, from C major and from A minor."""
    moves = np.zeros((_MODES, KEYS), np.float32)
    moves[0, [key_id(7, False), key_id(5, False), key_id(9, True)]] = (0.5, 0.2, 0.3)
    moves[1, [key_id(0, False), key_id(4, True), key_id(2, True)]] = (0.5, 0.2, 0.3)
    return moves


@lru_cache(maxsize=512)  # music comes back to the same chords all the time
def _chord_weights(
    table: PlannerTable, styles: tuple[float, ...], before: int, last: int, minor: bool, half: int
) -> Floats:
    return table._weigh_chords(styles, before, last, minor, half)
