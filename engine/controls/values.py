"""What a control is, and how its value goes in and out.

Every control reads two forms of the same value: text (command line, OSC) and plain JSON (protocol,
logs). Inside, values are hashable and ready for use; `plain` and `spell` turn them back. The kinds
of values stand in `engine.controls.kinds`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, NoReturn, TypeVar

from common.errors import ControlError
from common.words import shown

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

AUTO = "auto"
MAX_TEXT = 1000  # characters of any text value

V = TypeVar("V")
D = TypeVar("D")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ControlKind(Generic[V]):
    """A kind of value `V`: how it is read, and how it is written as JSON and as text.

    `parse` gets stripped text or JSON, `form` says in words what it accepts.
    """

    name: str
    parse: Callable[[Control, Any], V]
    plain: Callable[[Any], Json]
    spell: Callable[[Any], str]
    form: Callable[[Control], str]


@dataclass(frozen=True, slots=True)
class Control:
    """One row of the table: all that interfaces, checks and documentation need to know.

    `default` is the value inside; None, "" or () means that the control is open, written "auto".
    `per` tells that it may be given by model "field", by "part" or by "style".
    """

    name: str
    kind: ControlKind[Any]
    role: str
    group: str
    default: Any
    low: float
    high: float
    unit: str
    help: str
    choices: tuple[str | float, ...] = ()
    per: str | None = None

    @property
    def has_range(self) -> bool:
        return self.low < self.high

    @property
    def is_open(self) -> bool:
        """Whether the default leaves the matter to the model or the planner."""
        return self.default in (None, "", ())

    @property
    def form(self) -> str:
        """What may be given, in words."""
        words = self.kind.form(self)
        return f"{words}, or {AUTO}" if self.is_open else words

    def parse(self, raw: object) -> Any:
        """The value inside of a text or JSON value; null and "auto" give the default."""
        if raw is None or (isinstance(raw, str) and raw.strip().lower() == AUTO):
            return self.default
        if isinstance(raw, str) and len(raw) > MAX_TEXT:
            raise ControlError(
                f"{self.name} was given {len(raw)} characters: at most {MAX_TEXT} are read"
            )
        return self.kind.parse(self, raw.strip() if isinstance(raw, str) else raw)

    def plain(self, value: Any) -> Json:
        """A value inside as plain JSON; null where it is open."""
        return None if value in (None, "", ()) else self.kind.plain(value)

    def spell(self, value: Any) -> str:
        """A value inside as the text that `parse` reads."""
        return AUTO if value in (None, "", ()) else self.kind.spell(value)


def control(
    kind: ControlKind[V],
    role: str,
    group: str,
    default: D,
    low: float,
    high: float,
    unit: str,
    help: str,
    *,
    choices: tuple[str | float, ...] = (),
    per: str | None = None,
) -> V | D:
    """A row of the table, as an attribute that has its name and holds such a value."""
    metadata = {"kind": kind, "role": role, "group": group, "low": low, "high": high}
    metadata |= {"unit": unit, "help": help, "choices": choices, "per": per}
    return field(default=default, metadata=metadata)


def refuse(control: Control, raw: object) -> NoReturn:
    raise ControlError(f"{control.name} cannot be {shown(raw)}: give {control.form}")


def finite(raw: object) -> float | None:
    """A finite number from a number or its text; None if it is none."""
    if isinstance(raw, bool):
        return None
    if isinstance(raw, str):
        if not _NUMBER.fullmatch(raw):
            return None
        raw = float(raw)
    if not isinstance(raw, (int, float)):
        return None
    try:
        value = float(raw) + 0.0  # no negative zero
    except OverflowError:
        return None
    return value if math.isfinite(value) else None
