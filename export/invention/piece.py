"""Notes as they are gathered, and the score that comes of them."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from engine.music.fields import LENGTHS
from engine.music.score import DRUMS, NOTE, PARTS, Score, note_order
from engine.music.time import TICKS_PER_QUARTER
from export.invention.draws import Draws
from export.invention.form import Plan

_LEAST = 3  # ticks that a note keeps when another comes where it sounds
LOUDEST, SOFTEST = 112, 16


class Piece:
    """The notes of a plan. Parts that are written first keep their notes where two meet."""

    def __init__(self, plan: Plan, programs: Sequence[int], *, swung: bool = False) -> None:
        self.plan = plan
        self.programs = (*programs, *[0] * (PARTS - len(programs)))
        self._swung = swung
        self._notes: list[list[int]] = []
        self._order: dict[int, int] = {}

    def add(self, part: int, onset: int, ticks: int, pitch: int, velocity: float) -> None:
        """A note; what would begin after the end is left out, what is held beyond is cut."""
        if self._swung:
            onset, ticks = _swung(onset), _swung(onset + ticks) - _swung(onset)
        ticks = min(ticks, self.plan.end - onset)
        onset, ticks = self._breathing(onset, ticks)
        if onset < 0 or ticks < 1 or not 21 <= pitch <= 108:
            return
        self._order.setdefault(part, len(self._order))
        loud = round(min(LOUDEST, max(SOFTEST, velocity)))
        self._notes.append([onset, ticks, pitch, loud, part])

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
        return base + 22 * (bar.level - 0.5) + 7 * (arch - 0.5) + accent + draws.between(-3.5, 3.5)

    def score(self) -> Score:
        kept = self._without_unisons()
        notes = np.array([tuple(note) for note in kept], NOTE)
        return Score(
            notes=note_order(notes),
            metres=((0, self.plan.metre),),
            tempos=self.plan.tempos,
            programs=self.programs,
        )

    def _without_unisons(self) -> list[list[int]]:
        """One note of a pitch at a time: one that sounds ends where the next begins; of those that
        begin together the part that was written first has it."""
        by_pitch: dict[tuple[bool, int], list[list[int]]] = defaultdict(list)
        for note in self._notes:
            by_pitch[note[4] == DRUMS, note[2]].append(note)
        kept = []
        for notes in by_pitch.values():
            notes.sort(key=lambda note: (note[0], self._order[note[4]], -note[1]))
            line: list[list[int]] = []
            for note in notes:
                if line and note[0] < line[-1][0] + line[-1][1]:
                    room = note[0] - line[-1][0]
                    if room < _LEAST:
                        continue
                    # A held note of which little would be left leaves the pitch to the other part.
                    if room < line[-1][1] / 2 and line[-1][4] != note[4]:
                        line.pop()
                    else:
                        line[-1][1] = room
                line.append(note)
            kept += line
        for note in kept:
            note[1] = LENGTHS[bisect_right(LENGTHS, note[1]) - 1]
        return kept


def _swung(tick: int) -> int:
    """Where a swinging player puts it: the second eighth of a beat on its third triplet."""
    return tick + 4 if tick % TICKS_PER_QUARTER == TICKS_PER_QUARTER // 2 else tick
