"""The one way to read a user's file, and to write one whole, with errors that tell what to do.

Whatever a user names is read through here: a regular file of a size that its kind may have. A pipe
would be waited for, and a device may go on without end.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from common.errors import OutputError, PerpetuoError


class FileKind(NamedTuple):
    """A kind of file: what errors call it, and the most bytes that it may have."""

    name: str
    most: int


_KIB, _MIB, _GIB = 1 << 10, 1 << 20, 1 << 30

MODEL = FileKind("model", 2 * _GIB)  # as much as ONNX holds in one file
MUSIC = FileKind("the file of music", 64 * _MIB)  # a member of a zip file too, when unpacked
ARCHIVE = FileKind("the zip file", 1 * _GIB)  # its directory is held in memory
PROMPT = FileKind("prompt", 4 * _MIB)  # its last bars are heard
LOG = FileKind("log", 256 * _MIB)
SOUNDED = FileKind("the file", LOG.most)  # music or a log
SNAPSHOT = FileKind("the snapshot", 1 * _GIB)
CONFIGURATION = FileKind("configuration", 1 * _MIB)
CARD = FileKind("card", 1 * _MIB)
REPORT = FileKind("the report", 64 * _MIB)
TOKEN = FileKind("the token", 64 * _KIB)
PASSWORD = FileKind("the password", 64 * _KIB)
CERTIFICATE = FileKind("the certificate or key", 4 * _MIB)
SOUNDFONT = FileKind("the SoundFont", 4 * _GIB)  # as much as RIFF holds
MANIFEST = FileKind("the manifest", 256 * _MIB)
STYLE_TABLE = FileKind("the style table", 1 * _MIB)
FRAMES = FileKind("the file of frames", 256 * _MIB)
DATASET_META = FileKind("the dataset's file", 64 * _MIB)
DATASET = FileKind("the dataset's file", 1024 * _GIB)  # most of it is never read at once
CHECKPOINT = FileKind("the checkpoint", 64 * _GIB)
NOTICE = FileKind("the notice", 64 * _MIB)

_PIECE = 1 << 20
# A pipe is not waited for; what no system but some has is left out there.
_READING = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)
_IRREGULAR = (
    (stat.S_ISFIFO, "is a pipe"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
    (stat.S_ISSOCK, "is a socket"),
)


def read_bytes(path: str | Path, kind: FileKind) -> bytes:
    """The content of a file."""
    with open_file(path, kind) as file, _naming(path, kind):
        return _content(file, path, kind)


def read_beginning(path: str | Path, kind: FileKind, most: int) -> bytes:
    """So many bytes of a file, or all of a shorter one."""
    with open_file(path, kind) as file, _naming(path, kind):
        return file.read(most)


def look_at(path: str | Path, kind: FileKind) -> None:
    """Raise PerpetuoError if a file may not be read; for those that a library opens by itself."""
    open_file(path, kind).close()


def why_no_file(path: str | Path) -> str:
    """Why what lies there is no regular file, in words that do not name it; for lists of many."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return "it is a link to nothing" if os.path.islink(path) else "it does not exist"
    except OSError as error:
        return f"it cannot be looked at: {_reason(error)}"
    return "" if stat.S_ISREG(mode) else f"it {_irregular(mode)}"


def open_file(path: str | Path, kind: FileKind) -> BinaryIO:
    """A file to be read piece by piece; PerpetuoError says why it cannot be."""
    with _naming(path, kind):
        # Looked at before it is opened, for to open some devices sets them going; and once more
        # when it is, for it may be another one by then.
        _refuse_irregular(os.stat(path), path, kind)
        file = os.fdopen(os.open(path, _READING), "rb")
        try:
            _refuse_irregular(os.fstat(file.fileno()), path, kind)
        except PerpetuoError:
            file.close()
            raise
        return file


@contextlib.contextmanager
def _naming(path: str | Path, kind: FileKind) -> Iterator[None]:
    """Tell what the system says of a file, and of a name that cannot be one."""
    try:
        yield
    except FileNotFoundError:
        raise PerpetuoError(f"{kind.name} {path} does not exist: check the path") from None
    except PermissionError:
        raise PerpetuoError(f"{kind.name} {path} may not be read: check its permissions") from None
    except (OSError, ValueError) as error:
        raise PerpetuoError(f"{kind.name} {path} cannot be read: {_reason(error)}") from error


def _refuse_irregular(found: os.stat_result, path: str | Path, kind: FileKind) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise PerpetuoError(f"{kind.name} {path} is a folder: name a file in it")
    if not stat.S_ISREG(found.st_mode):
        raise PerpetuoError(f"{kind.name} {path} {_irregular(found.st_mode)}")
    if found.st_size > kind.most:
        raise _too_large(path, kind, f"{found.st_size:,}")


def _irregular(mode: int) -> str:
    what = next((words for is_one, words in _IRREGULAR if is_one(mode)), "is none")
    return f"{what}: name a regular file"


def _content(file: BinaryIO, path: str | Path, kind: FileKind) -> bytes:
    """All bytes of a file, which may have grown since, or tell no size, as those of /proc."""
    told = os.fstat(file.fileno()).st_size
    pieces = [file.read(told + 1)]
    size = len(pieces[0])
    while size > told and pieces[-1]:
        if size > kind.most:
            raise _too_large(path, kind, f"more than {kind.most:,}")
        pieces.append(file.read(_PIECE))
        size += len(pieces[-1])
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _too_large(path: str | Path, kind: FileKind, size: str) -> PerpetuoError:
    return PerpetuoError(
        f"{kind.name} {path} is too large, {size} bytes of at most {kind.most:,}: check that it is "
        "the right file"
    )


def as_text(name: str | Path) -> str:
    """A name as text that can be written down: what is in no encoding is replaced."""
    return re.sub("[\ud800-\udfff]", "\ufffd", str(name))


def refuse_existing(path: str | Path, *, force: bool) -> None:
    """Raise OutputError now rather than after the work is done, if `path` cannot be a new file."""
    target = Path(path)
    if target.is_dir():
        raise OutputError(f"{path} is a folder: name a file in it")
    if _is_stream(target):
        return
    if not force and os.path.lexists(target):
        raise _exists(path)
    if not target.parent.is_dir():
        raise OutputError(f"the folder {target.parent} does not exist: create it first")


def write_whole(path: str | Path, data: bytes, *, force: bool = False) -> None:
    """Write a file that is either complete or not there.

    An existing file is kept unless `force`. Whatever interrupts this, nothing half-written is left
    behind under the name, and an older file of that name stays as it was. Devices and pipes are
    written to, never replaced.
    """
    try:
        # What a symbolic link stands for is replaced, not the link.
        target = Path(os.path.realpath(path))
        if _is_stream(target):
            target.write_bytes(data)
            return
        refuse_existing(path, force=force)
        _write_beside(target, data, force=force)
    except FileExistsError:
        raise _exists(path) from None
    except (OSError, ValueError) as error:
        raise OutputError(f"{path} cannot be written: {_reason(error)}") from error


@contextlib.contextmanager
def writing_whole(path: str | Path, *, force: bool = False) -> Iterator[Path]:
    """As `write_whole`, for what is written piece by piece: into the file that the block is given,
    which must be no stream, and is put in place when the block ends well."""
    try:
        target = Path(os.path.realpath(path))
        refuse_existing(path, force=force)
        with _beside(target, force=force) as temporary:
            yield temporary
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {_reason(error)}") from error


def _write_beside(target: Path, data: bytes, *, force: bool) -> None:
    with _beside(target, force=force) as temporary, open(temporary, "xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


@contextlib.contextmanager
def _beside(target: Path, *, force: bool) -> Iterator[Path]:
    """Another name in the same folder, for a file that is then put in place at once."""
    temporary = target.with_name(f".perpetuo-{os.urandom(8).hex()}.part{target.suffix}")
    try:
        yield temporary
        if force:
            with contextlib.suppress(FileNotFoundError):
                os.chmod(temporary, stat.S_IMODE(target.stat().st_mode))
            os.replace(temporary, target)
        else:
            _put_in_place(temporary, target)
    finally:
        # Gone already if it was moved.
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def _put_in_place(temporary: Path, target: Path) -> None:
    """Give a file its name; raises FileExistsError if it was taken meanwhile."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links.
        os.replace(temporary, target)


def _is_stream(target: Path) -> bool:
    """Whether this is a character device or a pipe, such as /dev/null."""
    try:
        mode = target.stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)


def _exists(path: str | Path) -> OutputError:
    return OutputError(f"{path} exists already: choose another name or add --force")


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
