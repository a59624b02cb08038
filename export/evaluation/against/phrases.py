"""Where phrases end, and how many of these ends are closes.

The end of a phrase is found the same way in all music: of bars that are four or eight apart, those
that come to rest most. Composed music is asked as well where its form had phrases end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from engine.music.measures import Floats
from engine.music.score import Score
from engine.planning.form import FormSettings, FormState, form_bar
from engine.planning.form_state import AUTHENTIC, NO_CLOSE
from export.evaluation.against.closes import Closes, ScoreHarmony
from export.evaluation.against.part_writing import Rates

PHRASES = (4, 8)  # bars
NONE = Closes()


class PlannedEnd(NamedTuple):
    """The last bar of a phrase by the form: whether it was asked to close on the tonic, and
    whether its section ends too."""

    bar: int
    on_tonic: bool
    section: bool


@dataclass(frozen=True, slots=True)
class Phrases:
    """Closes at the ends of phrases and, as what is there by chance, in all other bars; in composed
    music also at the ends that its form had, of those the ones on the tonic, and of sections."""

    found: Closes = NONE
    others: Closes = NONE
    planned: Closes = NONE
    on_tonic: Closes = NONE
    sections: Closes = NONE

    def __add__(self, other: Phrases) -> Phrases:
        return Phrases(
            self.found + other.found,
            self.others + other.others,
            self.planned + other.planned,
            self.on_tonic + other.on_tonic,
            self.sections + other.sections,
        )

    @property
    def rates(self) -> Rates:
        return {
            "phrase ends judged": self.found.ends,
            "phrase ends V–I": self.found.share("authentic"),
            "phrase ends IV–I": self.found.share("plagal"),
            "phrase ends on V": self.found.share("half"),
            "phrase ends deceptive": self.found.share("deceptive"),
            "phrase ends, any close": self.found.share("true"),
            "other bars, any close": self.others.share("true"),
            "planned ends, any close": self.planned.share("true"),
            "sections, any close": self.sections.share("true"),
            "planned on the tonic: its bass": self.on_tonic.share("ours"),
        }


def phrases(score: Score, planned: Sequence[PlannedEnd] = (), tonic: int | None = None) -> Phrases:
    """Of a piece; of a composed one with the ends that its form had, and the tonic asked for."""
    if not len(score.notes):
        return Phrases()
    harmony = ScoreHarmony(score)
    ends = resting_bars(harmony.rests)
    others = set(range(harmony.bars)) - set(ends) if ends else ()
    return Phrases(
        closes(harmony, ends),
        closes(harmony, others),
        closes(harmony, (end.bar for end in planned), tonic),
        closes(harmony, (end.bar for end in planned if end.on_tonic), tonic),
        closes(harmony, (end.bar for end in planned if end.section), tonic),
    )


def closes(harmony: ScoreHarmony, ends: Iterable[int], tonic: int | None = None) -> Closes:
    """Of those ends that are bars of the piece: it may be silent at its end."""
    return sum((harmony.read(bar, tonic) for bar in ends if bar < harmony.bars), Closes())


def planned_ends(form: FormSettings, bars: int, seed: int, stream: int = 0) -> list[PlannedEnd]:
    """The ends of phrases in a stream's first bars, under the same controls throughout."""
    state, shapes = FormState(), []
    for bar in range(bars + 1):
        shape, state = form_bar(state, bar, form, seed, stream)
        shapes.append(shape)
    return [
        PlannedEnd(bar, now.close == AUTHENTIC, now.section != then.section)
        for bar, (now, then) in enumerate(pairwise(shapes))
        if now.close != NO_CLOSE and now.left == 0
    ]


def resting_bars(rests: Floats) -> list[int]:
    """The last bars of phrases: of all rows of bars that are four or eight apart, the one that
    rests most clearly longer than the other bars do. None in a piece of one phrase."""
    best, found = -np.inf, range(0)
    for phrase in PHRASES:
        for first in (phrase - 1, *range(phrase - 1)):  # the usual place, if all are alike
            row = range(first, len(rests), phrase)
            if len(row) > 1 and (clear := _contrast(rests, row)) > best + 1e-9:
                best, found = clear, row
    return list(found)


def _contrast(rests: Floats, row: Sequence[int]) -> float:
    """How many standard errors these bars rest longer than the others."""
    inside = np.isin(np.arange(len(rests)), row)
    spread = max(float(rests.std()), 1e-9)
    error = spread * np.sqrt(1 / inside.sum() + 1 / (~inside).sum())
    return float((rests[inside].mean() - rests[~inside].mean()) / error)
