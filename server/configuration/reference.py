"""The reference of all keys, derived from the settings classes.

`python -m server.configuration.reference docs/configuration.md` writes it into the page, from its
heading on; a test holds the page to it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.controls.values import number_text
from server.configuration.options import Option, options_of
from server.configuration.settings import Configuration

HEADING = "## Reference\n"


def reference() -> str:
    """The end of the page `docs/configuration.md`, from its heading on."""
    return HEADING + "".join(_sections(Configuration, ""))


def _sections(settings: type, at: str) -> Iterator[str]:
    """One section a table, each followed by those of the tables inside it."""
    options = options_of(settings)
    rows = [_row(one) for one in options.values() if not one.table]
    yield f"\n### {_title(at)}\n\n| key | values | default | what it does |\n|---|---|---|---|\n"
    yield from rows
    for key, one in options.items():
        if one.table:
            inner = f"{at.strip('[]')}.{key}".strip(".")
            yield from _sections(one.table, f"[[{inner}]]" if one.is_list else f"[{inner}]")


def _title(at: str) -> str:
    return f"`{at}`" if at else "Before any table"


def _row(one: Option) -> str:
    default = "*must be given*" if not one.may_be_left_out else _spelled(one.default)
    return f"| `{one.key}` | {one.form} | {default} | {one.metadata['help']} |\n"


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


def written_into(page: str) -> str:
    """The page with the reference as it is now."""
    return page.partition(HEADING)[0] + reference()


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(written_into(target.read_text("utf-8")), "utf-8")
