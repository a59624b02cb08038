"""When the sustain pedal is down against the halves of a bar, where harmony changes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from export.performing.pieces import Piece

FEWEST = 20  # times down that make a piece one with pedal
CHANGING = 3.0  # ticks around a half bar within which a pedal that comes up changes there


def has_pedal(piece: Piece) -> bool:
    return len(piece.pedals) >= FEWEST


def delays(piece: Piece) -> Iterator[float]:
    """Of every half bar at whose beginning the pedal comes up, ticks until it is down again."""
    for start, end in _halves(piece):
        after = int(np.searchsorted(piece.pedals[:, 1], start - CHANGING))
        if after + 1 < len(piece.pedals) and piece.pedals[after, 1] <= start + CHANGING:
            down = float(piece.pedals[after + 1, 0])
            if down < end:
                yield max(0.0, down - start)


def changes(piece: Piece) -> float:
    """The share of all times at which the pedal comes up that lie where half a bar begins."""
    begin = np.array([start for start, _ in _halves(piece)])
    nearest = np.abs(piece.pedals[:, 1, None] - begin[None, :]).min(axis=1)
    return float((nearest <= CHANGING).mean())


def share_down(piece: Piece) -> float:
    """How much of the piece has the pedal down."""
    down = float((piece.pedals[:, 1] - piece.pedals[:, 0]).sum())
    return down / max(1, piece.score.end)


def _halves(piece: Piece) -> Iterator[tuple[float, float]]:
    for start, metre in zip(piece.grid.starts.tolist(), piece.grid.metres, strict=True):
        if metre.half < metre.ticks:
            yield start, start + metre.half
            yield start + metre.half, start + metre.ticks
        else:
            yield start, start + metre.ticks
