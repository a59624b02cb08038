"""Finding files of music, and what a manifest or a folder's name tells about each."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import DatasetError
from engine.files import MANIFEST as MANIFEST_FILE
from engine.files import as_text, look_at, read_bytes

MIDI_SUFFIXES = (".mid", ".midi", ".kar", ".smf")
XML_SUFFIXES = (".musicxml", ".xml", ".mxl")
SUFFIXES = MIDI_SUFFIXES + XML_SUFFIXES
MANIFEST = "MANIFEST.csv"
SPLITS = ("train", "valid", "test")


@dataclass(frozen=True, slots=True)
class Source:
    """One file and what is known about it before it is read."""

    path: Path
    file: str  # its name in reports: the path below the folder that was given
    style: str  # the tag as found
    dataset: str
    title: str = ""
    composer: str = ""
    licence: str = ""
    note: str = ""
    velocity_known: bool | None = None  # None: look at the notes
    split: str = ""  # "": to be drawn
    group: str = ""  # files of one group share a split


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that was left out, and why."""

    file: str
    reason: str


def find_sources(
    places: Sequence[Path], manifest: Path | None = None, exclude: Sequence[str] = ()
) -> tuple[list[Source], list[Problem]]:
    """All files of music below the places, in a fixed order.

    Each folder's own MANIFEST.csv is used unless `manifest` names another; `exclude` names
    datasets (the column, or the top folder) to leave out.
    """
    sources: dict[Path, Source] = {}
    problems: list[Problem] = []
    if manifest is not None:
        look_at(manifest, MANIFEST_FILE)
    for place in places:
        if not place.exists():
            raise DatasetError(f"{place} does not exist: name folders or files of music")
        table = manifest
        if table is None and (place / MANIFEST).exists():
            table = place / MANIFEST
        listed = _listed(table, place, problems) if table is not None else {}
        for path in _walk(place):
            source = listed.get(path) or _unlisted(path, place)
            if source.dataset not in exclude:
                sources.setdefault(path, source)
    ordered = sorted(sources.values(), key=lambda source: (source.file, str(source.path)))
    return ordered, problems


def _walk(place: Path) -> Iterator[Path]:
    if not place.is_dir():
        yield place.absolute()
        return
    for folder, _, names in os.walk(place):
        for name in names:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield Path(folder, name).absolute()


def _unlisted(path: Path, place: Path) -> Source:
    """A file whose style is the name of the top folder it lies in."""
    place = place.absolute()
    if path == place:
        top = as_text(path.parent.name)
        return Source(path, as_text(path.name), top, top)
    below = path.relative_to(place)
    top = as_text(below.parts[0] if len(below.parts) > 1 else place.name)
    return Source(path, as_text(below.as_posix()), top, top)


def _listed(table: Path, place: Path, problems: list[Problem]) -> dict[Path, Source]:
    try:
        text = read_bytes(table, MANIFEST_FILE).decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""))
        if "file" not in (reader.fieldnames or ()):
            raise DatasetError(
                f"the manifest {table} has no column 'file': its first line must name the columns"
            )
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"the manifest {table} cannot be read: {error}") from None
    listed = {}
    for row in rows:
        values = {key: (value or "").strip() for key, value in row.items() if isinstance(key, str)}
        found = next(
            (
                path
                for path in (table.parent / values["file"], place / values["file"])
                if path.is_file()
            ),
            None,
        )
        if found is None:
            problems.append(Problem(values["file"], "named in the manifest, but not there"))
            continue
        listed[found.absolute()] = _described(found.absolute(), values)
    return listed


def _described(path: Path, row: dict[str, str]) -> Source:
    velocity = row.get("velocity", "")
    split = row.get("split", "").lower()
    return Source(
        path=path,
        file=row["file"],
        style=row.get("style", ""),
        dataset=row.get("dataset", "") or Path(row["file"]).parts[0],
        title=row.get("title", ""),
        composer=row.get("composer", ""),
        licence=row.get("licence", ""),
        note=row.get("note", ""),
        velocity_known=velocity != "flat" if velocity else None,
        split=split if split in SPLITS else "",
        group=row.get("dup_group", ""),
    )
