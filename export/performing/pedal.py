"""When the sustain pedal is down against the halves of a bar, where harmony changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from engine.music.score import Note
from engine.performing.texture import texture_of
from export.performing.pieces import PlayedPiece

FEWEST = 20  # times down that make a piece one with pedal
UNPRESSED = 0.05  # of half a bar: a pedal that is still coming up
CHANGING = 3.0  # ticks around a half bar within which a pedal that comes up changes there


def has_pedal(piece: PlayedPiece) -> bool:
    return len(piece.pedals) >= FEWEST


def delays(piece: PlayedPiece) -> Iterator[float]:
    """Of every half bar at whose beginning the pedal comes up, ticks until it is down again."""
    for start, end in _halves(piece):
        after = int(np.searchsorted(piece.pedals[:, 1], start - CHANGING))
        if after + 1 < len(piece.pedals) and piece.pedals[after, 1] <= start + CHANGING:
            down = float(piece.pedals[after + 1, 0])
            if down < end:
                yield max(0.0, down - start)


class PedalledHalf(NamedTuple):
    """Half a bar in which something is struck, and whether the pedal is down in it at all."""

    texture: int
    pressed: bool


def pedalled_halves(piece: PlayedPiece) -> Iterator[PedalledHalf]:
    onset = piece.score.notes["onset"].astype(np.int64)
    for start, end in _halves(piece):
        first, last = np.searchsorted(onset, (start, end))
        struck = [Note(*row) for row in piece.score.notes[first:last].tolist()]
        if struck:
            share = _down_between(piece, start, end) / (end - start)
            yield PedalledHalf(texture_of(struck, int(end)), share > UNPRESSED)


def _down_between(piece: PlayedPiece, start: float, end: float) -> float:
    """Ticks."""
    pedals = piece.pedals
    first, last = np.searchsorted(pedals[:, 1], start), np.searchsorted(pedals[:, 0], end)
    here = np.clip(pedals[first:last], start, end)
    return float((here[:, 1] - here[:, 0]).sum())


def changes(piece: PlayedPiece) -> float:
    """The share of all times at which the pedal comes up that lie where half a bar begins."""
    begin = np.array([start for start, _ in _halves(piece)])
    nearest = np.abs(piece.pedals[:, 1, None] - begin[None, :]).min(axis=1)
    return float((nearest <= CHANGING).mean())


def share_down(piece: PlayedPiece) -> float:
    """How much of the piece has the pedal down."""
    down = float((piece.pedals[:, 1] - piece.pedals[:, 0]).sum())
    return down / max(1, piece.score.end)


def _halves(piece: PlayedPiece) -> Iterator[tuple[float, float]]:
    for start, metre in zip(piece.grid.starts.tolist(), piece.grid.metres, strict=True):
        if metre.half < metre.ticks:
            yield start, start + metre.half
            yield start + metre.half, start + metre.ticks
        else:
            yield start, start + metre.ticks
