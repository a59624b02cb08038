"""A folder of pieces as `perpetuo data` takes it: STYLE/NUMBER.mid, and a manifest of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from engine.files.midi import write
from export.data.finding import MANIFEST
from export.data.writing import new_folder, write_text
from export.invention.styles import STYLES

DATASET = "invention"
LICENCE = "CC0-1.0"
CREDIT = "perpetuo invent"
COLUMNS = ("file", "style", "dataset", "title", "composer", "licence", "velocity", "split")
_SPLITS = {18: "valid", 19: "test"}  # by the seed's remainder by 20: a piece never changes sides


def invent(
    target: Path,
    styles: Sequence[str],
    pieces: int,
    seed: int,
    progress: Callable[[int], object] = lambda pieces: None,
) -> None:
    """Write so many pieces of each style, of the seeds from `seed` on, into a new folder."""
    rows = []
    with new_folder(target.absolute(), force=False) as folder:
        for style, number in _all(styles, pieces, seed):
            name = f"{style}/{number:06}.mid"
            (folder / style).mkdir(exist_ok=True)
            (folder / name).write_bytes(write(STYLES[style].compose(number)))
            rows.append(_row(name, style, number))
            progress(1)
        write_text(folder / MANIFEST, _table(rows))


def _all(styles: Sequence[str], pieces: int, seed: int) -> Iterator[tuple[str, int]]:
    for style in styles:
        for number in range(seed, seed + pieces):
            yield style, number


def _row(name: str, style: str, number: int) -> dict[str, str]:
    return {
        "file": name,
        "style": style,
        "dataset": DATASET,
        "title": f"{style} {number}",
        "composer": CREDIT,
        "licence": LICENCE,
        "velocity": "expressive",
        "split": _SPLITS.get(number % 20, "train"),
    }


def _table(rows: Sequence[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
