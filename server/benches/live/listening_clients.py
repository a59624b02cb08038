"""`python -m server.benches.live.listening_clients ADDRESS HEARING`: many listeners in one process.

Each takes an endless stream as a player does: it plays once it has a second of sound, and stands
still when it has none. What stands on standard input, a word a line, leads them: `count` begins the
counting, `end` ends everything. On standard output comes a line of JSON when all of them play, and
one with what was counted.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from functools import partial
from urllib.parse import urlsplit

import msgspec

from server.base.clock import monotonic_us
from server.benches.live.bar_ledger import percentiles
from server.web.listening import allow_files

SECOND = 1_000_000
PATIENCE = 30.0  # seconds for the last one to play


class ListeningPlan(msgspec.Struct, frozen=True):
    """What is listened to: `rate` listeners come in a second, `kbps` is the stream's bitrate."""

    path: str
    listeners: int
    kbps: int
    rate: float = 50.0


class PlayingCounts(msgspec.Struct, frozen=True):
    """How many play, and how many milliseconds it took from the connection to a second of sound:
    median, 99th percentile, greatest."""

    listeners: int
    first: tuple[float | None, ...]


class HeardCounts(msgspec.Struct, frozen=True):
    """What all of them together met from `count` to `end`. `least` is the least sound that one of
    them ever had in hand, in seconds."""

    listeners: int
    dropouts: int
    least: float
    bytes: int


class ListeningClient(asyncio.Protocol):
    """One listener. Times in microseconds; sound is counted in microseconds as well."""

    def __init__(self, hearing: ListeningPlan, host: str) -> None:
        self.first: int | None = None  # from the connection to a second of sound
        self.dropouts, self.bytes, self.is_there = 0, 0, False
        self.least = float("inf")
        self._bytes_a_second = 125 * hearing.kbps
        self._request = f"GET {hearing.path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode()
        self._head: bytearray | None = bytearray()
        self._begun = self._playing_since = 0
        self._sound = 0  # microseconds that came since it plays

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.is_there = transport, True
        self._begun = monotonic_us()
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self._head is not None:
            self._head += data
            _, end, data = bytes(self._head).partition(b"\r\n\r\n")
            if not end:
                return
            self._head = None
        now = monotonic_us()
        self.bytes += len(data)
        if self._playing_since:
            self._look(now)
        self._sound += len(data) * SECOND // self._bytes_a_second
        if not self._playing_since and self._sound >= SECOND:
            self._playing_since = now
            if self.first is None:
                self.first = now - self._begun

    def _look(self, now: int) -> None:
        """At what is left in hand."""
        left = self._sound - (now - self._playing_since)
        self.least = min(self.least, left)
        if left < 0:
            self.dropouts += 1
            self._playing_since = self._sound = 0  # it waits for a second of sound again

    def count(self) -> None:
        self.dropouts, self.bytes, self.least = 0, 0, float("inf")

    def end(self) -> None:
        if self._playing_since:
            self._look(monotonic_us())

    def connection_lost(self, error: Exception | None) -> None:
        self.is_there = False


async def listen(address: str, hearing: ListeningPlan) -> None:
    """Lead them by what comes on standard input."""
    parts = urlsplit(address)
    assert parts.hostname is not None, "it is a whole address"
    assert parts.port is not None, "it is a whole address"
    loop = asyncio.get_running_loop()
    words = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(words), sys.stdin)
    allow_files(2 * hearing.listeners + 64)
    players: list[ListeningClient] = []
    for _ in range(hearing.listeners):
        player = ListeningClient(hearing, parts.netloc)
        await loop.create_connection(partial(_itself, player), parts.hostname, parts.port)
        players.append(player)
        await asyncio.sleep(1 / hearing.rate)
    end = loop.time() + PATIENCE
    while any(one.first is None for one in players) and loop.time() < end:
        await asyncio.sleep(0.05)
    gc.freeze()
    firsts = [one.first / 1e3 for one in players if one.first is not None]
    _say(PlayingCounts(len(firsts), tuple(percentiles(firsts, 50, 99, 100))))
    while word := (await words.readline()).strip():
        if word == b"count":
            for one in players:
                one.count()
        else:
            for one in players:
                one.end()
            there = [one for one in players if one.is_there]
            least = min((one.least for one in there), default=0.0) / SECOND
            dropouts = sum(one.dropouts for one in players)
            _say(HeardCounts(len(there), dropouts, least, sum(one.bytes for one in players)))
            return


def _itself(player: ListeningClient) -> ListeningClient:
    return player


def _say(what: msgspec.Struct) -> None:
    print(msgspec.json.encode(what).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(listen(sys.argv[1], msgspec.json.decode(sys.argv[2], type=ListeningPlan)))
