"""Plans the bar under way, and how the one after it begins.

The first chord of the next bar is what this one leads to, so it must be known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from engine.composing.cadence import closing_columns
from engine.composing.setting import Setting
from engine.music.noise import PLANNING, uniforms
from engine.music.plan import BarPlan
from engine.planning.form import FormBar, FormSettings, FormState, form_bar, kept_bars
from engine.planning.guards import Nudge
from engine.planning.planner import first_chord, plan_bar
from engine.planning.planner_table import Floats, PlannerTable
from engine.planning.scene import PLAN_DRAWS, PlannerState, PlanRequest, scene_of

Columns = Mapping[str, int]  # of BarPlan, set by hand


class PlanConditions(NamedTuple):
    """What bars are planned under: the setting, the bar where its progression begins, the guards'
    nudge, and the last bar of a piece that has one."""

    setting: Setting
    anchor: int
    nudge: Nudge
    last: int | None = None


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One bar's plan and the states after it."""

    section: FormBar
    plan: BarPlan
    form: FormState
    planner: PlannerState


def until(last: int | None, bar: int, settings: FormSettings) -> FormSettings:
    """The form's settings for a bar of a piece that has a last one."""
    return settings if last is None else settings._replace(left=max(last + 1 - bar, 0))


def numbered(planned: PlannedStep, bar: int) -> PlannedStep:
    """The same plan for another number of its bar."""
    memory = (*planned.planner.memory[:-1], (bar, planned.plan))
    return replace(planned, planner=planned.planner._replace(memory=memory))


class PlanAhead:
    """The planning of one stream. Holds nothing but what saves work: what was looked up for the
    next bar is needed again when that is planned."""

    def __init__(self, table: PlannerTable, seed: int, stream: int) -> None:
        self.table, self.seed, self.stream = table, seed, stream
        self._asking: tuple[tuple[object, ...], PlanRequest] | None = None
        self._formed: tuple[tuple[object, ...], tuple[FormBar, FormState]] | None = None
        self._drawn: tuple[int, Floats] | None = None

    def plan(
        self,
        bar: int,
        form: FormState,
        planner: PlannerState,
        conditions: PlanConditions,
        overrides: Mapping[int, Columns],
    ) -> tuple[PlannedStep, int]:
        """This bar, from the states after the one before it, and the first chord of the next."""
        section, form = self._form(form, bar, until(conditions.last, bar, conditions.setting.form))
        columns = self._columns(overrides, bar, conditions)
        asked, draws = self._asked(conditions, columns), self._draws(bar)
        kept = kept_bars(form)
        now = scene_of(self.table, planner, bar, asked, section, draws, conditions.nudge)
        plan, planner = plan_bar(now, kept)
        bar += 1
        ahead, _ = self._form(form, bar, until(conditions.last, bar, conditions.setting.form))
        columns = self._columns(overrides, bar, conditions)
        asked, draws = self._asked(conditions, columns), self._draws(bar)
        then = scene_of(self.table, planner, bar, asked, ahead, draws, conditions.nudge)
        return PlannedStep(section, plan, form, planner), first_chord(then)

    def form_of(self, bar: int, state: FormState, settings: FormSettings) -> FormBar:
        """What the form asks of this bar, from the state after the one before it."""
        return self._form(state, bar, settings)[0]

    def _form(
        self, state: FormState, bar: int, settings: FormSettings
    ) -> tuple[FormBar, FormState]:
        given = (state, bar, settings)
        if self._formed is None or self._formed[0] != given:
            found = form_bar(state, bar, settings, self.seed, self.stream)
            self._formed = (given, found)
        return self._formed[1]

    def _columns(
        self, overrides: Mapping[int, Columns], bar: int, conditions: PlanConditions
    ) -> tuple[tuple[str, int], ...]:
        """The columns of a bar's plan that are set: by the close of a piece, and by hand."""
        by_hand = tuple(overrides.get(bar, {}).items())
        if conditions.last is None:
            return by_hand
        controls, styles = conditions.setting.controls, conditions.setting.styles
        closing = closing_columns(
            conditions.last - bar, controls.key, self.table, styles, free=not controls.chords
        )
        return closing + by_hand

    def _draws(self, bar: int) -> Floats:
        if self._drawn is None or self._drawn[0] != bar:
            self._drawn = (bar, uniforms(self.seed, self.stream, PLANNING, bar, PLAN_DRAWS))
        return self._drawn[1]

    def _asked(
        self, conditions: PlanConditions, overrides: tuple[tuple[str, int], ...]
    ) -> PlanRequest:
        """What the controls ask of the planner; the same value as long as nothing changes."""
        given = (conditions.setting, conditions.anchor, overrides)
        if self._asking is None or self._asking[0] != given:
            self._asking = (given, conditions.setting.asked(conditions.anchor, overrides))
        return self._asking[1]
