"""One encoded stream and everybody who hears it: what was made last is kept for those who join.

In the event loop. Nothing waits for a listener: who takes too little is let go.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

log = logging.getLogger("perpetuo.audio")

# Listeners that are served in a row, before the loop has its turn again.
SLICE = 64
# Seconds of sound that may wait for one listener beyond the burst.
PATIENCE = 20.0


class EncodedPiece(NamedTuple):
    data: bytes
    title: str
    seconds: float


class SoundListener(Protocol):
    """Somebody who hears. Called in the event loop; must not raise."""

    name: str

    def write(self, data: bytes, title: str) -> None: ...

    @property
    def waiting(self) -> int:
        """Bytes that were written and that nobody has taken yet."""
        ...

    def cut(self) -> None:
        """End it at once, and what waits is lost."""
        ...


class EncodedStream:
    """`burst` seconds are kept. `head` gives what a listener must have first, by the title that is
    heard. `sent` and `let_go` count, for metrics."""

    def __init__(self, name: str, burst: float, bytes_a_second: int) -> None:
        self.name, self.sent, self.let_go = name, 0, 0
        self.head: Callable[[str], bytes] = no_head
        self._is_made = False
        self._burst = burst
        self._most_waiting = round((burst + PATIENCE) * bytes_a_second)
        self._pieces: deque[EncodedPiece] = deque()
        self._first = 0  # number of the first piece that is kept
        self._seconds = 0.0  # of all that are kept
        self._next: dict[SoundListener, int] = {}  # by listener, the number of the piece to come

    @property
    def listeners(self) -> int:
        return len(self._next)

    @property
    def seconds(self) -> float:
        """Of sound that is kept."""
        return self._seconds

    def stop(self) -> None:
        """The encoder ends: what is kept is of no use any more."""
        self.head, self._is_made = no_head, False
        self._forget()

    def begin(self, head: Callable[[str], bytes]) -> None:
        """Another encoder begins: nothing of the one before is kept, listeners go on."""
        self.head, self._is_made = head, True
        self._forget()
        first = head("")
        for listener in self._next if first else ():
            self._write(listener, first, "")

    def _forget(self) -> None:
        self._first += len(self._pieces)
        self._pieces.clear()
        self._seconds = 0.0
        self._next = dict.fromkeys(self._next, self._first)

    def append(self, piece: EncodedPiece) -> None:
        """What was on its way when the encoder ended is left out."""
        if not self._is_made:
            return
        self._pieces.append(piece)
        self._seconds += piece.seconds
        while self._seconds - self._pieces[0].seconds >= self._burst:
            self._seconds -= self._pieces.popleft().seconds
            self._first += 1
        self._serve(tuple(self._next))

    def join(self, listener: SoundListener) -> None:
        """Gives what is kept at once, and from then on all that comes."""
        self._next[listener] = self._first
        title = self._pieces[-1].title if self._pieces else ""
        head = self.head(title)
        if head:
            self._write(listener, head, title)
        self._deliver(listener)

    def leave(self, listener: SoundListener) -> None:
        self._next.pop(listener, None)

    def cut_all(self) -> None:
        """The server ends."""
        for listener in tuple(self._next):
            self.leave(listener)
            listener.cut()

    def _serve(self, listeners: tuple[SoundListener, ...]) -> None:
        for listener in listeners[:SLICE]:
            self._deliver(listener)
        if len(listeners) > SLICE:
            asyncio.get_running_loop().call_soon(self._serve, listeners[SLICE:])

    def _deliver(self, listener: SoundListener) -> None:
        """All that a listener has not had yet."""
        position = self._next.get(listener)
        if position is None:
            return  # it has left
        missing = self._first + len(self._pieces) - max(position, self._first)
        if not missing:
            return
        self._next[listener] = self._first + len(self._pieces)
        if missing == 1:
            last = self._pieces[-1]
            self._write(listener, last.data, last.title)
        else:
            pieces = list(self._pieces)[-missing:]
            self._write(listener, b"".join(piece.data for piece in pieces), pieces[-1].title)
        if listener.waiting > self._most_waiting:
            self.let_go += 1
            log.warning("%s: %s takes too little and is let go", self.name, listener.name)
            self.leave(listener)
            listener.cut()

    def _write(self, listener: SoundListener, data: bytes, title: str) -> None:
        self.sent += len(data)
        listener.write(data, title)


def no_head(title: str) -> bytes:
    return b""
