"""docs/rooms.md, derived from what packages and modules say of themselves.

`python -m tests.room_page` writes it anew.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "rooms.md"
PACKAGES = ("common", "engine", "server", "export")
HEAD = """# Rooms

Every file of ours, room by room, with what it says of itself. The picture and the reasons are in
[architecture.md](architecture.md). `python -m tests.room_page` makes this page of the source.
"""


def said(path: Path) -> str:
    """What a module says of itself first, up to an empty line."""
    told = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return " ".join(told.partition("\n\n")[0].split()).replace("|", "\\|")


def rooms() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted({path.parent for path in (ROOT / package).rglob("*.py")})


def section(room: Path) -> str:
    name = room.relative_to(ROOT).as_posix()
    files = [path for path in sorted(room.glob("*.py")) if path.name != "__init__.py"]
    rows = [f"| [{path.name}](../{name}/{path.name}) | {said(path)} |" for path in files]
    table = "\n".join(["| file | |", "|---|---|", *rows]) + "\n" if rows else ""
    return f"\n## {name}\n\n{said(room / '__init__.py')}\n\n{table}".rstrip() + "\n"


def page() -> str:
    return HEAD + "".join(map(section, rooms()))


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
