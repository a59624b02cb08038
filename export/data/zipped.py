"""Members of zip files, bounded: what an archive says of itself may be wrong or meant badly."""

from __future__ import annotations

import zipfile
import zlib
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from common.errors import DatasetError, PerpetuoError
from common.files import ARCHIVE, open_file

ZIP = ".zip"
MAX_MEMBERS = 100_000
# Bytes of all members. Members may share their packed bytes, so that a small file unpacks into any
# size; but none gives more than its size here says.
MAX_UNPACKED = 4 << 30
_ENCRYPTED = 1
BROKEN = (
    *(zipfile.BadZipFile, zlib.error, OSError, RuntimeError, NotImplementedError),
    *(EOFError, KeyError, ValueError),
)


class ZipMember(NamedTuple):
    """A file in an archive: its name there, and the same as a path below the archive."""

    key: str
    name: str


def members_of(path: Path) -> tuple[list[ZipMember], list[tuple[str, str]]]:
    """The members that can be read, by name, and (name, reason) of what cannot; "" stands for the
    archive itself."""
    try:
        infos = _open(path, *_stamp(path)).infolist()
    except PerpetuoError as error:
        return [], [("", str(error))]
    files = [info for info in infos if not info.is_dir()]
    if len(files) > MAX_MEMBERS:
        return [], [("", f"a zip file of more than {MAX_MEMBERS:,} files: unpack it")]
    if sum(info.file_size for info in files) > MAX_UNPACKED:
        return [], [("", f"a zip file that unpacks into more than {MAX_UNPACKED >> 30} GB")]
    members: dict[str, ZipMember] = {}
    problems: list[tuple[str, str]] = []
    for info in files:
        name = _path_of(info.filename)
        if not name:
            problems.append(("", "a zip file with names that lead out of it"))
        elif info.flag_bits & _ENCRYPTED:
            problems.append((name, "encrypted in its zip file"))
        elif name in members:
            problems.append((name, "twice in its zip file: the last one is read"))
        else:
            members[name] = ZipMember(info.filename, name)
    return [members[name] for name in sorted(members)], problems


def read_member(path: Path, key: str, limit: int) -> bytes:
    """The bytes of a member, at most `limit`; DatasetError with the reason otherwise."""
    archive = _open(path, *_stamp(path))
    try:
        return unpacked(archive, key, limit)
    except BROKEN as error:
        raise DatasetError(f"damaged in its zip file: {error}") from None


def unpacked(archive: zipfile.ZipFile, key: str, limit: int) -> bytes:
    """A member of an open archive; what `zipfile` raises of a broken one is in `BROKEN`."""
    if archive.getinfo(key).file_size > limit:
        raise DatasetError(f"larger than {limit >> 20} MB when unpacked")
    return archive.read(key)


def _path_of(key: str) -> str:
    """The name of a member as a path below its archive, "" if it leads anywhere else."""
    name = key.replace("\\", "/")
    parts = PurePosixPath(name).parts
    leads_out = not parts or ".." in parts or parts[0] == "/" or parts[0].endswith(":")
    return "" if leads_out or not name.isprintable() else PurePosixPath(name).as_posix()


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise DatasetError(f"a zip file that cannot be read: {error.strerror}") from None
    return found.st_size, found.st_mtime_ns


class _Archive(zipfile.ZipFile):
    """Closes the file that it was given, as `zipfile` does only with those it opens by name."""

    def __init__(self, file: BinaryIO) -> None:
        self._given = file
        super().__init__(file)

    def close(self) -> None:
        super().close()
        self._given.close()


@lru_cache(maxsize=1)  # an archive's directory is read once, not once for each member
def _open(path: Path, size: int, _changed: int) -> zipfile.ZipFile:
    if size > ARCHIVE.most:
        raise DatasetError(f"a zip file larger than {ARCHIVE.most >> 30} GB: unpack it")
    file = open_file(path, ARCHIVE)
    try:
        return _Archive(file)
    except BROKEN as error:
        file.close()
        raise DatasetError(f"a broken zip file: {error}") from None
