"""What is worked out for a bar when it is planned, and holds for every note of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from engine.composing.arrival import HELD_OFTEN, Arrival, bass_below, hold_of, late_arrival
from engine.composing.bar_line import BarLine
from engine.composing.closing import led_to
from engine.composing.counterpoint import Counterpoint, Lines
from engine.composing.imitation import answered
from engine.composing.paired_bias import PairedBias
from engine.composing.planning_ahead import PlanConditions, PlannedStep
from engine.composing.setting import Setting
from engine.composing.step_context import NOTHING_HEARD, HeardBar, StepContext, recalled
from engine.music.fields import ECHO_NEW, LENGTHS
from engine.music.noise import RESTS, uniforms
from engine.music.score import DRUMS
from engine.network.runtime import Pool
from engine.planning.correction import UPRIGHT, leaning, told
from engine.planning.form import RESTING, FormBar
from engine.planning.guards import nudge
from engine.planning.part_patience import overdue
from engine.representations.codec import Codec
from engine.representations.limits import APART, Limits

STRAINED = 3.0  # buckets of lean at which nothing may rub
_KEYBOARDS = range(6)  # General MIDI programs of pianos
_SHARPEST_CUT = 0.9  # of `min_p`, however the guards ask for it


@dataclass(slots=True)
class BarOutline:
    """The plan of a bar and what follows from it. `overdue`: parts that are leaned to until they
    are heard."""

    conditions: PlanConditions
    planned: PlannedStep
    context: StepContext
    limits: Limits
    paired: PairedBias | None
    overdue: set[int]

    def write(self, pool: Pool, row: int, codec: Codec) -> None:
        """Fill a row of the pool with what stands still during the bar."""
        setting, nudged = self.conditions.setting, self.conditions.nudge
        codec.write_bias(pool.bias[row], self.limits)
        pool.paired[row] = 0
        if self.paired is not None:
            self.paired.on(pool.paired[row])
        pool.mix[row] = setting.mix
        pool.sharpness[row] = 1 / (setting.temperature * nudged.temperature)
        with np.errstate(divide="ignore"):
            pool.cut[row] = np.log(np.minimum(setting.min_p * nudged.min_p, _SHARPEST_CUT))


def conditions_at(line: BarLine, setting: Setting, last: int | None) -> PlanConditions:
    """What the bar after a bar line is planned under."""
    anchor = line.anchor if setting.progression == line.chords else line.planned_as
    more = told(line.trims, setting.positions)
    return PlanConditions(setting, anchor, nudge(line.guards).and_more(more), last)


def limits_at(
    line: BarLine,
    conditions: PlanConditions,
    planned: PlannedStep,
    codec: Codec,
    key: tuple[int, int],
) -> Limits:
    """The limits of the bar after a bar line; `key` is (seed, stream)."""
    setting, bar, last = conditions.setting, line.planned_as, conditions.last
    ticks, limits = setting.metre.ticks, setting.limits
    if last is not None and bar <= last:
        limits = led_to(limits, setting.controls.key, line.start, ticks, last - bar)
    elif _comes_to_rest(bar, planned.section, setting, key):
        first = line.start + planned.section.left * ticks
        limits = replace(limits, hold=(first, first + hold_of(setting.metre)))
    lean = leaning(line.trims, setting.positions, setting.attributes, conditions.nudge.worn)
    if lean != UPRIGHT:
        tilted = limits.pitch_bias + lean.tilt
        apart = max(limits.apart, APART * min(1.0, lean.strain / STRAINED))
        limits = replace(limits, pitch_bias=tilted, lean=codec.leaning(lean), apart=apart)
    return limits


def _comes_to_rest(bar: int, section: FormBar, setting: Setting, key: tuple[int, int]) -> bool:
    """Whether the phrase is held where it closes, which some gap may lead to from this bar."""
    if not section.close or section.left * setting.metre.ticks > LENGTHS[-1]:
        return False
    if setting.controls.form not in RESTING:
        return False
    # Who asks for so many notes hears them at closes too, unless levels are to breathe.
    controls = setting.controls
    often = HELD_OFTEN * (1.0 if controls.density is None else controls.breath)
    return bool(uniforms(*key, RESTS, bar + section.left, 1)[0] < often)


def context_at(
    names: tuple[str, ...],
    conditions: PlanConditions,
    planned: PlannedStep,
    next_chord: int,
    heard: Mapping[int, HeardBar[int]],
) -> StepContext:
    """What the network is told of the bar; `heard` are the notes of the bars that may be echoed."""
    setting, plan, section = conditions.setting, planned.plan, planned.section
    source = heard.get(plan.source, NOTHING_HEARD)
    answers = section.answer > 0 and plan.source == section.source
    if answers:
        parts_on = setting.limits.parts_on
        source = answered(heard, section.subject, plan.source, section.answer, parts_on)
        plan = plan if source else plan._replace(echo=ECHO_NEW)
    told = names, setting.metre, section.phrase, plan, next_chord, source
    return StepContext(*told, until_played=answers)


def paired_bias_at(
    lines: Lines,
    line: BarLine,
    conditions: PlanConditions,
    section: FormBar,
    before: HeardBar[int],
) -> PairedBias:
    """What parts owe each other and the close of a phrase owes its chord. `before` are the notes of
    the bar before the line."""
    setting = conditions.setting
    strength = setting.controls.counterpoint
    arrival = None
    if section.close and section.left < 2:
        late = late_arrival(setting.metre) if setting.controls.form == "dance" else None
        arrival = Arrival(section.left, setting.metre.half, bass_below(recalled(before)), late)
    parts_on = setting.limits.parts_on
    shared = _is_one_keyboard(setting)
    counterpoint = Counterpoint(lines, strength, parts_on, shared) if strength else None
    return PairedBias(lines, line.start, counterpoint, arrival)


def _is_one_keyboard(setting: Setting) -> bool:
    """Whether parts that are asked for all play on pianos, as two hands do."""
    parts = [part for part in setting.controls.parts if part <= DRUMS]
    return len(parts) > 1 and all(setting.programs[part - 1] in _KEYBOARDS for part in parts)


def overdue_at(line: BarLine, setting: Setting) -> set[int]:
    """The parts that are to be heard in the bar after a bar line."""
    return overdue(line.patience) if setting.controls.parts else set()
