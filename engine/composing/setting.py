"""What one setting of the controls means for one model: worked out once, used for many bars."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from common.errors import ControlError
from engine.composing.percussion import percussion_beside
from engine.controls.controls import Controls, style_weights
from engine.controls.key import LEARNED_MODES
from engine.music.controllers import (
    ATTACK,
    LEVEL,
    PLACE,
    REVERB,
    Controller,
    attack_value,
    level_value,
    place_value,
    reverb_value,
)
from engine.music.fields import ATTRIBUTE, ATTRIBUTES, PITCH_CLASSES
from engine.music.grids import FREE
from engine.music.score import PARTS
from engine.music.time import Metre, microseconds_per_quarter
from engine.network.bundle import Specification
from engine.planning.form import FormSettings
from engine.planning.form_state import phrase_bars_of
from engine.planning.planner_table import PlannerTable
from engine.planning.scene import PlanRequest, Progression, positions_of
from engine.representations.limits import (
    Limits,
    asked_register,
    key_strength,
    limits_of,
    progression_of,
    register_room,
)

_REGISTER = ATTRIBUTE["register"]


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """Everything that a bar's composing reads of the controls. Shared between bars, read-only.

    `temperature` and `cut` go by event field; `mix` are the weighted inputs of the network.
    `percussion`: what the drums beside these parts are composed under, if they are asked for.
    """

    controls: Controls
    limits: Limits
    metre: Metre
    microseconds_per_quarter: int
    temperature: NDArray[np.float32]
    min_p: NDArray[np.float32]
    mix: NDArray[np.float32]
    styles: tuple[float, ...]
    attributes: tuple[float | None, ...]
    positions: tuple[float | None, ...]  # the same in buckets, as `Attribute.position` has them
    chords: tuple[int, ...]
    form: FormSettings
    programs: tuple[int, ...]
    controllers: tuple[Controller, ...]
    scale: tuple[bool, ...]  # as composed, that chords keep to; empty in major and minor
    percussion: Controls | None
    register_room: tuple[
        float, float
    ]  # in buckets: the mean pitches that the range leaves room for

    @property
    def progression(self) -> tuple[tuple[int, ...], float]:
        """The chords that go round, and for how many bars each."""
        return self.chords, self.controls.bars_per_chord

    def asked(self, anchor: int, overrides: tuple[tuple[str, int], ...]) -> PlanRequest:
        """What the planner is asked; `anchor` is the bar where the progression began."""
        controls = self.controls
        progression = (
            Progression(self.chords, controls.bars_per_chord, anchor) if self.chords else None
        )
        return PlanRequest(
            self.styles,
            self.attributes,
            controls.key.minor,
            progression,
            controls.variety,
            overrides,
            controls.breath,
            self.form.bar_seconds,
            controls.key.home_tonic,
            self.scale,
            self.register_room,
        )


def setting_of(
    controls: Controls, spec: Specification, table: PlannerTable, draw: float
) -> Setting:
    """Work out a setting; ControlError if the controls contradict each other or the model.

    `draw` in [0, 1) chooses the set of parts that the network is told of where it is left open.
    """
    weights = style_weights(controls, spec.styles)
    codec = spec.open_codec()
    if not codec.metrical:
        _refuse_metrical(controls)
    metre = controls.metre or codec.metre
    tempo = controls.tempo or codec.tempo
    percussion = percussion_beside(controls, spec.styles, metre, tempo)
    playing = replace(controls, parts=controls.parts[:-1]) if percussion else controls
    limits = limits_of(playing)
    names = [name for name, _ in spec.event]
    home = -limits.transposition
    lowest, highest = (pitch + home for pitch in register_room(controls))
    attributes = _attributes(controls, home)
    mixed = table.weights(dict(zip(spec.styles, weights, strict=True)))
    return Setting(
        controls,
        limits,
        metre,
        microseconds_per_quarter(tempo),
        np.array([controls.temperature.of(name) for name in names], np.float32),
        np.array([controls.min_p.of(name) for name in names], np.float32),
        _mix(controls, weights, _present(playing, table.part_set(mixed, draw))),
        mixed,
        attributes,
        positions_of(attributes),
        progression_of(controls) if "chord" in dict(spec.context) else (),
        _form_settings(controls, metre.seconds(tempo)),
        _programs(controls),
        _controllers(controls),
        _chord_scale(controls),
        percussion,
        (_REGISTER.position(lowest), _REGISTER.position(highest)),
    )


def _form_settings(controls: Controls, bar_seconds: float) -> FormSettings:
    return FormSettings(
        controls.form,
        controls.section_bars,
        controls.variety,
        controls.key.minor,
        bar_seconds,
        phrase_bars_of(dict(controls.style)),
    )


def _attributes(controls: Controls, home: int) -> tuple[float | None, ...]:
    """What is asked of the attributes, in the composed position: `home` semitones higher."""
    asked = {attribute.name: getattr(controls, attribute.name) for attribute in ATTRIBUTES}
    register = asked_register(controls)
    asked["register"] = None if register is None else register + home
    return tuple(asked.values())


def _refuse_metrical(controls: Controls) -> None:
    """ControlError if they ask for what only music with a metre has."""
    if controls.grid != FREE:
        raise ControlError(
            f"grid={controls.grid}: this model plays in free time, without places in a bar; set "
            f"grid to {FREE}"
        )
    if controls.expression:
        raise ControlError(
            f"expression={controls.expression:g}: this model plays in free time, with a player's "
            "timing and touch of its own; set expression to 0"
        )
    if controls.pedal == "on":
        raise ControlError(
            "pedal=on: this model holds its notes as long as its player's pedal held them; set "
            "pedal to auto or off"
        )


def _chord_scale(controls: Controls) -> tuple[bool, ...]:
    """The pitch classes of a mode other than major and minor, as composed."""
    if controls.key.mode in LEARNED_MODES:
        return ()
    scale, shift = controls.key.scale, controls.key.shift
    return tuple(scale[(tone + shift) % 12] > 0 for tone in range(PITCH_CLASSES))


def _present(controls: Controls, typical: int) -> tuple[float, ...]:
    """Which parts the network is told of: those that are on, else a typical set (a bit mask)."""
    if controls.parts:
        return tuple(float(part + 1 in controls.parts) for part in range(PARTS))
    return tuple(float(typical >> part & 1) for part in range(PARTS))


def _mix(
    controls: Controls, styles: tuple[float, ...], parts: tuple[float, ...]
) -> NDArray[np.float32]:
    """Styles, parts present, pitch classes as composed; zeros where open."""
    classes = np.zeros(PITCH_CLASSES)
    learned = controls.scale is None and controls.key.mode in LEARNED_MODES
    if not learned and key_strength(controls) > 0:
        weights = np.array(controls.scale or controls.key.scale)
        classes = np.roll(weights / weights.max(), -controls.key.shift)
    mix: NDArray[np.float32] = np.concatenate((styles, parts, classes)).astype(np.float32)
    mix.flags.writeable = False
    return mix


def _programs(controls: Controls) -> tuple[int, ...]:
    chosen = dict(controls.programs)
    return tuple(chosen.get(part + 1, 0) for part in range(PARTS))


def _controllers(controls: Controls) -> tuple[Controller, ...]:
    asked = (
        (LEVEL, controls.levels, level_value),
        (PLACE, controls.places, place_value),
        (ATTACK, controls.attack, attack_value),
        (REVERB, controls.reverb, reverb_value),
    )
    return tuple(
        sorted(
            Controller(part - 1, number, value_of(given))
            for number, pairs, value_of in asked
            for part, given in pairs
        )
    )
