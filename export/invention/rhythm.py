"""Rhythms of struck chords, and soft percussion."""

from __future__ import annotations

from collections.abc import Sequence

from engine.music.time import TICKS_PER_QUARTER, Metre
from export.invention.course import Bar
from export.invention.draws import Draws
from export.invention.piece import Piece

Rhythm = list[tuple[int, int]]  # place and ticks
Groove = list[tuple[int, int, float, float]]  # place, key, velocity, share of bars

_FOUR: tuple[Rhythm, ...] = (
    [(0, 96)],
    [(0, 48), (48, 48)],
    [(0, 36), (36, 60)],
    [(0, 24), (36, 24), (72, 24)],
    [(0, 60), (60, 36)],
    [(12, 36), (60, 36)],
    [(0, 36), (36, 12), (60, 36)],
    [(0, 84), (84, 12)],
    [(24, 24), (72, 24)],
)
_THREE: tuple[Rhythm, ...] = (
    [(0, 72)],
    [(0, 24), (24, 48)],
    [(24, 24), (48, 24)],
    [(0, 36), (36, 36)],
)
_SIX: tuple[Rhythm, ...] = ([(0, 72)], [(0, 36), (36, 36)], [(0, 24), (24, 12), (36, 36)])


def comping(draws: Draws, metre: Metre) -> list[Rhythm]:
    """Rhythms of two or four bars in turn."""
    options = {96: _FOUR, 72: _SIX if metre.unit == 8 else _THREE}[metre.ticks]
    main, answer = draws.choice(options), draws.choice(options)
    return draws.choice(
        ([main, answer], [main, main, main, answer], [main, answer, main, options[0]])
    )


class DrumKit:
    """Which keys are played: low, high and in between."""

    def __init__(self, draws: Draws) -> None:
        self.low = draws.choice((36, 35))
        self.back = draws.choice((37, 38, 40, 39))
        self.time = draws.choice((42, 42, 44, 70, 69))
        self.base = draws.between(34, 46)


def beat(draws: Draws, metre: Metre, kit: DrumKit) -> Groove:
    """A groove of one bar: time, low beats and the back beats against them."""
    step = draws.choice((12, 12, 24))
    groove: Groove = [
        (place, kit.time, kit.base - (0 if place % 24 == 0 else 8), 0.92)
        for place in range(0, metre.ticks, step)
    ]
    groove.append((0, kit.low, kit.base + 14, 1.0))
    if metre.ticks == 96:
        groove += [(24, kit.back, kit.base + 8, 1.0), (72, kit.back, kit.base + 8, 1.0)]
        for place, share in draws.choice(
            (((60, 0.9),), ((36, 0.8), (60, 0.5)), ((48, 0.9), (84, 0.4)))
        ):
            groove.append((place, kit.low, kit.base + 10, share))
    else:
        groove.append((metre.half, kit.back, kit.base + 8, 1.0))
        groove.append((metre.ticks - 12, kit.low, kit.base + 6, 0.4))
    return groove


def drum(piece: Piece, part: int, bars: Sequence[Bar], groove: Groove, draws: Draws) -> None:
    """The groove, thinner in quiet bars, and left out for the end of a phrase at times."""
    for bar in bars:
        until = piece.plan.metre.ticks
        if bar.closes and draws.chance(0.3):
            until -= draws.choice((1, 2)) * TICKS_PER_QUARTER
        for place, key, loud, share in groove:
            if place < until and draws.uniform() < share * min(1.0, 0.55 + bar.level):
                velocity = loud + piece.plan.loudness + 14 * (bar.level - 0.5)
                velocity += draws.between(-4, 4)
                piece.add(part, bar.start + place, 6, key, velocity)
