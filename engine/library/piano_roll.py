"""A small piano roll as SVG, for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

# By part; told apart also by those who see fewer colours.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#333333")
_MARGIN = 2  # semitones above and below
_HEIGHT = 5  # pixels a semitone
_DRAWN = 0.95  # of a note's length, so that repeated ones are told apart


def piano_roll(notes: NDArray[np.void], bar_lines: Sequence[float]) -> str:
    """`notes` as `Music.notes` has them; `bar_lines` are quarters, the last one the end."""
    low = int(notes["pitch"].min(initial=60)) - _MARGIN
    high = int(notes["pitch"].max(initial=72)) + _MARGIN
    height = high - low
    lines = "".join(f"M{quarter:g} 0v{height}" for quarter in bar_lines)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {bar_lines[-1]:g} {height}"'
        f' width="100%" height="{_HEIGHT * height}" preserveAspectRatio="none" fill="none">'
        f'<path d="{lines}" stroke="#999" stroke-width=".5" vector-effect="non-scaling-stroke"/>'
        f"{''.join(_parts(notes, high))}</svg>"
    )


def _parts(notes: NDArray[np.void], high: int) -> Iterable[str]:
    """A path for each part, whose strokes are its notes."""
    for part, colour in enumerate(COLOURS, 1):
        own = notes[notes["part"] == part]
        strokes = "".join(
            f"M{quarter:.7g} {high - int(pitch) - 0.5:g}h{_DRAWN * length:.5g}"
            for quarter, length, pitch in own[["quarter", "length", "pitch"]].tolist()
        )
        if strokes:
            yield f'<path d="{strokes}" stroke="{colour}" stroke-width=".8"/>'
