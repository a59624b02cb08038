"""One setting of all controls, as a value: read, checked, compared and written.

The controls themselves stand in `engine.controls.table`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from common.errors import ControlError
from common.words import nearest
from engine.controls.table import CONTROLS, ControlTable
from engine.controls.values import AUTO, Control, Json

OCTAVE = 11  # semitones between the ends of a range that holds every pitch class

CONTROL = {control.name: control for control in CONTROLS}


class Controls(ControlTable):
    """One setting of every control; a value: hashable, equal by content, never changed in place.

    Its attributes are the rows of the table, ready for use (a `Metre`, a `Key`, tuples); None, ""
    and () mean open. Make others with `with_value`, which is where values are checked.
    """

    __slots__ = ()

    def with_value(self, name: str, raw: object) -> Controls:
        """This setting but for one control, given as text or JSON; ControlError if it is bad."""
        return self.with_values({name: raw})

    def with_values(self, changes: Mapping[str, object]) -> Controls:
        """This setting but for some controls, which are checked together."""
        parsed = {name: control_named(name).parse(raw) for name, raw in changes.items()}
        changed = replace(self, **parsed)
        if changed.high_pitch - changed.low_pitch < OCTAVE:
            raise ControlError(
                f"low_pitch {changed.low_pitch} and high_pitch {changed.high_pitch} leave less"
                f" than an octave: keep them {OCTAVE} or more apart, set together if need be"
            )
        return changed

    def plain(self, name: str) -> Json:
        """One control's value as plain JSON; null where it is open."""
        return control_named(name).plain(getattr(self, name))

    def spelled(self, name: str) -> str:
        """One control's value as the text that `with_value` reads."""
        return control_named(name).spell(getattr(self, name))

    def as_dict(self) -> dict[str, Json]:
        """Whatever differs from the defaults, as plain JSON."""
        return {
            control.name: control.plain(value)
            for control in CONTROLS
            if (value := getattr(self, control.name)) != control.default
        }

    def complete(self) -> dict[str, Json]:
        """Every control as plain JSON: what stays the same should a default change one day."""
        return {control.name: control.plain(getattr(self, control.name)) for control in CONTROLS}

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Controls:
        return cls().with_values(values)


def control_named(name: str) -> Control:
    """The control of this name; ControlError naming the nearest one if there is none."""
    found = CONTROL.get(name)
    if found is None:
        raise ControlError(f"there is no control '{name[:40]}': {nearest(name, CONTROL)}")
    return found


def parse_assignment(text: str) -> tuple[str, str]:
    """The name and value of "name=value"."""
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise ControlError(f"'{text[:40]}' sets nothing: write it as name=value, such as density=4")
    return name.strip(), value.strip()


def style_weights(controls: Controls, styles: Sequence[str]) -> tuple[float, ...]:
    """The mix over a model's `styles`, summing to 1, or all 0 if it is open.

    ControlError if the mix names a style that the model does not have.
    """
    for name, _ in controls.style:
        if name not in styles:
            advice = nearest(name, styles) if styles else f"set style to {AUTO}"
            raise ControlError(f"this model has no style '{name}': {advice}")
    total = sum(weight for _, weight in controls.style) or 1.0
    mix = dict(controls.style)
    return tuple(mix.get(name, 0.0) / total for name in styles)
