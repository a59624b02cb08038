"""Values of controls as arguments of OSC messages, in and out.

One argument may always be the text that the command line takes. Besides, what belongs together may
come as several arguments: numbers of parts, weights of a scale, names with weights.
"""

from __future__ import annotations

from collections.abc import Sequence

from common.errors import ControlError
from common.words import shown
from engine.controls.controls import control_named
from engine.controls.kinds import ALL_FIELDS
from engine.controls.values import AUTO, Control, Json
from server.osc.packets import Value

_LISTS = ("scale", "parts")
_BY_PART = ("programs", "by_part")
_PAIRS = ("mix", "per_field", *_BY_PART)
_TEXTS = ("metre", "key", "chords", "choice")
_WHOLE = ("integer", "parts", "programs")


def json_of(name: str, values: Sequence[Value]) -> Json:
    """The arguments of a message that sets a control, as `Controls.with_value` reads them.

    `values` is not empty. ControlError if there are too many or they cannot be paired; whether
    they are in range is not looked at.
    """
    control = control_named(name)
    plain = [_plain(control, value) for value in values]
    kind = control.kind.name
    if len(plain) == 1:
        return plain[0]
    texts = [value for value in plain if isinstance(value, str)]
    if len(texts) == len(plain) and kind in (*_LISTS, *_PAIRS, *_TEXTS):
        return " ".join(texts)
    if kind in _LISTS:
        return plain
    if kind in _PAIRS:
        return _paired(control, plain)
    raise _unfit(control, f"{len(plain)} values at once")


def arguments_of(name: str, value: Json) -> tuple[Value, ...]:
    """A control's plain JSON value as the arguments that would set it.

    Numbers that may have a fraction are always floats, 4 as 4.0.
    """
    kind = control_named(name).kind.name

    def argument(item: Json) -> Value:
        assert isinstance(item, (int, float, str)), "plain values nest no deeper"
        return item if isinstance(item, str) or kind in _WHOLE else float(item)

    if value is None:
        return (AUTO,)
    if isinstance(value, list):
        return tuple(map(argument, value))
    if not isinstance(value, dict):
        return (argument(value),)
    arguments = [argument(value[ALL_FIELDS])] if kind == "per_field" and ALL_FIELDS in value else []
    for entry, given in value.items():
        if kind != "per_field" or entry != ALL_FIELDS:
            arguments += [int(entry) if kind in _BY_PART else entry, argument(given)]
    return tuple(arguments)


def _plain(control: Control, value: Value) -> Json:
    if isinstance(value, bytes):
        raise _unfit(control, "a blob, colour, MIDI message or time")
    return value


def _paired(control: Control, items: list[Json]) -> Json:
    """Names and numbers in turn as an object; a field's number without a name is that of all."""
    pairs: dict[str, Json] = {}
    if control.kind.name == "per_field" and isinstance(items[0], (int, float)):
        pairs[ALL_FIELDS], *items = items
    if len(items) % 2:
        raise _unfit(control, "a name without a number")
    for entry, given in zip(items[::2], items[1::2], strict=True):
        if control.kind.name in _BY_PART and type(entry) in (int, float):
            entry = f"{entry:.15g}"
        if not isinstance(entry, str):
            raise _unfit(control, f"{shown(entry)} as a name")
        name = entry.strip()
        if name in pairs:
            raise _unfit(control, f"{shown(name)} twice")
        pairs[name] = given
    return pairs


def _unfit(control: Control, what: str) -> ControlError:
    return ControlError(f"{control.name} cannot take {what}: give {control.form}")
