"""Plans the bar under way and the one after it.

The first chord of the next bar is what this one leads to, so it must be known. What was planned in
advance is used again if nothing that it was planned from has changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from engine.form import FormBar, FormState, form_bar, kept_bars
from engine.guards import Nudge
from engine.noise import PLANNING, uniforms
from engine.plan import BarPlan
from engine.planner import PLAN_DRAWS, Asked, PlannerState, plan_bar
from engine.planner_table import PlannerTable
from engine.setting import Setting

Columns = Mapping[str, int]  # of BarPlan, set by hand


class Wish(NamedTuple):
    """What bars are planned under: the setting, the bar where its progression begins, the guards'
    nudge."""

    setting: Setting
    anchor: int
    nudge: Nudge


@dataclass(frozen=True, slots=True)
class Planned:
    """One bar's plan and the states after it."""

    section: FormBar
    plan: BarPlan
    form: FormState
    planner: PlannerState


@dataclass(frozen=True, slots=True)
class _Ahead:
    """A bar planned in advance, and what it was planned from."""

    bar: int
    form: FormState
    planner: PlannerState
    wish: Wish
    by_hand: tuple[tuple[str, int], ...]
    planned: Planned

    def fits(
        self,
        bar: int,
        form: FormState,
        planner: PlannerState,
        wish: Wish,
        by_hand: tuple[tuple[str, int], ...],
    ) -> bool:
        """Whether the bar would be planned the same now. States and settings are compared by
        identity: that is enough, and they are large."""
        return (
            (bar, by_hand) == (self.bar, self.by_hand)
            and form is self.form
            and planner is self.planner
            and wish.setting is self.wish.setting
            and wish[1:] == self.wish[1:]
        )


class Foresight:
    """The planning of one stream. Holds nothing but what saves work."""

    def __init__(self, table: PlannerTable, seed: int, stream: int) -> None:
        self.table, self.seed, self.stream = table, seed, stream
        self._ahead: _Ahead | None = None
        self._asking: tuple[tuple[object, ...], Asked] | None = None

    def plan(
        self,
        bar: int,
        form: FormState,
        planner: PlannerState,
        wish: Wish,
        hand: Mapping[int, Columns],
    ) -> tuple[Planned, BarPlan]:
        """This bar, from the states after the one before it, and the plan of the next."""
        ahead = self._ahead
        if ahead is None or not ahead.fits(bar, form, planner, wish, _by_hand(hand, bar)):
            now = self._look(bar, form, planner, wish, hand)
        else:
            now = ahead.planned
        following = self._look(bar + 1, now.form, now.planner, wish, hand)
        by_hand = _by_hand(hand, bar + 1)
        self._ahead = _Ahead(bar + 1, now.form, now.planner, wish, by_hand, following)
        return now, following.plan

    def _look(
        self,
        bar: int,
        form: FormState,
        planner: PlannerState,
        wish: Wish,
        hand: Mapping[int, Columns],
    ) -> Planned:
        section, after = form_bar(form, bar, wish.setting.form, self.seed, self.stream)
        plan, planned = plan_bar(
            self.table,
            planner,
            bar,
            self._asked(wish, _by_hand(hand, bar)),
            section,
            uniforms(self.seed, self.stream, PLANNING, bar, PLAN_DRAWS),
            kept_bars(after),
            wish.nudge,
        )
        return Planned(section, plan, after, planned)

    def _asked(self, wish: Wish, by_hand: tuple[tuple[str, int], ...]) -> Asked:
        """What the controls ask of the planner; the same value as long as nothing changes."""
        given = (wish.setting, wish.anchor, by_hand)
        if self._asking is None or self._asking[0] != given:
            self._asking = (given, wish.setting.asked(wish.anchor, by_hand))
        return self._asking[1]


def _by_hand(hand: Mapping[int, Columns], bar: int) -> tuple[tuple[str, int], ...]:
    return tuple(hand.get(bar, {}).items())
