"""The reference of all keys, derived from the settings classes.

`python -m server.configuration.reference docs/configuration.md` writes it into the page, from its
heading on; a test holds the page to it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import fields

from common.reference import key_table
from common.settings import Table, is_list, table_in
from server.configuration.settings import Configuration

HEADING = "## Reference\n"


def reference() -> str:
    """The end of the page `docs/configuration.md`, from its heading on."""
    return HEADING + "".join(_sections(Configuration, ""))


def _sections(settings: type[Table], at: str) -> Iterator[str]:
    """One section a table, each followed by those of the tables inside it."""
    keys = fields(settings)
    yield f"\n### {_title(at)}\n\n{key_table(key for key in keys if table_in(key.type) is None)}"
    for key in keys:
        table = table_in(key.type)
        if table is not None:
            inner = f"{at.strip('[]')}.{key.encode_name}".strip(".")
            yield from _sections(table, f"[[{inner}]]" if is_list(key.type) else f"[{inner}]")


def _title(at: str) -> str:
    return f"`{at}`" if at else "Before any table"


def written_into(page: str) -> str:
    """The page with the reference as it is now."""
    return page.partition(HEADING)[0] + reference()


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(written_into(target.read_text("utf-8")), "utf-8")
