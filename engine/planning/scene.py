"""What the planner goes by: what is asked, what it remembers, and both together for one bar."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from common.errors import PlanError
from engine.music.fields import (
    ATTRIBUTE,
    ATTRIBUTES,
    CHORDS,
    CONTEXT,
    ECHO_EXACT,
    ECHO_NEW,
    NO_CHORD,
)
from engine.music.harmony import key_id
from engine.music.plan import BarPlan
from engine.planning.form import FormBar
from engine.planning.guards import NEUTRAL, Nudge
from engine.planning.planner_table import Floats, PlannerTable

PLAN_DRAWS = 25  # uniforms that a bar takes

Memory = tuple[tuple[int, BarPlan], ...]


class Progression(NamedTuple):
    """Chords that go round from the bar `anchor` on, relative to the home key."""

    chords: tuple[int, ...]
    bars_per_chord: float
    anchor: int

    def chord(self, bar: int, half: int) -> int:
        slots = max(1, round(2 * self.bars_per_chord))
        return self.chords[(2 * (bar - self.anchor) + half) // slots % len(self.chords)]


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What the controls ask, as long as they stand still.

    `attributes` are values in units of ATTRIBUTES, None leaves one to the styles. `styles` come
    from `PlannerTable.weights`. `overrides` sets columns of BarPlan outright; PlanError if a value
    does not fit. `register_room` is where the register may lie, in buckets. `variety` runs from 0
    (much echo) over 0.5 (as the styles have it) to 1, `breath` is the share of its natural
    wandering that an attribute keeps when it is asked for.
    """

    styles: tuple[float, ...]
    attributes: tuple[float | None, ...] = (None,) * len(ATTRIBUTES)
    minor: bool = False
    progression: Progression | None = None
    variety: float = 0.5
    overrides: tuple[tuple[str, int], ...] = ()
    breath: float = 0.3
    bar_seconds: float = 2.0
    tonic: int | None = None  # pitch class of the home's tonic; None: C of major, A of minor
    scale: tuple[bool, ...] = ()  # that chords keep to; empty: as major and minor have them
    register_room: tuple[float, float] = (1.0, float(ATTRIBUTE["register"].buckets))
    positions: tuple[float | None, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "positions", positions_of(self.attributes))
        for column, value in self.overrides:
            _check_override(column, value)

    @property
    def home(self) -> int:
        tonic = self.tonic
        return key_id((9 if self.minor else 0) if tonic is None else tonic, self.minor)


def positions_of(values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Values of the attributes in buckets and fractions of them."""
    return tuple(
        None if value is None else attribute.position(value)
        for attribute, value in zip(ATTRIBUTES, values, strict=True)
    )


class PlannerState(NamedTuple):
    """What the planner remembers after a bar.

    `before` and `last` are the chords of the two latest half bars, NO_CHORD where music begins:
    at the beginning and after a close; `key` is 0 at the beginning.
    `distance` is how far back the bar before echoed (0: not), `run` for how many bars in a row of
    the planner's own accord. `wander` holds the attributes' deviations in units of their spread,
    `drift` those that last for minutes.
    `memory` holds (bar, plan) of all bars that may be echoed, rising. `lent` are the mean levels
    of a prompt, in buckets and fractions, 0 where it has none, which go over into those of the
    styles bar by bar.
    """

    before: int = NO_CHORD
    last: int = NO_CHORD
    home: int = 0
    key: int = 0
    echo: int = ECHO_NEW
    distance: int = 0
    run: int = 0
    wander: tuple[float, ...] = ()
    drift: tuple[float, ...] = ()
    memory: Memory = ()
    lent: tuple[float, ...] = ()

    def recall(self, bar: int) -> BarPlan | None:
        """The plan of an earlier bar, if it may still be echoed."""
        at = bisect_left(self.memory, bar, key=bar_of)
        if at < len(self.memory) and self.memory[at][0] == bar:
            return self.memory[at][1]
        return None


class Scene(NamedTuple):
    """All that the plan of bar number `bar` depends on: `state` is the planner's after the bar
    before, `draws` are PLAN_DRAWS random numbers of this bar. `scene_of` makes one."""

    table: PlannerTable
    state: PlannerState
    bar: int
    asked: PlanRequest
    form: FormBar
    draws: list[float]
    nudge: Nudge
    styles: Floats
    overrides: dict[str, int]


def scene_of(
    table: PlannerTable,
    state: PlannerState,
    bar: int,
    asked: PlanRequest,
    form: FormBar,
    uniforms: Floats,
    nudge: Nudge = NEUTRAL,
) -> Scene:
    """All of it for one bar; `uniforms` are its PLAN_DRAWS numbers."""
    styles, overrides = np.array(asked.styles), dict(asked.overrides)
    return Scene(table, state, bar, asked, form, uniforms.tolist(), nudge, styles, overrides)


def bar_of(remembered: tuple[int, BarPlan]) -> int:
    return remembered[0]


_RANGES = {
    column: range(CONTEXT[column].size) for column in BarPlan._fields if column in CONTEXT
} | {"half_chord": range(CHORDS), "echo": range(ECHO_EXACT + 1), "source": range(-1, 2**53)}


def _check_override(column: str, value: int) -> None:
    if column not in _RANGES:
        known = ", ".join(_RANGES)
        raise PlanError(f"the plan has no column '{column}': choose one of {known}.")
    allowed = _RANGES[column]
    if value not in allowed:
        raise PlanError(
            f"the plan's {column} cannot be {value}: give a whole number from {allowed[0]} "
            f"to {allowed[-1]}."
        )
