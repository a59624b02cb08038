"""How the tempo goes by place in a phrase and before the end of a piece."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.music.fields import ENDING_FAR, ENDING_LAST, PHRASE_BARS
from export.performing.pieces import Floats, PlayedPiece

AROUND = 8  # bars to either side whose median is the tempo that a bar is compared with
SPARSE = 0.6  # a breath has at most so many of the notes that bars around it have
BESIDE = 4  # bars to either side that it is compared with
PHRASES = range(3, 17)  # bars from one breath to the next that count as a phrase
AT_MOST = 0.7  # beyond that a bar holds a fermata or a new movement


def rubato(piece: PlayedPiece) -> Floats:
    """Bar by bar, the logarithm of how much longer a quarter lasts than around it."""
    found = np.log(piece.quarter)
    around = [np.median(found[max(0, i - AROUND) : i + AROUND + 1]) for i in range(len(found))]
    clipped: Floats = np.clip(found - np.array(around), -AT_MOST, AT_MOST)
    return clipped


def phrases(piece: PlayedPiece) -> Iterator[range]:
    """The bars from after one breath up to the next. A breath is a bar of few notes before one of
    more: what music shows of its phrases without the tempo."""
    count = np.bincount(piece.bar, minlength=piece.bars)
    breaths = [
        i
        for i in range(BESIDE, piece.bars - 1)
        if 0 < count[i] <= SPARSE * np.median(count[i - BESIDE : i + BESIDE + 1])
        and count[i + 1] > count[i]
    ]
    for before, breath in pairwise(breaths):
        if breath - before in PHRASES:
            yield range(before + 1, breath + 1)


def by_place(piece: PlayedPiece, values: Floats) -> list[list[float]]:
    """Values bar by bar, sorted by their place in a phrase of eight bars."""
    places: list[list[float]] = [[] for _ in range(PHRASE_BARS)]
    for bars in phrases(piece):
        for number, bar in enumerate(bars):
            place = int((number + 0.5) / len(bars) * PHRASE_BARS)
            if np.isfinite(values[bar]):
                places[place].append(float(values[bar]))
    return places


def depths(piece: PlayedPiece, shape: tuple[float, ...]) -> Iterator[float]:
    """Of every phrase, how many times as far as `shape` its tempo goes: what fits best."""
    tempo = rubato(piece)
    for bars in phrases(piece):
        places = [int((i + 0.5) / len(bars) * PHRASE_BARS) for i in range(len(bars))]
        meant = np.array(shape)[places]
        meant = meant - meant.mean()
        heard = tempo[bars.start : bars.stop]
        if meant.any():
            yield float((heard - heard.mean()) @ meant / (meant @ meant))


def by_close(values: NDArray[np.float64]) -> list[float]:
    """Values of the last bars of a piece, by `BarPlan.ending`; nothing far from the close."""
    last: list[float] = values[-(ENDING_LAST - ENDING_FAR) :].tolist()
    return [0.0] * (ENDING_FAR + 1) + last
