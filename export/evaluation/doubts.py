"""What a report's figures do not say, because they rest on too little."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from export.evaluation.overlap import Comparison
from export.evaluation.statistics import WINDOW_BARS

# The yardstick lays one half of the real pieces over the other: ten pieces, and ten windows of
# bars, on each side are the least of which a histogram says anything about the next ones.
LEAST_PIECES = 20
LEAST_BARS = 20 * WINDOW_BARS
_DIGITS = 3  # as the table shows them


def doubts(
    pieces: int,
    bars: int,
    comparisons: Sequence[Comparison],
    styles: Mapping[str, tuple[int, int, Sequence[Comparison]]],
) -> tuple[str, ...]:
    """Warnings, each a sentence. `pieces` and `bars` are those of the real music that was measured
    against; `styles` has the same for each style, with its comparisons."""
    basis = f"{_count(pieces, 'real piece')} with {_count(bars, 'bar')}"
    found = []
    if pieces < LEAST_PIECES or bars < LEAST_BARS:
        found.append(
            f"the figures rest on {basis}, and fewer than {LEAST_PIECES} pieces or {LEAST_BARS} "
            "bars say next to nothing: measure against more music"
        )
    above = _above(comparisons)
    if above:
        found.append(
            f"composed overlaps above real–real ({', '.join(above)}): {basis} are too few for "
            "these figures, or they are noise; read them as no more than real–real"
        )
    for style, (style_pieces, style_bars, rows) in styles.items():
        ours, theirs = len(_above(rows)), sum(row.yardstick is not None for row in rows)
        if ours and style_pieces < LEAST_PIECES:
            found.append(
                f"style {style} rests on {_count(style_pieces, 'real piece')} with "
                f"{_count(style_bars, 'bar')}, too few: {ours} of its {theirs} overlaps are above "
                "real–real"
            )
    return tuple(found)


def _above(rows: Sequence[Comparison]) -> list[str]:
    """Figures whose overlap is above its yardstick, with both."""
    return [
        f"{row.figure} {row.overlap:.{_DIGITS}f} over {row.yardstick:.{_DIGITS}f}"
        for row in rows
        if row.overlap is not None
        and row.yardstick is not None
        and round(row.overlap, _DIGITS) > round(row.yardstick, _DIGITS)
    ]


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
