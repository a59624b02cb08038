"""Signs of life: what a child says while it still starts, and whenever it has nothing else to say.

This is imported before anything heavy: the first word must come at once.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

EVERY = 1.0  # seconds


class Alive(msgspec.Struct, frozen=True, tag="alive"):
    """A report that says nothing else."""


@contextmanager
def beating(connection: socket.socket, beat: bytes) -> Iterator[None]:
    """Send `beat` at once and then every second, from a thread, as long as the block lasts.
    Nothing else may be sent meanwhile. That a thread still runs says little of the work beside it:
    whoever listens must also set a time by which the block is over."""
    is_over = threading.Event()

    def work() -> None:
        try:
            connection.sendall(beat)
            while not is_over.wait(EVERY):
                connection.sendall(beat)
        except OSError:
            return  # nobody listens any more, which whoever reads the line finds out too

    thread = threading.Thread(target=work, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
