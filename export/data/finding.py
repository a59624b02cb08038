"""Every file below a place: what of it can be read, and why the rest is not.

Folders behind links are read as well, each folder once. A zip file counts as a folder; its members
are read where they lie, nothing is unpacked onto the disk.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from common.files import as_text, why_no_file
from export.data.zipped import ZIP, members_of

MIDI_SUFFIXES = (".mid", ".midi", ".kar", ".smf")
XML_SUFFIXES = (".musicxml", ".xml", ".mxl")
SUFFIXES = MIDI_SUFFIXES + XML_SUFFIXES
MANIFEST, ORIGIN = "MANIFEST.csv", "SOURCE.txt"  # about the music; see `sources` and `statistics`
_PREPARED = ("meta.json", "events.npy", "pieces.npy")  # what every prepared dataset has

# Notations that are not read, and what makes MIDI or MusicXML of them.
_ADVICE = {
    ".abc": "ABC notation is not read: convert it to MIDI, for example with abc2midi",
    ".krn": "Humdrum is not read: convert it to MIDI or MusicXML, for example with hum2mid",
    ".mei": "MEI is not read: convert it to MIDI or MusicXML, for example with Verovio",
    ".ly": "LilyPond is not read: have LilyPond write MIDI of it with a \\midi block",
    ".mscz": "MuseScore's files are not read: export MusicXML from it",
    ".mscx": "MuseScore's files are not read: export MusicXML from it",
    **dict.fromkeys(
        (".sib", ".mus", ".musx", ".gp", ".gp3", ".gp4", ".gp5", ".gpx", ".nwc", ".capx", ".enc"),
        "files of a notation program are not read: export MusicXML or MIDI from it",
    ),
    **dict.fromkeys(
        (".gz", ".tgz", ".tar", ".bz2", ".xz", ".7z", ".rar", ".zst"),
        "archives other than zip are not read: unpack them",
    ),
}
HIDDEN = "hidden files are not read"


class Problem(NamedTuple):
    """A file that was left out, and why."""

    file: str
    reason: str


class Location(NamedTuple):
    """Where a piece lies: in a file, in a member of a zip file, in a pattern of a MIDI file."""

    path: Path
    member: str = ""
    pattern: int = 0


class Found(NamedTuple):
    """A file that can be read. `file` is its name below the place, `folders` the names of those
    around it there; `named` is its path as if a zip file were a folder."""

    location: Location
    file: str
    folders: tuple[str, ...]
    named: Path


def find(place: Path) -> tuple[list[Found], list[Problem]]:
    """What can be read at a place (a folder, a zip file, a file), and what was skipped."""
    search = _Search(place.absolute())
    if place.is_dir():
        search.folder()
    elif not place.is_file():
        search.skip(place.absolute(), why_no_file(place))
    elif place.suffix.lower() == ZIP:
        search.archive(place.absolute())
    elif place.suffix.lower() in _ADVICE:
        search.skip(place.absolute(), _ADVICE[place.suffix.lower()])
    else:  # named by hand: try it, whatever it is called
        search.take(place.absolute())
    return search.found, search.skipped


class _Search:
    def __init__(self, place: Path) -> None:
        self.place = place
        self.found: list[Found] = []
        self.skipped: list[Problem] = []
        self._seen: set[tuple[int, int]] = set()  # device and number of every folder

    def folder(self) -> None:
        """Real folders first, so that what can be reached in two ways has its own name."""
        links = deque(self._walk(self.place))
        around = self.place.resolve()
        while links:
            link = links.popleft()
            if around.is_relative_to(link.resolve()):
                self.skip(link, "a link to a folder that it lies in itself")
            elif _identity(link) in self._seen:
                self.skip(link, "a link to a folder that is read already")
            else:
                links.extend(self._walk(link))

    def _walk(self, top: Path) -> list[Path]:
        """Take the files of a folder and those in it; returns the links to folders."""
        links: list[Path] = []
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            try:
                entries = sorted(folder.iterdir())
                self._seen.add(_identity(folder))
            except OSError as error:
                self.skip(folder, f"a folder that cannot be read: {error.strerror}")
                continue
            if all((folder / name).exists() for name in _PREPARED):
                self.skip(folder, "a prepared dataset, not music")
                continue
            for entry in entries:
                if not entry.is_dir():
                    self._file(entry)
                elif entry.is_symlink():
                    links.append(entry)
                else:
                    waiting.append(entry)
        return links

    def _file(self, path: Path) -> None:
        suffix = path.suffix.lower()
        if path.name in (MANIFEST, ORIGIN):
            return
        if path.name.startswith("."):
            self.skip(path, HIDDEN)
        elif reason := why_no_file(path):
            self.skip(path, reason)
        elif suffix == ZIP:
            self.archive(path)
        elif suffix in SUFFIXES:
            self.take(path)
        else:
            self.skip(path, _reason(suffix))

    def archive(self, path: Path) -> None:
        members, problems = members_of(path)
        at = self._below(path)
        for name, reason in problems:
            self.skipped.append(Problem(str(PurePosixPath(at, name)), reason))
        for member, name in members:
            if name.startswith("META-INF/"):
                continue
            suffix = PurePosixPath(name).suffix.lower()
            if PurePosixPath(name).name.startswith("."):
                self.skip(path / name, HIDDEN)
            elif suffix == ZIP:
                self.skip(
                    path / name, "zip files inside zip files are not read: unpack the outer one"
                )
            elif suffix in SUFFIXES:
                self.take(path, member, name)
            elif PurePosixPath(name).name not in (MANIFEST, ORIGIN):
                self.skip(path / name, _reason(suffix))

    def take(self, path: Path, member: str = "", name: str = "") -> None:
        named = path / name if member else path
        file = self._below(named)
        folders = PurePosixPath(file).parts[:-1]
        if member and path != self.place and folders:
            depth = len(PurePosixPath(self._below(path)).parts) - 1
            folders = (*folders[:depth], as_text(path.stem), *folders[depth + 1 :])
        self.found.append(Found(Location(path, member), file, folders, named))

    def skip(self, path: Path, reason: str) -> None:
        self.skipped.append(Problem(self._below(path), reason))

    def _below(self, path: Path) -> str:
        below = path.name if path == self.place else path.relative_to(self.place).as_posix()
        return as_text(below)


def _reason(suffix: str) -> str:
    unread = f"files ending in '{as_text(suffix)}'" if suffix else "files without an ending"
    return _ADVICE.get(suffix, f"no music that can be read: {unread}")


def _identity(folder: Path) -> tuple[int, int]:
    found: os.stat_result = folder.stat()
    assert stat.S_ISDIR(found.st_mode)
    return found.st_dev, found.st_ino
