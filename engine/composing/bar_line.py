"""What a stream keeps at a bar line, so that it may begin there again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from engine.composing.counterpoint import NOWHERE, Standing
from engine.composing.primer import Primer
from engine.music.heard_chords import Harmony
from engine.network.runtime import Checkpoint
from engine.planning.correction import NO_TRIMS, Trims
from engine.planning.form import FormState, heard_before, kept_bars
from engine.planning.guards import GuardState
from engine.planning.part_patience import FRESH, Patience
from engine.planning.planner_table import MAX_ECHO
from engine.planning.scene import PlannerState
from engine.representations.codec import Cursor


class BarLine(NamedTuple):
    """Everything that composing from a bar line on depends on, besides the controls."""

    bar: int
    start: int
    cursor: Cursor
    event: tuple[int, ...]  # the last one drawn
    mark: Checkpoint
    form: FormState
    planner: PlannerState
    guards: GuardState
    anchor: int  # bar from which the present progression counts
    chords: tuple[tuple[int, ...], float] | None  # the progression that was anchored
    silent_from: int  # tick at which the last note ended
    transposition: int  # of the bar before
    lines: Standing  # of the parts
    trims: Trims = NO_TRIMS
    # See `Composer.leap`: ticks by which bars are told to begin later than composed, and the number
    # that this one had before it was leapt to, under which it is planned; -1: it is none.
    told: int = 0
    meant: int = -1
    patience: Patience = FRESH
    harmony: Harmony = Harmony()

    @property
    def planned_as(self) -> int:
        """The number under which the bar after it is planned."""
        return self.bar if self.meant < 0 else self.meant


def first_line(
    primer: Primer, cursor: Cursor, event: tuple[int, ...], mark: Checkpoint, transposition: int
) -> BarLine:
    """Where a stream begins: after the music of a primer, which may be none."""
    return BarLine(
        primer.bars,
        primer.end,
        cursor,
        event,
        mark,
        heard_before(primer.bars) if primer.bars else FormState(),
        primer.planner,
        GuardState(),
        primer.bars,
        None,
        primer.end,
        transposition,
        NOWHERE,
    )


def out_of_reach(bars: Iterable[int], first: BarLine, last: BarLine) -> list[int]:
    """Those of these bars that nothing can echo any more that is composed from the first of the
    lines on that are kept, up to the last."""
    oldest = first.bar - MAX_ECHO
    kept = [*kept_bars(first.form), *kept_bars(last.form)]
    return [bar for bar in bars if bar < oldest and not any(bar in span for span in kept)]
