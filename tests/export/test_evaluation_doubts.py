"""Figures that rest on too little are warned of, others are not."""

from __future__ import annotations

from export.evaluation.doubts import LEAST_BARS, LEAST_PIECES, doubts
from export.evaluation.overlap import Comparison

ENOUGH = (LEAST_PIECES, LEAST_BARS)


def row(figure: str, overlap: float | None, yardstick: float | None) -> Comparison:
    return Comparison(figure, None, None, overlap, yardstick, None)


BELOW = row("pitch", 0.8, 0.9)
ABOVE = row("gap", 0.91234, 0.85)


def test_enough_music_below_its_yardstick_is_not_doubted() -> None:
    equal = row("range", 0.9004, 0.9)  # as the table shows them
    assert doubts(*ENOUGH, [BELOW, equal, row("velocity", None, None)], {}) == ()
    assert doubts(*ENOUGH, [BELOW], {"folk": (3, 40, [BELOW])}) == ()


def test_few_pieces_or_bars_are_told_with_their_number() -> None:
    for pieces, bars in ((2, LEAST_BARS), (LEAST_PIECES - 1, 10**6), (LEAST_PIECES, 100)):
        (warning,) = doubts(pieces, bars, [BELOW], {})
        assert f"{pieces} real pieces with {bars:,} bars" in warning
    assert "1 real piece with 1 bar," in doubts(1, 1, [], {})[0]


def test_an_overlap_above_real_real_is_told_with_what_it_rests_on() -> None:
    (warning,) = doubts(*ENOUGH, [BELOW, ABOVE], {})
    assert "gap 0.912 over 0.850" in warning
    assert "pitch" not in warning
    assert f"{LEAST_PIECES} real pieces with {LEAST_BARS} bars" in warning


def test_a_style_of_few_pieces_is_told_where_its_overlaps_are_above() -> None:
    styles = {"folk": (3, 40, [BELOW, ABOVE]), "hymn": (50, 900, [ABOVE])}
    (warning,) = doubts(*ENOUGH, [BELOW], styles)
    assert warning.startswith("style folk rests on 3 real pieces with 40 bars")
    assert "1 of its 2 overlaps" in warning
