"""`perpetuo sounds`: which SoundFonts there are, and how to get better ones."""

from __future__ import annotations

import argparse
import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from server.base.console import columns, paint

if TYPE_CHECKING:
    from server.audio.soundfonts import KnownSoundfont

HELP = "list the SoundFonts, the instruments that the server and the page play"
EPILOG = """\
examples:
  perpetuo sounds                         those that are here, and how to get others
  perpetuo sounds --json                  the same for programs
  perpetuo render --preset chorale --soundfont FluidR3_GM -o chorale.flac
  perpetuo serve --soundfont FluidR3_GM

In a configuration it is soundfont = "FluidR3_GM" under [audio]; a path will do in place of a name.
Files of your own that end in .sf2 or .sf3 are found in ~/.local/share/soundfonts.
"""
OWN = "a file of your own"


class Row(NamedTuple):
    """`path` is None for one that is not here; `get` is how it comes here."""

    name: str
    path: Path | None
    megabytes: int
    licence: str
    good_for: str
    get: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from common.files import as_text

    rows = _rows()
    if args.json:
        plain = [row._asdict() | {"path": row.path and as_text(row.path)} for row in rows]
        print(json.dumps(plain, ensure_ascii=False, indent=2))
        return 0
    here = [row for row in rows if row.path is not None]
    print("\n".join(line for row in here for line in _lines(row)))
    missing = [row for row in rows if row.path is None]
    if missing:
        print(f"\n{paint('Not here', 'bold')}")
        print("\n".join(line for row in missing for line in _lines(row)))
    return 0


def _rows() -> list[Row]:
    from common.errors import AudioError
    from common.files import as_text
    from server.audio.libraries import soundfont
    from server.audio.soundfonts import KNOWN, found

    here = found()
    try:
        here["TimGM6mb"] = soundfont(None)
    except AudioError:  # the package that it comes with is broken: it is told as missing
        here.pop("TimGM6mb", None)
    rows = [_known(known, here.pop(known.name, None)) for known in KNOWN]
    told = {row.path.resolve() for row in rows if row.path is not None}
    # Debian has other names for what it thinks the best.
    others = {name: path for name, path in here.items() if path.resolve() not in told}
    return rows + [Row(as_text(name), at, _size(at), "", OWN, "") for name, at in others.items()]


def _known(known: KnownSoundfont, path: Path | None) -> Row:
    get = f"apt-get install {known.package}" if known.package else "install perpetuo anew"
    size = known.megabytes if path is None else _size(path)
    return Row(known.name, path, size, known.licence, known.good_for, get)


def _size(path: Path) -> int:
    """In megabytes, 1 at least."""
    return max(1, round(path.stat().st_size / 1e6))


def _lines(row: Row) -> list[str]:
    from common.files import as_text

    about = ", ".join(filter(None, (f"{row.megabytes} MB", row.licence)))
    head = f"{paint(row.name, 'cyan')}  {about}"
    where = row.get if row.path is None else as_text(row.path)
    words = textwrap.wrap(row.good_for, columns() - 4)
    return [head, *(f"  {line}" for line in words), f"  {where}"]
