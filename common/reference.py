"""What keys there are, as a table of a page: derived from a class of settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import NODEFAULT
from msgspec.structs import FieldInfo

from common.settings import form, help_of
from common.words import number_text


def key_table(keys: Iterable[FieldInfo]) -> str:
    """The keys of a table with their values, defaults and what they do, in Markdown."""
    head = "| key | values | default | what it does |\n|---|---|---|---|\n"
    return head + "".join(map(_row, keys))


def _row(key: FieldInfo) -> str:
    default = "*must be given*" if key.required else _spelled(_default(key))
    return f"| `{key.encode_name}` | {form(key.type)} | {default} | {help_of(key.type)} |\n"


def _default(key: FieldInfo) -> Any:
    return key.default if key.default_factory is NODEFAULT else key.default_factory()


def _spelled(value: Any) -> str:
    return "none" if value is None else f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return number_text(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml(value[key])}" for key in value) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"'
