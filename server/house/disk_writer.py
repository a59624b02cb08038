"""Writes small files to disk in a thread of its own: a slow disk must not hold up the event loop.

Of several contents for one file the last one counts, and whoever waits for an earlier one is told
when that is there.
"""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

from common.errors import OutputError, PerpetuoError
from common.files import write_whole

CLOSED_WITHIN = 5.0  # seconds that a disk has at the end

Answer = asyncio.Future[None]


class DiskWriter:
    """Files are forced out to the disk before they are told to be there. Made, and used, in an
    event loop's thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._something = threading.Condition()
        self._waiting: dict[Path, tuple[bytes, list[Answer]]] = {}
        self._is_closing = False
        self._thread = threading.Thread(target=self._work, name="places", daemon=True)
        self._thread.start()

    def put(self, path: Path, data: bytes) -> Answer:
        """Have a file written; the future ends when it is on disk, or has why it is not, an
        OutputError. It may be left alone."""
        answer = self._loop.create_future()
        answer.add_done_callback(_seen)
        with self._something:
            _, others = self._waiting.pop(path, (b"", []))
            self._waiting[path] = data, [*others, answer]
            self._something.notify()
        return answer

    async def close(self) -> None:
        """Write all that waits; a disk that does not take it in time is left behind."""
        with self._something:
            self._is_closing = True
            self._something.notify()
        await asyncio.to_thread(self._thread.join, CLOSED_WITHIN)

    def _work(self) -> None:
        while True:
            with self._something:
                while not self._waiting and not self._is_closing:
                    self._something.wait()
                if not self._waiting:
                    return
                path = next(iter(self._waiting))
                data, answers = self._waiting.pop(path)
            error = _written(path, data)
            try:
                self._loop.call_soon_threadsafe(_tell, answers, error)
            except RuntimeError:  # the loop has ended: nobody waits any more
                return


def _written(path: Path, data: bytes) -> PerpetuoError | None:
    try:
        write_whole(path, data, force=True)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # its new name is there after a power cut as well
        finally:
            os.close(folder)
    except PerpetuoError as error:
        return error
    except OSError as error:
        return OutputError(f"{path} cannot be forced to the disk: {error.strerror or error}")
    return None


def _tell(answers: list[Answer], error: PerpetuoError | None) -> None:
    for answer in answers:
        if answer.done():
            continue
        if error is None:
            answer.set_result(None)
        else:
            answer.set_exception(error)


def _seen(answer: Answer) -> None:
    """Nobody need look at what went wrong."""
    if not answer.cancelled():
        answer.exception()
