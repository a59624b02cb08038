"""Finding files of music, and what a manifest or a folder's name tells about each."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from common.errors import DatasetError
from common.files import MANIFEST as MANIFEST_FILE
from common.files import as_text, look_at, read_bytes
from export.data.finding import MANIFEST, Found, Location, Problem, find

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
    member: str = ""  # of a zip file
    pattern: int = 0  # of a MIDI file of type 2

    @property
    def location(self) -> Location:
        return Location(self.path, self.member, self.pattern)


class Sources(NamedTuple):
    """`problems`: what a manifest names and is not there; `skipped`: what lies there and is not
    read."""

    found: list[Source]
    problems: list[Problem]
    skipped: list[Problem]


def find_sources(
    places: Sequence[Path], manifest: Path | None = None, exclude: Sequence[str] = ()
) -> Sources:
    """All files of music below the places, in a fixed order.

    Each folder's own MANIFEST.csv is used unless `manifest` names another; `exclude` names
    datasets (the column, or the top folder) to leave out.
    """
    sources: dict[Path, Source] = {}
    problems: list[Problem] = []
    skipped: list[Problem] = []
    if manifest is not None:
        if not manifest.exists():
            raise DatasetError(f"the manifest {manifest} does not exist: check --manifest")
        look_at(manifest, MANIFEST_FILE)
    for place in places:
        if not place.exists():
            raise DatasetError(f"{place} does not exist: name folders or files of music")
        table = manifest
        if table is None and (place / MANIFEST).exists():
            table = place / MANIFEST
        found, unread = find(place)
        skipped += unread
        members = {one.named for one in found if one.location.member}
        listed = _listed(table, place, members, problems) if table is not None else {}
        for one in found:
            described = listed.get(one.named) or _unlisted(one, place)
            source = replace(described, path=one.location.path, member=one.location.member)
            if source.dataset not in exclude:
                sources.setdefault(one.named, source)
    ordered = sorted(sources.values(), key=lambda source: (source.file, str(source.path)))
    return Sources(ordered, problems, sorted(dict.fromkeys(skipped)))


def _unlisted(found: Found, place: Path) -> Source:
    """A file whose style is the name of the top folder it lies in."""
    path, place = found.location.path, place.absolute()
    if path == place and not found.location.member:
        top = as_text(path.parent.name)
        return Source(path, found.file, top, top)
    around = as_text(place.stem if found.location.member else place.name)
    top = found.folders[0] if found.folders else around
    return Source(path, found.file, top, top)


def _listed(
    table: Path, place: Path, members: Collection[Path], problems: list[Problem]
) -> dict[Path, Source]:
    """What a manifest tells, by the paths of files, those in zip files as if these were folders."""
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
                if path.is_file() or path.absolute() in members
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
