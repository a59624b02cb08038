"""What a model follows of what is asked; the rest is refused, or left out, and said why.

A network follows what it was told while it learned; its specification names the context fields, and
may carry how well each control was obeyed when that was measured. What the engine does by itself
(masks, the key, how notes are played) every model follows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from common.errors import ControlError, PlanError
from engine.controls.controls import CONTROL, Controls, control_named
from engine.files.control_log import ControlLog
from engine.music.plan import BarPlan
from engine.music.score import PARTS
from engine.network.bundle import Specification
from engine.planning.planner_table import PlannerTable

LEAST = 0.2  # obedience, 0 by chance and 1 at best, below which a control is not followed
# The context field by which a network is told of a control, and what one lacks that has none.
_TOLD = {
    "metre": ("metre", "it was never told a metre"),
    "dynamics": ("dynamics", "it was never told how loud music is"),
    "chords": ("chord", "it was never told a chord"),
    "bars_per_chord": ("chord", "it was never told a chord"),
    "variety": ("echo", "it was never told which bars come back"),
}
_METRICAL = ("grid", "swing")
_PLAYER = ("expression", "pedal")
_PLAN = {"half_chord": "chord", "source": "echo"}  # columns whose field has another name


def unfollowed(spec: Specification) -> dict[str, str]:
    """Controls that a model does not follow, each with the reason in a clause."""
    told = {name for name, _ in spec.context}
    codec = spec.open_codec()
    found = {name: reason for name, (field, reason) in _TOLD.items() if field not in told}
    if not codec.metrical:
        found |= dict.fromkeys(_METRICAL, "it plays in free time, without places in a bar")
        found |= dict.fromkeys(_PLAYER, "it has a player's timing, touch and pedal of its own")
    if "part" not in dict(spec.event):
        found["parts"] = "all it plays is one part, which is part 1"
        found["counterpoint"] = "its voices are not told apart"
    if not spec.styles:
        found["style"] = "it knows no styles"
    for name, figure in spec.follows.items():
        if name in CONTROL and figure < LEAST:
            found.setdefault(name, f"its music kept to it by {figure:.2f}, where chance is 0")
    return found


def refuse_unfollowed(
    spec: Specification, table: PlannerTable, controls: Controls, names: Collection[str]
) -> None:
    """ControlError if one of these controls asks for what the model does not follow."""
    reasons = unfollowed(spec)
    for name in names:
        if name in reasons and _asks(controls, name):
            raise ControlError(sentence(spec, name, reasons[name]))
    if "parts" in names:
        _refuse_parts(spec, table, controls.parts)


def sentence(spec: Specification, name: str, reason: str) -> str:
    """What a user is told of a control that is not followed."""
    default = control_named(name).spell(control_named(name).default)
    return (
        f"the model '{spec.name}' does not follow {name}, for {reason}: leave it at {default}, or "
        "choose another model ('perpetuo controls --model MODEL' tells what one follows)"
    )


def left_out_sentence(spec: Specification, names: Collection[str]) -> str:
    """What a user is told of controls of a preset that are left out."""
    reasons = unfollowed(spec)
    said = " and ".join(f"{name} ({reasons[name]})" for name in names)
    what = "it" if len(names) == 1 else "them"
    return (
        f"the preset is played without {said}: the model '{spec.name}' does not follow {what}; "
        "choose a model that does if it matters"
    )


def without_unfollowed(spec: Specification, controls: Controls) -> tuple[Controls, tuple[str, ...]]:
    """The controls with what the model does not follow left out, and the names of that."""
    names = tuple(name for name in unfollowed(spec) if _asks(controls, name))
    defaults = {name: control_named(name).default for name in names}
    return replace(controls, **defaults) if names else controls, names


def asked_in_vain(spec: Specification, log: ControlLog) -> tuple[str, ...]:
    """Controls of a log that its model does not follow: written before that was refused."""
    settings = [log.controls]
    for change in log.changes:
        settings.append(settings[-1].with_values(change.set))
    return tuple(name for name in unfollowed(spec) if any(_asks(one, name) for one in settings))


def refuse_plan(spec: Specification, plan: Mapping[int, Mapping[str, int]]) -> None:
    """PlanError if columns of the plan are set that the model was never told of."""
    told = {name for name, _ in spec.context}
    for column in dict.fromkeys(name for columns in plan.values() for name in columns):
        if column in BarPlan._fields and _PLAN.get(column, column) not in told:
            raise PlanError(
                f"the model '{spec.name}' does not follow the plan's {column}, for it was never "
                "told of it: leave it out, or choose another model"
            )


def _asks(controls: Controls, name: str) -> bool:
    """Whether a control stands elsewhere than at its default; the one part of a model that has
    no others may be named."""
    value = getattr(controls, name)
    return bool(value != control_named(name).default) and (name, value) != ("parts", (1,))


def _refuse_parts(spec: Specification, table: PlannerTable, parts: tuple[int, ...]) -> None:
    """A part that never played in what a model has learned cannot be played."""
    if not table.styles:  # nothing was counted
        return
    learned = 0
    for mask in table.part_masks.tolist():
        learned |= mask
    missing = [part for part in parts if not learned >> (part - 1) & 1]
    if missing:
        known = ", ".join(str(part + 1) for part in range(PARTS) if learned >> part & 1)
        raise ControlError(
            f"the model '{spec.name}' cannot play part {missing[0]}, which it never heard: choose "
            f"among parts {known}, or another model"
        )
