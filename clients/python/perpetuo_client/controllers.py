"""Controllers of parts: which of them are to be sent, so that what a bar asks for holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

# Where they go back to when they are asked for no longer: level, place, attack, reverb.
USUAL = {7: 100, 10: 64, 73: 64, 91: 40}
_UNKNOWN = -1


class Controller(NamedTuple):
    """A controller of a part stands at a value throughout a bar: 7 level, 10 place (64 is the
    middle), 73 attack, 91 reverb."""

    part: int
    number: int
    value: int


class TurnedControllers:
    """Feed it bars in order."""

    def __init__(self) -> None:
        self._values: dict[tuple[int, int], int] = {}

    def changes(self, asked: Iterable[Controller]) -> list[Controller]:
        wanted = {key: USUAL.get(key[1], 0) for key in self._values}
        wanted |= {(part, number): value for part, number, value in asked}
        changed = sorted(key for key, value in wanted.items() if self._values.get(key) != value)
        self._values = wanted
        return [Controller(*key, wanted[key]) for key in changed]

    def forget(self) -> None:
        """Some may not have been sent: all are told again."""
        self._values = dict.fromkeys(self._values, _UNKNOWN)
