"""How music goes over bars and minutes: what comes back, what stands still, whether it develops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.music.measures import Floats, Ints
from engine.music.score import Score
from export.evaluation.statistics import NEARLY, MeasuredPiece

LAGS = (1, 2, 4, 8, 16)
RUN = 3  # bars nearly the same in a row are a run


@dataclass(frozen=True, slots=True)
class Form:
    """`similarity` by lag; `runs` the share of bars in runs of nearly the same; `breath` the
    variation of density between bars."""

    similarity: dict[int, float | None]
    runs: float
    breath: float | None


def form_of(scores: Sequence[Score]) -> Form:
    pieces = [MeasuredPiece.of(score) for score in scores if len(score.notes)]
    similarity = {lag: _mean([_lag(piece, lag) for piece in pieces]) for lag in LAGS}
    bars = sum(piece.bars for piece in pieces)
    runs = sum(_in_runs(piece.likeness[:, 0]) for piece in pieces)
    breath = _mean([_breath(piece) for piece in pieces])
    return Form(similarity, runs / max(bars, 1), breath)


def _mean(values: Sequence[float]) -> float | None:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else None


def _lag(piece: MeasuredPiece, lag: int) -> float:
    found = piece.likeness[:, lag - 1]
    known = found[~np.isnan(found)]
    return float(known.mean()) if len(known) else np.nan


def _in_runs(likeness: Floats) -> int:
    """Bars that are nearly the same as the one before, in runs of so many bars and more."""
    same = np.nan_to_num(likeness, nan=0.0) >= NEARLY
    edges = np.flatnonzero(np.diff(np.concatenate(([0], same.astype(np.int64), [0]))))
    lengths: Ints = edges[1::2] - edges[::2] + 1  # with the bar that the run begins with
    return int(lengths[lengths >= RUN].sum())


def _breath(piece: MeasuredPiece) -> float:
    counts = np.bincount(piece.bar, minlength=piece.bars)[: piece.bars]
    sounding = counts[counts > 0]
    return float(sounding.std() / sounding.mean()) if len(sounding) > 1 else np.nan
