"""One process to a folder: two would write over each other's memory."""

from __future__ import annotations

import os
from pathlib import Path

from common.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows: there nobody is refused
    fcntl = None  # type: ignore[assignment]

NAME = "in-use"


class FolderLock:
    """A lock on a folder that is there, from when this is made to `release`, or to the end of the
    process however it comes. OutputError if another process holds it: `by` names that, `instead`
    says what else to do."""

    def __init__(self, folder: Path, by: str, instead: str) -> None:
        self._file = os.open(folder / NAME, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._lock()
        except BlockingIOError:
            os.close(self._file)
            raise OutputError(
                f"the folder {folder} is in use by another {by}: end that one, or {instead}"
            ) from None

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        os.close(self._file)

    def _lock(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            return  # a file system that knows no locks: better to play than to refuse
