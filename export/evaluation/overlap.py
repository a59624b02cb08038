"""How far two distributions lie over each other, with real music against itself as the yardstick.

Composed music is compared with one half of the real pieces; so is the other half, cut to as many
windows as were composed. The second figure is the yardstick: nothing sampled from the same source
would do better. Several deterministic splits are averaged. Every window weighs the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.music.measures import Floats, Ints
from export.evaluation.statistics import FIGURES, Figure, MeasuredMusic

SPLITS = 5


def shares(counts: Floats) -> Floats:
    """Counts as shares of one; all zero if there are none."""
    total = counts.sum(axis=-1, keepdims=True)
    found: Floats = counts / np.where(total > 0, total, 1.0)
    return found


def overlap(first: Floats, second: Floats) -> float:
    """Overlapping area of two histograms on the same bins: 1 equal, 0 nothing in common."""
    return float(np.minimum(shares(first), shares(second)).sum())


def divergence(first: Floats, second: Floats) -> float:
    """Jensen-Shannon divergence in bits: 0 equal, 1 nothing in common; nan if one is empty."""
    p, q = shares(first), shares(second)
    if not p.any() or not q.any():
        return float("nan")
    middle = (p + q) / 2
    bits = 0.0
    for side in (p, q):
        used = side > 0
        bits += float((side[used] * np.log2(side[used] / middle[used])).sum()) / 2
    return max(0.0, bits)


def halves(pieces: int, split: int) -> tuple[Ints, Ints]:
    """Two disjoint halves of the piece numbers, shuffled by the number of the split."""
    order = np.random.Generator(np.random.Philox(key=split)).permutation(pieces)
    return np.sort(order[: (pieces + 1) // 2]), np.sort(order[(pieces + 1) // 2 :])


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure of composed music beside real music; None where it could not be told.

    `overlap` and `divergence` are composed against half of the real pieces, `yardstick` the
    overlap of the other real half with the same.
    """

    figure: str
    composed: float | None
    real: float | None
    overlap: float | None
    yardstick: float | None
    divergence: float | None


def compare(
    composed: Sequence[MeasuredMusic], real: Sequence[MeasuredMusic]
) -> tuple[Comparison, ...]:
    return tuple(_compare(figure, composed, real) for figure in FIGURES)


def compare_by_style(
    composed: Sequence[MeasuredMusic],
    composed_styles: Sequence[str],
    real: Sequence[MeasuredMusic],
    real_styles: Sequence[str],
) -> dict[str, tuple[Comparison, ...]]:
    """The comparison inside each style that both sides have, with two real pieces or more."""
    found = {}
    for style in sorted(set(composed_styles) & set(real_styles)):
        ours = [m for m, s in zip(composed, composed_styles, strict=True) if s == style]
        theirs = [m for m, s in zip(real, real_styles, strict=True) if s == style]
        if len(theirs) > 1:
            found[style] = compare(ours, theirs)
    return found


def pooled(figure: Figure, pieces: Sequence[MeasuredMusic]) -> Floats:
    """Shares [windows, bins] of all windows that have samples."""
    if not pieces:
        return np.zeros((0, figure.bins))
    rows = np.concatenate([piece.histograms[figure.name] for piece in pieces])
    return shares(rows[rows.any(axis=1)])


def average(figure: Figure, pieces: Sequence[MeasuredMusic]) -> float | None:
    """Mean over windows of the figure's mean."""
    if not figure.averaged or not pieces:
        return None
    values = np.concatenate([piece.means[figure.name] for piece in pieces])
    return _known(float(np.nanmean(values))) if not np.isnan(values).all() else None


def _compare(
    figure: Figure, composed: Sequence[MeasuredMusic], real: Sequence[MeasuredMusic]
) -> Comparison:
    ours = pooled(figure, composed)
    rows = []
    for split in range(SPLITS):
        reference, rest = (
            pooled(figure, [real[i] for i in half]) for half in halves(len(real), split)
        )
        like = _spread(rest, len(ours))
        if len(ours) and len(reference):
            p, q = ours.sum(axis=0), reference.sum(axis=0)
            yardstick = overlap(like.sum(axis=0), q) if len(like) else np.nan
            rows.append((overlap(p, q), yardstick, divergence(p, q)))
    area, yardstick, bits = np.mean(rows, axis=0) if rows else (np.nan,) * 3
    return Comparison(
        figure.name,
        average(figure, composed),
        average(figure, real),
        _known(area),
        _known(yardstick),
        _known(bits),
    )


def _spread(rows: Floats, wanted: int) -> Floats:
    """At most so many of the rows, evenly spread over all of them."""
    if len(rows) <= wanted:
        return rows
    found: Floats = rows[np.arange(wanted) * len(rows) // max(1, wanted)]
    return found


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
