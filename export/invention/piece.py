"""Notes as they are gathered, and the score that comes of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from engine.music.fields import LENGTHS
from engine.music.score import NOTE, PARTS, Score, note_order
from engine.music.time import TICKS_PER_QUARTER
from export.invention.course import Plan
from export.invention.draws import Draws
from export.invention.polish import Written, without_parallels, without_unisons

LOUDEST, SOFTEST = 112, 16
LOWEST, HIGHEST = 21, 108
_SHORT = 6  # ticks that a note keeps where swing makes it shorter


class Piece:
    """The notes of a plan. Parts that are written first keep their notes where two meet."""

    def __init__(self, plan: Plan, programs: Sequence[int], *, swung: bool = False) -> None:
        self.plan = plan
        self.programs = (*programs, *[0] * (PARTS - len(programs)))
        self._swung = swung
        self._notes: list[Written] = []
        self._ranks: dict[int, int] = {}

    def add(
        self,
        part: int,
        onset: int,
        ticks: int,
        pitch: int,
        velocity: float,
        *,
        loose: bool = False,
    ) -> None:
        """A note; what would begin after the end is left out, what is held beyond is cut."""
        if self._swung:
            end = _swung(onset + ticks)
            onset = _swung(onset)
            ticks = max(end - onset, min(ticks, _SHORT))
        ticks = min(ticks, self.plan.end - onset)
        onset, ticks = self._breathing(onset, ticks)
        if onset < 0 or ticks < 1 or not LOWEST <= pitch <= HIGHEST:
            return
        rank = self._ranks.setdefault(part, len(self._ranks))
        loud = round(min(LOUDEST, max(SOFTEST, velocity)))
        self._notes.append(Written(onset, ticks, pitch, loud, part, rank, loose))

    def _breathing(self, onset: int, ticks: int) -> tuple[int, int]:
        """A note without what of it falls into a silence; none if it begins there."""
        for first, last in self.plan.breaths:
            if first <= onset < last:
                return onset, 0
            if onset < first < onset + ticks:
                return onset, first - onset
        return onset, ticks

    def loud(self, tick: int, base: float, draws: Draws) -> float:
        """The velocity of a note there: by level, by its place in phrase and bar, by chance."""
        bar = self.plan.bar_at(tick)
        into = (tick - bar.start) / self.plan.metre.ticks
        arch = 1 - abs(2 * (bar.place + into) / bar.phrase - 1.15)
        accent = 4.0 if tick == bar.start else 2.0 * (tick - bar.start == self.plan.metre.half)
        loud = base + self.plan.loudness + self.plan.contrast * (bar.level - 0.5)
        return loud + 7 * (arch - 0.5) + accent + draws.between(-3.5, 3.5)

    def score(self) -> Score:
        kept = without_parallels(without_unisons(self._notes))
        rows = [(n.onset, _length(n.ticks), n.pitch, n.velocity, n.part) for n in kept]
        return Score(
            notes=note_order(np.array(rows, NOTE)),
            metres=((0, self.plan.metre),),
            tempos=self.plan.tempos,
            programs=self.programs,
        )


def _length(ticks: int) -> int:
    """The longest note value that is not longer."""
    length: int = LENGTHS[bisect_right(LENGTHS, ticks) - 1]
    return length


def _swung(tick: int) -> int:
    """Where a swinging player puts it: the second eighth of a beat on its third triplet."""
    return tick + 4 if tick % TICKS_PER_QUARTER == TICKS_PER_QUARTER // 2 else tick
