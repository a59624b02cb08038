"""Numbered messages of one session: sent once, and kept until they are known to have arrived.

No clock: whoever calls says what time it is, in microseconds.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

MAX_COUNT = 1024
MAX_BYTES = 1 << 20

# A message without its number, which ends it: `{"type":"bar",…,"event":`. In pieces, so that a
# long one that many sessions are sent is held only once.
Body = tuple[bytes, ...]


class KeptMessage(NamedTuple):
    number: int
    at: int  # when it was added
    size: int
    body: Body

    def whole(self) -> bytes:
        return b"".join((*self.body, b"%d}" % self.number))


class Backlog:
    """Bounded by count, bytes and, for what was sent, age: the oldest are dropped first."""

    def __init__(self, age: int) -> None:
        self.last = 0  # number of the latest message
        self._sent = 0  # number of the latest one that was handed out
        self._age = age
        self._bytes = 0
        self._kept: deque[KeptMessage] = deque()

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, body: Body, now: int) -> None:
        self.last += 1
        size = sum(map(len, body))
        self._kept.append(KeptMessage(self.last, now, size, body))
        self._bytes += size
        while len(self._kept) > MAX_COUNT or self._bytes > MAX_BYTES or self._is_old(now):
            self._drop()

    def unsent(self) -> list[bytes]:
        """What was not handed out yet, each once."""
        waiting = min(self.last - self._sent, len(self._kept))
        self._sent = self.last
        return [self._kept[i].whole() for i in range(-waiting, 0)]

    def arrived(self, number: int) -> None:
        """Everything up to this number need not be kept."""
        while self._kept and self._kept[0].number <= min(number, self._sent):
            self._drop()

    def resume(self, number: int) -> bool:
        """Hand out again what came after this number; False if some of that is lost."""
        first = self._kept[0].number if self._kept else self.last + 1
        if not first - 1 <= number <= self.last:
            self._kept.clear()
            self._bytes = 0
            self._sent = self.last
            return False
        self._sent = number
        self.arrived(number)
        return True

    def _is_old(self, now: int) -> bool:
        oldest = self._kept[0]
        return oldest.number <= self._sent and oldest.at < now - self._age

    def _drop(self) -> None:
        self._bytes -= self._kept.popleft().size
