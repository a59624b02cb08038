"""What a script may ask for, checked and made plain."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import SupportsIndex, cast

import numpy as np

from common.errors import ControlError
from common.words import nearest, shown
from engine.controls.controls import CONTROL
from engine.controls.values import Json, finite
from engine.library import MOST_MINUTES


def plain_controls(given: Mapping[str, object], others: Sequence[str] = ()) -> dict[str, Json]:
    """Controls by name as plain JSON, Python's and numpy's values made so. ControlError if there
    is none of a name; `others` are names that were given beside them and may have been meant."""
    for name in given:
        if name not in CONTROL:
            advice = nearest(name, (*others, *CONTROL))
            raise ControlError(f"there is no control '{name[:40]}': {advice}")
    return {name: _plain(value) for name, value in given.items()}


def _plain(value: object) -> Json:
    """What is no JSON in the end is refused by the control that it is given to."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | range | set | frozenset):
        return [_plain(inner) for inner in value]
    return cast(Json, value)


def whole_number(name: str, given: object, low: int, high: int) -> int:
    if isinstance(given, SupportsIndex) and not isinstance(given, bool):
        number = operator.index(given)
        if low <= number <= high:
            return number
    raise ControlError(f"{name} cannot be {shown(given)}: give a whole number from {low} to {high}")


def minutes_of(given: object) -> float:
    number = finite(given)
    if number is None or not 0 < number <= MOST_MINUTES:
        raise ControlError(
            f"minutes cannot be {shown(given)}: give a number above 0, up to {MOST_MINUTES}"
        )
    return number
