"""One client of a server: light, as a bench must take little of the machine itself."""

from __future__ import annotations

import asyncio
from typing import Any, Self

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from common.errors import StreamError
from engine.music.time import duration
from server.base.clock import monotonic_us
from server.benches.live.bar_ledger import Arrival
from server.web.outgoing import Ack, Bye, ErrorMessage, FromServer, decode
from server.web.terms import PROTOCOL

PATIENCE = 60.0  # seconds for an answer
_BAR = b'{"type":"bar"'
_encode = msgspec.json.Encoder().encode


class _Bar(msgspec.Struct):
    index: int
    revision: int
    ticks: int
    tempo: int
    late: bool = False


class _BarMessage(msgspec.Struct):
    epoch: int
    due: int
    bar: _Bar
    event: int


class TimedBar(msgspec.Struct, frozen=True):
    """A bar without its notes, which are not looked at."""

    arrival: Arrival
    tempo: int


class TimedMessage(msgspec.Struct, frozen=True):
    """Any other message, and when it came."""

    at: int
    content: FromServer


_decode_bar = msgspec.json.Decoder(_BarMessage).decode


class Visit:
    """A connection that has said hello."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._last_id = 0
        self._last_event = 0

    @classmethod
    async def begin(cls, address: str) -> Self:
        connection = await connect(
            address, compression=None, max_size=None, ping_interval=None, open_timeout=PATIENCE
        )
        visit = cls(connection)
        await visit._send({"type": "hello", "protocol": PROTOCOL})
        await asyncio.wait_for(connection.recv(decode=False), PATIENCE)
        return visit

    async def say(self, kind: str, **fields: Any) -> int:
        """Send a request; its id."""
        self._last_id += 1
        await self._send({"type": kind, "id": self._last_id, **fields})
        return self._last_id

    async def ping(self) -> None:
        """Tell what has arrived, and ask for the time, as clients do now and then."""
        await self._send({"type": "ping", "t": monotonic_us(), "event": self._last_event})

    async def hear(self) -> TimedBar | TimedMessage:
        """The next message; StreamError if the connection is over."""
        data = await self._receive()
        at = monotonic_us()
        if not data.startswith(_BAR):
            return TimedMessage(at, decode(data))
        message = _decode_bar(data)
        bar, self._last_event = message.bar, message.event
        length = duration(bar.ticks, bar.tempo)
        arrival = Arrival(message.epoch, bar.index, bar.revision, message.due, length, bar.late, at)
        return TimedBar(arrival, bar.tempo)

    async def hear_whole(self) -> FromServer:
        """The next message with everything in it."""
        message = await self.hear_timed()
        return message.content

    async def hear_timed(self) -> TimedMessage:
        """The same, and when it came."""
        data = await self._receive()
        return TimedMessage(monotonic_us(), decode(data))

    async def _receive(self) -> bytes:
        try:
            return await self._connection.recv(decode=False)
        except ConnectionClosed as error:
            raise StreamError(f"the server closed the connection: {error}") from None

    async def answer(self, id: int) -> Ack | ErrorMessage:
        """Pass over what comes before the answer to a request."""
        while True:
            heard = await asyncio.wait_for(self.hear(), PATIENCE)
            if isinstance(heard, TimedBar):
                continue
            match heard.content:
                case Ack(id=found) | ErrorMessage(id=found) if found == id:
                    return heard.content
                case Bye(reason=reason):
                    raise StreamError(f"the server said goodbye: {reason}")

    async def end(self) -> None:
        await self._connection.close()

    async def _send(self, message: dict[str, Any]) -> None:
        try:
            await self._connection.send(_encode(message).decode())
        except ConnectionClosed as error:
            raise StreamError(f"the server closed the connection: {error}") from None
