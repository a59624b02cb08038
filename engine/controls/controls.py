"""One setting of all controls, as a value: read, checked, compared and written.

The controls themselves stand in `engine.controls.table`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from common.errors import ControlError
from common.words import nearest
from engine.controls.key import Key
from engine.controls.kinds import PerField
from engine.controls.table import CONTROLS
from engine.controls.values import AUTO, Control, Json
from engine.music.time import Metre

OCTAVE = 11  # semitones between the ends of a range that holds every pitch class

CONTROL = {control.name: control for control in CONTROLS}
_DEFAULT: dict[str, Any] = {control.name: control.default for control in CONTROLS}


@dataclass(frozen=True, slots=True)
class Controls:
    """One setting of every control; a value: hashable, equal by content, never changed in place.

    Attributes are ready for use (a `Metre`, a `Key`, tuples); None, "" and () mean open. Make
    others with `with_value`, which is where values are checked.
    """

    tempo: float | None = _DEFAULT["tempo"]
    tempo_drift: float = _DEFAULT["tempo_drift"]
    metre: Metre | None = _DEFAULT["metre"]
    grid: str = _DEFAULT["grid"]
    style: tuple[tuple[str, float], ...] = _DEFAULT["style"]
    density: float | None = _DEFAULT["density"]
    register: float | None = _DEFAULT["register"]
    polyphony: float | None = _DEFAULT["polyphony"]
    dynamics: float | None = _DEFAULT["dynamics"]
    articulation: float | None = _DEFAULT["articulation"]
    key: Key = _DEFAULT["key"]
    scale: tuple[float, ...] | None = _DEFAULT["scale"]
    key_strength: float | None = _DEFAULT["key_strength"]
    chords: str = _DEFAULT["chords"]
    bars_per_chord: float = _DEFAULT["bars_per_chord"]
    low_pitch: int = _DEFAULT["low_pitch"]
    high_pitch: int = _DEFAULT["high_pitch"]
    transpose: int = _DEFAULT["transpose"]
    max_polyphony: int = _DEFAULT["max_polyphony"]
    max_rest: float = _DEFAULT["max_rest"]
    parts: tuple[int, ...] = _DEFAULT["parts"]  # numbered from 1
    programs: tuple[tuple[int, int], ...] = _DEFAULT["programs"]  # (part from 1, program)
    temperature: PerField = _DEFAULT["temperature"]
    min_p: PerField = _DEFAULT["min_p"]
    form: str = _DEFAULT["form"]
    section_bars: int = _DEFAULT["section_bars"]
    variety: float = _DEFAULT["variety"]
    swing: float = _DEFAULT["swing"]
    humanise_time: float = _DEFAULT["humanise_time"]
    humanise_velocity: float = _DEFAULT["humanise_velocity"]

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
