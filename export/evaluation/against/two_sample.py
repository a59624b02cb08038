"""Whether a learner can tell two collections of windows apart, and by which features.

Gradient boosting is fitted to all pieces but some, and judged on those; a piece or stream is never
on both sides. AUC is the chance that it takes a real window for the more real one: 0.5 is chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.music.measures import Floats, Ints
from export.evaluation.against.features import NAMES

FOLDS = 5  # or as many as there are pieces on a side
RESAMPLED = 300  # times, for the interval
SHUFFLES = 3  # of each feature
SPLITS = 3  # of the real pieces, for the control
LEAST_PIECES = 4  # on each side
TOLD = 8  # features


@dataclass(frozen=True, slots=True)
class TwoSample:
    """`low` and `high` bound 95 % of the AUC when pieces are drawn again. `control` is the AUC of
    one half of the real pieces against the other. `by` are features with what is lost of the AUC
    when each is shuffled, the most telling first."""

    auc: float
    low: float
    high: float
    control: float
    by: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """Windows in numbers, and the piece that each is of."""

    rows: Floats
    pieces: tuple[str, ...]


def two_sample(
    real: Sample, composed: Sample, seed: int = 0, control: float | None = None
) -> TwoSample | None:
    """None: there are too few pieces on a side. `control` is what `real_control` says of the real
    music, if that is known."""
    if min(len(set(real.pieces)), len(set(composed.pieces))) < LEAST_PIECES:
        return None
    judged = _judge(composed, real, seed)
    low, high = interval(judged, seed)
    if control is None:
        control = real_control(real, seed)
    return TwoSample(judged.auc, low, high, control, judged.by)


@dataclass(frozen=True, slots=True)
class Judged:
    """What a learner said of every window while it had not seen its piece."""

    scores: Floats
    is_real: Ints
    groups: Ints
    by: tuple[tuple[str, float], ...]

    @property
    def auc(self) -> float:
        return auc(self.scores, self.is_real)


def auc(scores: Floats, positive: Ints) -> float:
    """The chance that one of the positive scores more than one of the others; ties count half."""
    order = np.argsort(scores, kind="stable")
    _, first, counts = np.unique(scores[order], return_index=True, return_counts=True)
    middle = first + (counts + 1) / 2
    ranks = np.empty(len(scores))
    ranks[order] = np.repeat(middle, counts)
    ones = int(positive.sum())
    zeros = len(positive) - ones
    return float((ranks[positive == 1].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def _judge(first: Sample, second: Sample, seed: int, *, explain: bool = True) -> Judged:
    import sklearn.ensemble  # noqa: F401  # before: only the threads of what is loaded are limited
    from threadpoolctl import threadpool_limits

    # Threads only wait for each other over so few rows: one is ten times as fast as two.
    with threadpool_limits(1, "openmp"):
        return _judged(first, second, seed, explain)


def _judged(first: Sample, second: Sample, seed: int, explain: bool) -> Judged:
    rows = np.concatenate((first.rows, second.rows))
    is_second = np.repeat((0, 1), (len(first.rows), len(second.rows)))
    names = [f"0 {name}" for name in first.pieces] + [f"1 {name}" for name in second.pieces]
    groups = np.unique(names, return_inverse=True)[1]
    folds = min(FOLDS, len(set(first.pieces)), len(set(second.pieces)))
    fold = _folds(groups, is_second, folds, seed)
    dice = np.random.Generator(np.random.Philox(key=seed))
    scores, lost = np.zeros(len(rows)), np.zeros((folds, rows.shape[1]))
    for held in range(folds):
        out = fold == held
        used = _telling(rows[~out])
        learner = _learner(seed).fit(rows[~out][:, used], is_second[~out])
        scores[out] = learner.predict_proba(rows[out][:, used])[:, 1]
        if explain:
            lost[held, used] = _lost(learner, rows[out][:, used], is_second[out], dice)
    order = np.argsort(-lost.mean(axis=0))[:TOLD]
    by = tuple((NAMES[i], float(lost[:, i].mean())) for i in order.tolist()) if explain else ()
    return Judged(scores, is_second, groups, by)


def _telling(rows: Floats) -> Ints:
    """The columns that have two values or more."""
    known = [np.unique(column[~np.isnan(column)]) for column in rows.T]
    return np.flatnonzero([len(values) > 1 for values in known])


def _learner(seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=120,
        learning_rate=0.08,
        max_bins=32,  # finer steps tell no more of some hundred windows
        max_leaf_nodes=8,
        min_samples_leaf=10,
        l2_regularization=1.0,
        class_weight="balanced",
        early_stopping=False,
        random_state=seed,
    )


def _folds(groups: Ints, side: Ints, folds: int, seed: int) -> Ints:
    """A fold for each row: pieces whole, those of both sides spread evenly over the folds."""
    fold = np.zeros(len(groups), np.int64)
    dice = np.random.Generator(np.random.Philox(key=seed))
    for one in (0, 1):
        ours = dice.permutation(np.unique(groups[side == one]))
        for place, group in enumerate(ours.tolist()):
            fold[groups == group] = place % folds
    return fold


def _lost(learner: Any, rows: Floats, side: Ints, dice: np.random.Generator) -> Floats:
    """By feature, how much of the AUC is gone when it is shuffled."""
    if side.min() == side.max():
        return np.zeros(rows.shape[1])
    shuffled = np.tile(rows, (1 + rows.shape[1] * SHUFFLES, 1, 1))  # the first as it is
    for place in range(1, len(shuffled)):
        column = (place - 1) // SHUFFLES
        shuffled[place, :, column] = dice.permutation(rows[:, column])
    scores = learner.predict_proba(shuffled.reshape(-1, rows.shape[1]))[:, 1]
    whole, *others = (auc(one, side) for one in scores.reshape(len(shuffled), -1))
    found: Floats = whole - np.reshape(others, (-1, SHUFFLES)).mean(axis=1)
    return found


def interval(judged: Judged, seed: int) -> tuple[float, float]:
    """Of pieces drawn again and again, each with all of its windows."""
    dice = np.random.Generator(np.random.Philox(key=seed))
    groups = np.unique(judged.groups)
    drawn = dice.integers(len(groups), size=(RESAMPLED, len(groups)))
    times = np.stack([np.bincount(one, minlength=len(groups)) for one in drawn])  # each is drawn
    wins, pairs = _duels(judged, groups)
    won = np.einsum("ri,ij,rj->r", times, wins, times)
    of = np.einsum("ri,ij,rj->r", times, pairs, times)
    low, high = np.percentile(won[of > 0] / of[of > 0], (2.5, 97.5))
    return float(low), float(high)


def _duels(judged: Judged, groups: Ints) -> tuple[Floats, Floats]:
    """Of each piece's real windows against each piece's composed ones: how many score more, a tie
    as half, and of how many pairs. [pieces, pieces]."""
    member = (judged.groups[None, :] == groups[:, None]).astype(np.float64)
    real, composed = (judged.is_real == 1), (judged.is_real == 0)
    gap = judged.scores[real][:, None] - judged.scores[composed][None, :]
    more = (gap > 0) + 0.5 * (gap == 0)
    ours, theirs = member[:, real], member[:, composed]
    return ours @ more @ theirs.T, np.outer(ours.sum(axis=1), theirs.sum(axis=1))


def real_control(real: Sample, seed: int = 0) -> float:
    """Half of the real pieces against the other half, the mean of several splits."""
    found = []
    for split in range(SPLITS):
        pieces = sorted(set(real.pieces))
        chosen = np.random.Generator(np.random.Philox(key=[seed, split])).permutation(len(pieces))
        half = {pieces[i] for i in chosen[: len(pieces) // 2].tolist()}
        inside = np.array([piece in half for piece in real.pieces])
        found.append(_judge(_rows(real, inside), _rows(real, ~inside), seed, explain=False).auc)
    return float(np.mean(found))


def _rows(sample: Sample, chosen: Sequence[bool] | Any) -> Sample:
    pieces = tuple(piece for piece, one in zip(sample.pieces, chosen, strict=True) if one)
    return Sample(sample.rows[chosen], pieces)
