"""How loud voices are beside each other, and how chords are struck."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engine.files.midi import Smf, performance_times
from engine.performing.roles import INNER, MELODY, VOICES
from export.performing.pieces import Floats, PlayedPiece

FEWEST = 6  # notes of a bar that tells how voices are balanced
APART = 25.0  # milliseconds from one note to the next, from which on they are not struck together
LARGEST = 50.0  # milliseconds that what is struck together may take


def balances(piece: PlayedPiece) -> Iterator[list[float]]:
    """Of every bar in which all voices are struck, how much louder each is than the mean of the
    bar, as a share of it."""
    velocity = piece.score.notes["velocity"].astype(np.float64)
    for bar in range(piece.bars):
        here = np.flatnonzero(piece.bar == bar)
        role, loud = piece.role[here], velocity[here]
        if len(here) >= FEWEST and all((role == voice).any() for voice in VOICES):
            yield [float(loud[role == voice].mean() / loud.mean() - 1) for voice in VOICES]


def loudness(piece: PlayedPiece, around: int = 8) -> Floats:
    """Bar by bar, how much louder it is than those around it, as a share; nan in silence."""
    velocity = piece.score.notes["velocity"].astype(np.float64)
    count = np.bincount(piece.bar, minlength=piece.bars)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(piece.bar, velocity, piece.bars) / count
    beside = [
        np.nanmean(mean[max(0, i - around) : i + around + 1]) if count[i] else np.nan
        for i in range(piece.bars)
    ]
    found: Floats = mean / np.array(beside) - 1
    return found


def spreads(smf: Smf) -> Iterator[float]:
    """Of everything that is struck together, milliseconds from its first note to its last."""
    times = performance_times(smf, smf.notes["start"]) / 1000
    order = np.argsort(times, kind="stable")
    times, pitch = times[order], smf.notes["pitch"][order]
    for struck in np.split(np.arange(len(times)), np.flatnonzero(np.diff(times) > APART) + 1):
        spread = float(times[struck[-1]] - times[struck[0]]) if len(struck) > 1 else LARGEST + 1
        if spread <= LARGEST and len(np.unique(pitch[struck])) == len(struck):
            yield spread


def contrasts(piece: PlayedPiece) -> Iterator[float]:
    """Of every bar in which both are struck, steps of velocity from inner voices to melody."""
    velocity = piece.score.notes["velocity"].astype(np.float64)
    for bar in range(piece.bars):
        here = np.flatnonzero(piece.bar == bar)
        role, loud = piece.role[here], velocity[here]
        if (role == MELODY).any() and (role == INNER).any():
            yield float(loud[role == MELODY].mean() - loud[role == INNER].mean())
