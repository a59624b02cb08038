"""The kinds of values that controls take: numbers, keys, chords, mixes and so on."""

from __future__ import annotations

import re
from dataclasses import dataclass

from common.errors import ControlError, PlanError
from common.words import listed, number_text
from engine.controls.key import Key
from engine.controls.values import MAX_TEXT, Control, ControlKind, Json, finite, refuse
from engine.music.harmony import key_id, parse_progression
from engine.music.score import PARTS
from engine.music.time import Metre

MAX_WORD = 40  # characters of one word of a progression
MAX_ENTRIES = 64  # of a list or an object
# The event fields that temperature and min_p may name, over all representations.
EVENT_FIELDS = ("part", "pitch", "duration", "velocity", "delta", "token")
ALL_FIELDS = "all"
ANY_KEY = key_id(0, minor=False)  # which chords can be read does not depend on the key

_STYLE = re.compile(r"[\w.&+-]{1,40}")


@dataclass(frozen=True, slots=True)
class PerField:
    """A number for every event field, with exceptions for some."""

    base: float
    exceptions: tuple[tuple[str, float], ...] = ()

    def of(self, field: str) -> float:
        for name, value in self.exceptions:
            if name == field:
                return value
        return self.base


def _read_number(control: Control, raw: object) -> float:
    value = finite(raw)
    if value is None or not control.low <= value <= control.high:
        refuse(control, raw)
    if control.choices and value not in control.choices:
        refuse(control, raw)
    return value


def _read_integer(control: Control, raw: object) -> int:
    value = _read_number(control, raw)
    if value != int(value):
        refuse(control, raw)
    return int(value)


def _number_form(control: Control) -> str:
    if control.choices:
        return listed(control.choices)
    article = "a whole number" if control.kind is INTEGER else "a number"
    unit = f" ({control.unit})" if control.unit else ""
    return f"{article} from {number_text(control.low)} to {number_text(control.high)}{unit}"


def _read_choice(control: Control, raw: object) -> str:
    if not isinstance(raw, str) or raw not in control.choices:
        refuse(control, raw)
    return raw


def _read_metre(control: Control, raw: object) -> Metre:
    if not isinstance(raw, str) or len(raw) > 10:
        refuse(control, raw)
    try:
        return Metre.parse(raw)
    except ValueError as error:
        raise ControlError(str(error)) from None


def _read_key(control: Control, raw: object) -> Key:
    if not isinstance(raw, str):
        refuse(control, raw)
    try:
        return Key.parse(raw)
    except PlanError as error:
        raise ControlError(f"{control.name}: {error}") from None


def _read_chords(control: Control, raw: object) -> str:
    if isinstance(raw, list) and all(isinstance(word, str) for word in raw):
        raw = " ".join(raw)
    if not isinstance(raw, str) or len(raw) > MAX_TEXT:
        refuse(control, raw)
    words = raw.split()
    if not words:
        return ""
    if max(map(len, words)) > MAX_WORD:
        refuse(control, max(words, key=len))
    text = " ".join(words)
    try:
        parse_progression(text, ANY_KEY)
    except PlanError as error:
        raise ControlError(f"{control.name}: {error}") from None
    return text


def _entries(control: Control, raw: object) -> list[tuple[str, object]]:
    """The (name, value) pairs of "a:1 b:2" or {"a": 1}; the value is None where none is given."""
    if isinstance(raw, dict):
        pairs = [(str(name).strip(), value) for name, value in raw.items()]
    elif isinstance(raw, str):
        words = re.sub(r"\s*:\s*", ":", raw).replace(",", " ").split()
        split = [word.partition(":") for word in words]
        pairs = [(name, value if colon else None) for name, colon, value in split]
    else:
        refuse(control, raw)
    if not 0 < len(pairs) <= MAX_ENTRIES or len({name for name, _ in pairs}) < len(pairs):
        refuse(control, raw)
    return pairs


def _read_mix(control: Control, raw: object) -> tuple[tuple[str, float], ...]:
    mix = []
    for name, given in _entries(control, raw):
        weight = finite(1 if given is None and isinstance(raw, str) else given)
        if not _STYLE.fullmatch(name) or weight is None:
            refuse(control, raw)
        if not control.low <= weight <= control.high:
            refuse(control, raw)
        if weight > 0:
            mix.append((name, weight))
    return tuple(sorted(mix)) or refuse(control, raw)


def _read_per_field(control: Control, raw: object) -> PerField:
    base = finite(raw)
    if base is not None:
        return PerField(_read_number(control, base))
    base = control.default.base
    exceptions: dict[str, float] = {}
    for name, given in _entries(control, raw):
        if given is None and isinstance(raw, str):
            name, given = ALL_FIELDS, name
        value = finite(given)
        if value is None or not control.low <= value <= control.high:
            refuse(control, raw)
        if name in exceptions or name not in (*EVENT_FIELDS, ALL_FIELDS):
            refuse(control, raw)
        exceptions[name] = value
    base = exceptions.pop(ALL_FIELDS, base)
    ordered = ((f, exceptions[f]) for f in EVENT_FIELDS if f in exceptions)
    return PerField(base, tuple((f, value) for f, value in ordered if value != base))


def _plain_per_field(value: PerField) -> Json:
    return {ALL_FIELDS: value.base, **dict(value.exceptions)} if value.exceptions else value.base


def _spell_pairs(pairs: tuple[tuple[str | int, float], ...]) -> str:
    return " ".join(f"{name}:{number_text(value)}" for name, value in pairs)


def _spell_per_field(value: PerField) -> str:
    return f"{number_text(value.base)} {_spell_pairs(value.exceptions)}".strip()


def _number_list(control: Control, raw: object) -> list[float]:
    items: object = raw.replace(",", " ").split() if isinstance(raw, str) else raw
    if not isinstance(items, list) or len(items) > MAX_ENTRIES:
        refuse(control, raw)
    numbers = [finite(item) for item in items]
    if any(n is None or not control.low <= n <= control.high for n in numbers):
        refuse(control, raw)
    return [n for n in numbers if n is not None]


def _read_scale(control: Control, raw: object) -> tuple[float, ...]:
    weights = _number_list(control, raw)
    if len(weights) != 12 or not any(weights):
        refuse(control, raw)
    return tuple(weights)


def _read_parts(control: Control, raw: object) -> tuple[int, ...]:
    one = isinstance(raw, (int, float)) and not isinstance(raw, bool)
    parts = _number_list(control, [raw] if one else raw)
    if not parts or any(part != int(part) for part in parts):
        refuse(control, raw)
    return tuple(sorted({int(part) for part in parts}))


def _read_programs(control: Control, raw: object) -> tuple[tuple[int, int], ...]:
    programs = {}
    for name, given in _entries(control, raw):
        part, program = finite(name), finite(given)
        if part is None or part not in range(1, PARTS + 1) or int(part) in programs:
            refuse(control, raw)
        if program is None or program not in range(int(control.high) + 1):
            refuse(control, raw)
        programs[int(part)] = int(program)
    return tuple(sorted(programs.items()))


def _read_by_part(control: Control, raw: object) -> tuple[tuple[int, float], ...]:
    one = finite(raw)
    if one is not None:
        number = _read_number(control, one)
        return tuple((part, number) for part in range(1, PARTS + 1))
    values: dict[int, float] = {}
    for name, given in _entries(control, raw):
        part, value = finite(name), finite(given)
        if part is None or part not in range(1, PARTS + 1) or int(part) in values:
            refuse(control, raw)
        if value is None or not control.low <= value <= control.high:
            refuse(control, raw)
        values[int(part)] = value
    return tuple(sorted(values.items()))


def _plain_by_part(pairs: tuple[tuple[int, float], ...]) -> Json:
    return pairs[0][1] if _is_same(pairs) else {str(part): value for part, value in pairs}


def _spell_by_part(pairs: tuple[tuple[int, float], ...]) -> str:
    return number_text(pairs[0][1]) if _is_same(pairs) else _spell_pairs(pairs)


def _is_same(pairs: tuple[tuple[int, float], ...]) -> bool:
    return len(pairs) == PARTS and len({value for _, value in pairs}) == 1


def _range_words(control: Control) -> str:
    return f"from {number_text(control.low)} to {number_text(control.high)}"


NUMBER = ControlKind("number", _read_number, lambda v: v, number_text, _number_form)
INTEGER = ControlKind("integer", _read_integer, lambda v: v, str, _number_form)
CHOICE = ControlKind("choice", _read_choice, lambda v: v, str, lambda c: listed(c.choices))
METRE = ControlKind("metre", _read_metre, str, str, lambda c: "a metre such as 4/4, 3/4 or 6/8")
KEY = ControlKind(
    "key", _read_key, str, str, lambda c: "a tonic and a mode such as C, F# minor or D dorian"
)
CHORDS = ControlKind(
    "chords", _read_chords, lambda v: v, str, lambda c: "chords such as Am F C G or I vi IV V"
)
MIX = ControlKind(
    "mix",
    _read_mix,
    dict,
    _spell_pairs,
    lambda c: f"names with weights {_range_words(c)} such as romantic:0.7 folk:0.3",
)
PER_FIELD = ControlKind(
    "per_field",
    _read_per_field,
    _plain_per_field,
    _spell_per_field,
    lambda c: (
        f"a number {_range_words(c)}, also by event field such as"
        f" {number_text(c.default.base)} pitch:0.5"
        f" (fields: {', '.join(EVENT_FIELDS)})"
    ),
)
SCALE = ControlKind(
    "scale",
    _read_scale,
    list,
    lambda v: " ".join(map(number_text, v)),
    lambda c: f"twelve weights {_range_words(c)}, C first, such as 1 0 1 0 1 1 0 1 0 1 0 1",
)
PART_SET = ControlKind(
    "parts",
    _read_parts,
    list,
    lambda v: " ".join(map(str, v)),
    lambda c: f"numbers of parts {_range_words(c)} such as 1 2 {PARTS}",
)
PROGRAMS = ControlKind(
    "programs",
    _read_programs,
    lambda v: {str(part): program for part, program in v},
    _spell_pairs,
    lambda c: (
        f"part:program pairs such as 1:0 2:33 (parts from 1 to {PARTS}, programs {_range_words(c)})"
    ),
)
BY_PART = ControlKind(
    "by_part",
    _read_by_part,
    _plain_by_part,
    _spell_by_part,
    lambda c: (
        f"a number {_range_words(c)} for all parts, or part:number pairs such as"
        f" 1:{number_text(c.high)} 2:{number_text((c.low + c.high) / 2)} (parts from 1 to {PARTS})"
    ),
)
