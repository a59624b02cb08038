"""Bytes on their way into a socket that does not block."""

from __future__ import annotations

import asyncio
import socket

CHUNK = 1 << 18  # bytes that are read or written at once


class Outbox:
    """What the socket does not take is kept, up to `most` bytes."""

    def __init__(self, line: socket.socket, most: int) -> None:
        self._line, self._most = line, most
        self._waiting = bytearray()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, data: bytes) -> bool:
        """False, and nothing is taken, if that would be more than is kept."""
        if len(self._waiting) + len(data) > self._most:
            return False
        if not self._waiting:
            asyncio.get_running_loop().add_writer(self._line, self._write)
        self._waiting += data
        self._write()
        return True

    def close(self) -> None:
        asyncio.get_running_loop().remove_writer(self._line)

    def _write(self) -> None:
        try:
            while self._waiting:
                sent = self._line.send(memoryview(self._waiting)[:CHUNK])
                del self._waiting[:sent]
        except BlockingIOError:
            return
        except OSError:
            self._waiting.clear()  # what it still had to say is read first, then its end
        self.close()
