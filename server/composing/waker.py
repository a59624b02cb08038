"""Lets threads wake the one that waits on a selector."""

from __future__ import annotations

import contextlib
import socket


class Waker:
    """`ring` from any thread makes `ear` readable; `clear` from the one that listens."""

    def __init__(self) -> None:
        self.ear, self._rope = socket.socketpair()
        self.ear.setblocking(False)
        self._rope.setblocking(False)

    def ring(self) -> None:
        # Full: it rings loud enough.
        with contextlib.suppress(BlockingIOError):
            self._rope.send(b"!")

    def clear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self.ear.recv(4096)

    def close(self) -> None:
        self.ear.close()
        self._rope.close()
