"""The child's connection to the server, a socket that is never waited for; and what lets threads
wake the one that waits on it."""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket

from server.base.framing import FramingError, encode
from server.composing.messages import Order, Report, order_frames

log = logging.getLogger("perpetuo.composing")

# So many bytes that nobody has taken yet: composing pauses rather than fill the memory.
MOST_WAITING = 8 * 2**20
_CHUNK = 1 << 16


class ServerConnection:
    """Orders in, reports out. `is_open` becomes false when the other end is gone."""

    def __init__(self, connection: socket.socket, *others: socket.socket) -> None:
        """`others` wake `listen` too; whoever owns them empties them."""
        self.is_open = True
        self._socket = connection
        self._socket.setblocking(False)
        self._frames = order_frames()
        self._out = bytearray()
        self._selector = selectors.DefaultSelector()
        self._selector.register(connection, selectors.EVENT_READ)
        self._events = selectors.EVENT_READ
        for other in others:
            self._selector.register(other, selectors.EVENT_READ)

    @property
    def is_full(self) -> bool:
        return len(self._out) > MOST_WAITING

    def report(self, report: Report) -> None:
        self._out += encode(report)

    def listen(self, seconds: float) -> list[Order | FramingError]:
        """Send what can be sent; the orders that are there, waiting so long for one at most."""
        self.flush()
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._out else 0)
        if wanted != self._events:
            self._selector.modify(self._socket, wanted)
            self._events = wanted
        ready = self._selector.select(max(seconds, 0.0))
        readable = any(
            key.fileobj is self._socket and events & selectors.EVENT_READ for key, events in ready
        )
        return self._read() if readable else []

    def flush(self) -> None:
        """Send what the socket takes now."""
        with contextlib.suppress(BlockingIOError):
            while self._out and self.is_open:
                try:
                    sent = self._socket.send(memoryview(self._out)[:_CHUNK])
                except (BrokenPipeError, ConnectionResetError):
                    self.is_open = False
                    return
                del self._out[:sent]

    def close(self) -> None:
        """Send all that waits, for a few seconds at most, and close."""
        self._socket.settimeout(5)
        with contextlib.suppress(OSError):
            self._socket.sendall(self._out)
        self._selector.close()
        self._socket.close()

    def _read(self) -> list[Order | FramingError]:
        orders: list[Order | FramingError] = []
        with contextlib.suppress(BlockingIOError):
            while True:
                try:
                    data = self._socket.recv(_CHUNK)
                except ConnectionResetError:
                    data = b""
                if not data:
                    self.is_open = False
                    break
                try:
                    orders += self._frames.feed(data)
                except FramingError as error:
                    log.error("%s: the composing process ends", error)
                    self.is_open = False
                    break
        return orders


class Waker:
    """`wake` from any thread makes `socket` readable; `clear` from the one that listens."""

    def __init__(self) -> None:
        self.socket, self._other_end = socket.socketpair()
        self.socket.setblocking(False)
        self._other_end.setblocking(False)

    def wake(self) -> None:
        # Full: it wakes all the same.
        with contextlib.suppress(BlockingIOError):
            self._other_end.send(b"!")

    def clear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self.socket.recv(4096)

    def close(self) -> None:
        self.socket.close()
        self._other_end.close()
