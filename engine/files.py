"""Reading and writing whole files, with errors that tell the user what to do."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from engine.errors import OutputError, PerpetuoError


def read_bytes(path: str | Path, what: str) -> bytes:
    """The content of a file; `what` names its kind in errors, as in "the model"."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise PerpetuoError(f"{what} {path} does not exist: check the path") from None
    except IsADirectoryError:
        raise PerpetuoError(f"{what} {path} is a folder: name a file in it") from None
    except PermissionError:
        # Systems without IsADirectoryError for folders (Windows) end up here too.
        if Path(path).is_dir():
            raise PerpetuoError(f"{what} {path} is a folder: name a file in it") from None
        raise PerpetuoError(f"{what} {path} may not be read: check its permissions") from None
    except (OSError, ValueError) as error:
        raise PerpetuoError(f"{what} {path} cannot be read: {_reason(error)}") from error


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
