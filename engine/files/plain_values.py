"""Named tuples as plain JSON values and back, following their type hints."""

from __future__ import annotations

import types
import typing
from functools import cache
from typing import Any

from engine.controls.values import Json


def to_plain(value: Any) -> Json:
    """Nested tuples as nested lists; numbers, texts and None as they are."""
    if isinstance(value, tuple):
        return [to_plain(item) for item in value]
    return typing.cast(Json, value)


def from_plain(kind: Any, plain: Any) -> Any:
    """The value of type `kind` that `to_plain` was given; ValueError if it cannot be that.

    Fields with defaults may be missing at the end: an older program knew nothing of them.
    """
    hints = _hints(kind)
    if hints is not None:
        least = len(hints) - len(kind._field_defaults)
        if not isinstance(plain, list) or not least <= len(plain) <= len(hints):
            raise ValueError(f"{kind.__name__} has {len(hints)} values")
        return kind(*(from_plain(h, item) for h, item in zip(hints, plain, strict=False)))
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        if not isinstance(plain, list):
            raise ValueError("a list is missing")
        if len(inner) == 2 and inner[1] is Ellipsis:
            return tuple(from_plain(inner[0], item) for item in plain)
        return tuple(from_plain(h, item) for h, item in zip(inner, plain, strict=True))
    if origin is types.UnionType:
        inner = tuple(h for h in inner if h is not types.NoneType)
        return None if plain is None else from_plain(inner[0], plain)
    if kind is float and type(plain) is int:
        return float(plain)
    if kind in (int, float, str, bool) and type(plain) is not kind:
        raise ValueError(f"{plain!r} is not {kind.__name__}")
    return plain


@cache
def _hints(kind: Any) -> tuple[Any, ...] | None:
    """The types of a named tuple's fields, None for other types."""
    if not (isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")):
        return None
    hints = typing.get_type_hints(kind)
    return tuple(hints[name] for name in kind._fields)
