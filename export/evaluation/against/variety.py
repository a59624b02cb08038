"""How different the streams of one preset are, against how different real pieces are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.controls.controls import Controls
from engine.music.bars import Bar
from export.evaluation.against.two_sample import Sample


@dataclass(frozen=True, slots=True)
class Variety:
    """`spread` is that of the streams as a share of the real pieces', by the median feature.
    `keys` is how many different ones they were begun in, `tempos` and `metres` are how many their
    first bars have."""

    spread: float | None
    keys: int
    tempos: int
    metres: int


def variety(
    composed: Sample,
    real: Sample,
    streams: Sequence[Sequence[Bar]],
    settings: Sequence[Controls],
) -> Variety:
    first = [bars[0] for bars in streams]
    return Variety(
        _spread(composed, real),
        len({controls.key for controls in settings}),
        len({round(bar.microseconds_per_quarter, -4) for bar in first}),
        len({bar.metre for bar in first}),
    )


def _spread(composed: Sample, real: Sample) -> float | None:
    ratios = [
        ours / theirs
        for column in range(composed.rows.shape[1])
        if (ours := _deviation(composed, column)) is not None
        and (theirs := _deviation(real, column))
    ]
    return float(np.median(ratios)) if ratios else None


def _deviation(sample: Sample, column: int) -> float | None:
    """Of a feature's means by piece; None if it is known of fewer than two."""
    values, pieces = sample.rows[:, column], np.array(sample.pieces)
    known = ~np.isnan(values)
    means = [values[known & (pieces == piece)].mean() for piece in np.unique(pieces[known])]
    return float(np.std(means)) if len(means) > 1 else None
