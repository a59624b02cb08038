"""From plain tables to frozen dataclasses, by the types and the metadata of their fields.

A field's metadata may hold `help` (one sentence), `low` and `high` (of numbers), `choices` (of
texts), `pattern` (a regular expression that texts match) and `form` (what that means, in words).
`option` writes such a field. A field that holds several tables has a name in the plural, its key
in the file is the singular: `targets` is read from `[[target]]`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

from common.errors import ConfigError
from engine.controls.controls import nearest
from engine.controls.values import listed, number_text, shown

T = TypeVar("T")


def option(
    default: Any = MISSING,
    help: str = "",
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    pattern: str = "",
    form: str = "",
) -> Any:
    """A field of a settings class; without a default it must be given."""
    metadata = {"help": help, "low": low, "high": high, "choices": choices}
    metadata |= {"pattern": pattern, "form": form}
    if isinstance(default, Mapping):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Option:
    """What one key of a settings class takes."""

    name: str
    key: str  # in the file
    type: Any  # without None
    may_be_left_out: bool
    default: Any
    metadata: Mapping[str, Any]

    @property
    def table(self) -> type | None:
        """The settings class inside, if the key holds a table or several."""
        inner = self.element if self.is_list else self.type
        return inner if isinstance(inner, type) and is_dataclass(inner) else None

    @property
    def is_list(self) -> bool:
        return get_origin(self.type) is tuple

    @property
    def element(self) -> Any:
        return get_args(self.type)[0]

    @property
    def form(self) -> str:
        """What may be given, in words."""
        if self.is_list and self.table:
            return "a list of tables"
        if self.is_list and self.metadata.get("choices"):
            return f"a list of any of {', '.join(self.metadata['choices'])}"
        return f"a list of {_MANY[self.element]}" if self.is_list else self.plain_form

    @property
    def plain_form(self) -> str:
        """What one value may be, in words: of the list, if it is one."""
        kind = self.element if self.is_list else self.type
        low, high = self.metadata.get("low"), self.metadata.get("high")
        if self.metadata.get("form"):
            return str(self.metadata["form"])
        if self.metadata.get("choices"):
            return listed(self.metadata["choices"])
        words = _WORDS.get(get_origin(kind) or kind, "a table")
        if low is not None and high is not None:
            return f"{words} from {number_text(low)} to {number_text(high)}"
        return f"{words} from {number_text(low)} up" if low is not None else words

    def takes(self, value: Any) -> bool:
        """Whether a value of the right type lies within range, choices and pattern."""
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            low, high = self.metadata.get("low"), self.metadata.get("high")
            within = (low is None or value >= low) and (high is None or value <= high)
            return within and math.isfinite(value)
        if isinstance(value, str):
            choices, pattern = self.metadata.get("choices"), self.metadata.get("pattern")
            return (
                value in choices if choices else not pattern or bool(re.fullmatch(pattern, value))
            )
        return True


_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Path: "a path",
}
_MANY = {int: "whole numbers", float: "numbers", str: "texts", Path: "paths"}


def options_of(settings: type) -> dict[str, Option]:
    """The options of a settings class by their keys in the file."""
    hints = get_type_hints(settings)
    found = [_option_of(one, hints[one.name]) for one in fields(settings)]
    return {one.key: one for one in found}


def _option_of(one: Field[Any], hint: Any) -> Option:
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (inner for inner in get_args(hint) if inner is not NoneType)
    default = one.default
    if one.default_factory is not MISSING:
        default = one.default_factory()
    found = Option(one.name, one.name, hint, default is not MISSING, default, one.metadata)
    if found.is_list and found.table:
        return replace(found, key=one.name.removesuffix("s"))
    return found


@dataclass(frozen=True, slots=True)
class Source:
    """The file that tables come from: named in errors, and what paths are relative to."""

    name: str
    folder: Path

    def refuse(self, key: str, what: str) -> NoReturn:
        raise ConfigError(f"{self.name}: {key} {what}" if key else f"{self.name}: {what}")

    def build(self, settings: type[T], raw: object, at: str = "") -> T:
        """The settings that a table holds; ConfigError names the file, the key and the remedy."""
        options = options_of(settings)
        if not isinstance(raw, dict):
            self.refuse(at, f"must be a table, not {shown(raw)}")
        for key in raw:
            if key not in options:
                self.refuse(_inside(at, key), f"is no key here: {nearest(key, options)}")
        values = {}
        for key, one in options.items():
            if key in raw:
                values[one.name] = self._value(one, one.type, raw[key], _inside(at, key))
            elif not one.may_be_left_out:
                self.refuse(_inside(at, key), f"is missing: give {one.form}")
        try:
            return settings(**values)
        except ValueError as error:
            self.refuse(at, str(error))

    def check(self, settings: object, at: str = "") -> None:
        """Refuse numbers and words out of range in settings that were made in another way."""
        for key, one in options_of(type(settings)).items():
            value, here = getattr(settings, one.name), _inside(at, key)
            if one.table and one.is_list:
                for i, inner in enumerate(value):
                    self.check(inner, f"{here}[{i}]")
            elif one.table:
                self.check(value, here)
            elif isinstance(value, (int, float, str)) and not one.takes(value):
                self.refuse(here, f"must be {one.plain_form}, not {shown(value)}")

    def _value(self, one: Option, kind: Any, raw: object, at: str) -> Any:
        origin = get_origin(kind)
        if isinstance(kind, type) and is_dataclass(kind):
            return self.build(kind, raw, at)
        if origin is tuple:
            if not isinstance(raw, list):
                self.refuse(at, f"must be {one.form}, not {shown(raw)}")
            element = get_args(kind)[0]
            return tuple(
                self._value(one, element, inner, f"{at}[{i}]") for i, inner in enumerate(raw)
            )
        if origin is not None and issubclass(origin, Mapping):
            if not isinstance(raw, dict):
                self.refuse(at, f"must be {one.form}, not {shown(raw)}")
            return self._mapping(one, kind, raw, at)
        return self._plain(one, kind, raw, at)

    def _mapping(self, one: Option, kind: Any, raw: dict[str, object], at: str) -> Any:
        """A table whose keys are the user's own; numbers as keys are read as such."""
        of_key, of_value = get_args(kind)
        if of_value is Any:
            return dict(raw)
        if of_key is int and not all(re.fullmatch(r"[0-9]{1,9}", key) for key in raw):
            self.refuse(at, f"must have whole numbers as keys: give {one.form}")
        return {
            of_key(key): self._value(one, of_value, inner, _inside(at, key))
            for key, inner in raw.items()
        }

    def _plain(self, one: Option, kind: type, raw: object, at: str) -> Any:
        if kind is float and type(raw) is int:
            raw = float(raw)
        wanted = str if kind is Path else kind
        if type(raw) is not wanted or not one.takes(raw):
            self.refuse(at, f"must be {one.plain_form}, not {shown(raw)}")
        return self.path(str(raw)) if kind is Path else raw

    def path(self, text: str) -> Path:
        """A path as the file means it."""
        try:
            return self.folder / Path(text).expanduser()
        except RuntimeError as error:
            self.refuse("", f"{shown(text)} is no path here ({error}): write it out")


def _inside(at: str, key: str) -> str:
    shown_key = key if re.fullmatch(r"[\w-]{1,60}", key) else repr(key[:60])
    return f"{at}.{shown_key}" if at else shown_key
