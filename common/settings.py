"""From the tables of a file to frozen settings, by the types of their keys.

A class of settings is a `Table`. What a key may hold is its type, `Annotated` with limits (a
`msgspec.Meta`, whose `title` says in words what type and limits do not) and with a sentence on what
the key does. msgspec takes what is right. What it refuses is looked for part by part here, to be
named by its file, its key and what must be given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec.structs import fields

from common.errors import ConfigError
from common.words import listed, nearest, number_text, shown

T = TypeVar("T")


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of a file. Its `__post_init__` may check keys together: a ValueError says what is
    wrong."""


@dataclass(frozen=True, slots=True)
class Source:
    """The file that tables come from: named in errors, and what paths are relative to."""

    name: str
    folder: Path

    def refuse(self, key: str, what: str) -> NoReturn:
        raise ConfigError(f"{self.name}: {key} {what}" if key else f"{self.name}: {what}")

    def build(self, kind: type[T], raw: object, at: str = "") -> T:
        """The settings that a table holds; ConfigError names the file, the key and the remedy."""
        try:
            return msgspec.convert(raw, kind, dec_hook=self._own, str_keys=True)
        except ValueError as error:
            for inner, part, place in self._parts(bare(kind), raw, at):
                self.build(inner, part, place)  # which refuses what is wrong inside
            self.refuse(at, str(error.__cause__ or _remedy(kind, raw)))

    def check(self, settings: Table) -> None:
        """Refuse what is wrong in settings that were made in another way."""
        raw = msgspec.to_builtins(settings, enc_hook=str, str_keys=True)
        self.build(type(settings), raw)

    def path(self, text: str) -> Path:
        """A path as the file means it."""
        try:
            return self.folder / Path(text).expanduser()
        except RuntimeError as error:
            self.refuse("", f"{shown(text)} is no path here ({error}): write it out")

    def _own(self, kind: type, raw: object) -> Path:
        """A value of the one type that msgspec does not know."""
        if not isinstance(raw, str):
            raise ValueError(_remedy(kind, raw))
        return self.path(raw)

    def _parts(self, kind: Any, raw: object, at: str) -> Iterator[tuple[Any, object, str]]:
        """What a table or list holds: the type, the value and the place of each."""
        if isinstance(raw, dict):
            if isinstance(kind, type) and issubclass(kind, Table):
                yield from self._keys(kind, raw, at)
            elif get_origin(kind) is Mapping:
                inner = get_args(kind)[1]
                yield from ((inner, part, _inside(at, key)) for key, part in raw.items())
        elif isinstance(raw, (list, tuple)) and get_origin(kind) is tuple:
            inner = get_args(kind)[0]
            yield from ((inner, part, f"{at}[{i}]") for i, part in enumerate(raw))

    def _keys(
        self, table: type[Table], raw: dict[str, object], at: str
    ) -> Iterator[tuple[Any, object, str]]:
        known = {one.encode_name: one for one in fields(table)}
        for key in raw:
            if key not in known:
                self.refuse(_inside(at, key), f"is no key here: {nearest(key, known)}")
        for key, one in known.items():
            if key in raw:
                yield one.type, raw[key], _inside(at, key)
            elif one.required:
                self.refuse(_inside(at, key), f"is missing: give {form(one.type)}")


def _inside(at: str, key: str) -> str:
    shown_key = key if re.fullmatch(r"[\w-]{1,60}", key) else repr(key[:60])
    return f"{at}.{shown_key}" if at else shown_key


def _remedy(kind: Any, raw: object) -> str:
    if isinstance(raw, dict) and get_origin(bare(kind)) is Mapping:  # all its values are right
        return f"must have whole numbers as keys: give {form(kind)}"
    return f"must be {form(kind)}, not {shown(raw)}"


# -- types in words --------------------------------------------------------------------------------

_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Path: "a path",
}
_MANY = {int: "whole numbers", float: "numbers", str: "texts", Path: "paths"}


def form(kind: Any) -> str:
    """What may be given for a type, in words."""
    title, low, high = (_limit(kind, name) for name in ("title", "ge", "le"))
    kind = bare(kind)
    if title:
        return str(title)
    if get_origin(kind) is Literal:
        return listed(get_args(kind))
    if get_origin(kind) is tuple:
        return f"a list of {_many(bare(get_args(kind)[0]))}"
    words = _WORDS.get(kind, "a table")
    if low is not None and high is not None:
        return f"{words} from {number_text(low)} to {number_text(high)}"
    return f"{words} from {number_text(low)} up" if low is not None else words


def _many(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return f"any of {', '.join(get_args(kind))}"
    return _MANY.get(kind, "tables")


def help_of(kind: Any) -> str:
    """What a key does, by the annotated type of its field."""
    return next((note for note in _notes(kind) if isinstance(note, str)), "")


def table_in(kind: Any) -> type[Table] | None:
    """The class of the table that a key holds, or of each of several."""
    inner = bare(get_args(bare(kind))[0]) if is_list(kind) else bare(kind)
    return inner if isinstance(inner, type) and issubclass(inner, Table) else None


def is_list(kind: Any) -> bool:
    return get_origin(bare(kind)) is tuple


def bare(kind: Any) -> Any:
    """A type without what annotates it and without None."""
    if get_origin(kind) is Annotated:
        return bare(get_args(kind)[0])
    return bare(_given(kind)) if get_origin(kind) in (Union, UnionType) else kind


def _limit(kind: Any, name: str) -> Any:
    """A limit of a type, by its name in `msgspec.Meta`; None: there is none."""
    found = (getattr(note, name) for note in _notes(kind) if isinstance(note, msgspec.Meta))
    return next((limit for limit in found if limit is not None), None)


def _notes(kind: Any) -> list[Any]:
    """What annotates a type, the outermost first."""
    if get_origin(kind) is Annotated:
        inner, *notes = get_args(kind)
        return [*reversed(notes), *_notes(inner)]
    return _notes(_given(kind)) if get_origin(kind) in (Union, UnionType) else []


def _given(kind: Any) -> Any:
    """The one type in a union that is not None."""
    (inner,) = (one for one in get_args(kind) if one is not NoneType)
    return inner
