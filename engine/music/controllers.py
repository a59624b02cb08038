"""Standard MIDI controllers of parts: level, place, reverb and attack."""

from __future__ import annotations

from typing import NamedTuple

LEVEL, PLACE, ATTACK, REVERB = 7, 10, 73, 91
# What General MIDI says that they are where nobody has set them.
USUAL = {LEVEL: 100, PLACE: 64, ATTACK: 64, REVERB: 40}
_MIDDLE, _SIDE = 64, 63


class Controller(NamedTuple):
    """A controller of a part (from 0) stands at a value throughout a bar."""

    part: int
    number: int
    value: int


def level_value(level: float) -> int:
    return round(level)


def place_value(place: float) -> int:
    """-1 is left, 1 is right."""
    return _MIDDLE + round(_SIDE * place)


def attack_value(attack: float) -> int:
    """0 is the instrument's own; below are harder ones, which nobody asks for."""
    return _MIDDLE + round(_SIDE * attack)


def reverb_value(reverb: float) -> int:
    return round(127 * reverb)
