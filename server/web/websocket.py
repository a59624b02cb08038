"""A client's WebSocket, over the connection of the request that it began with.

Frames are those of websockets' Sans-I/O protocol. What is said is written to the connection, and
waits there: see `server.web.line`.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import cast

from starlette.responses import Response as Answer
from starlette.types import Receive, Scope, Send
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from server.web.answers import TRANSPORT, RawHeaders, disconnected
from server.web.line import HttpLine

LINGER = 5.0  # seconds that a closed client has to take what is left for it
PING_EVERY = 20.0  # seconds from an answer to the next ping
PONG_WITHIN = 20.0  # seconds in which a ping must be answered
_quiet = logging.getLogger("perpetuo.web.frames")
_quiet.setLevel(logging.ERROR)  # what clients do wrong is no line of the log worth


class ClientLine(asyncio.Protocol):
    """A `server.web.session.Line` over a WebSocket. Only for use in the event loop's thread.

    `heard` is given each message, None for one that is no text. `ended` gets the close code once
    nothing more is heard; what is left for the client has a moment to get there.
    """

    heard: Callable[[str | None], None]
    lost: Callable[[Exception | None], None]  # tells whose connection it was before
    _transport: asyncio.Transport
    _accepted: Response

    def __init__(self, most_read: int, most_waiting: int) -> None:
        """Bytes of the largest message, and those that may wait for who only pings."""
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[int] = self._loop.create_future()
        self._conn = ServerProtocol(max_size=most_read, logger=_quiet)
        self._most_waiting = most_waiting
        self._message, self._is_text = bytearray(), False
        self._pinged = b""
        self._timer: asyncio.TimerHandle | None = None  # of pings, then of lingering

    # -- the handshake ---------------------------------------------------------------------------

    def accept(self, headers: RawHeaders) -> Response:
        """What is answered to a request with these headers; with status 101 the connection may
        be made over to it."""
        lines = [b"GET / HTTP/1.1", *(b"%b: %b" % header for header in headers), b"", b""]
        self._conn.receive_data(b"\r\n".join(lines))
        events = self._conn.events_received()
        if not events:
            return self._conn.reject(400, f"{self._conn.handshake_exc}\n")
        assert isinstance(events[0], Request), "there are no frames before it is answered"
        self._accepted = self._conn.accept(events[0])
        return self._accepted

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._conn.send_response(self._accepted)
        self._flush()
        self._timer = self._loop.call_later(PING_EVERY, self._ping)

    # -- what the server says --------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        return self._transport.get_write_buffer_size()

    def say(self, message: bytes) -> None:
        if self._is_open:
            self._conn.send_text(message)
            self._flush()

    def leave(self, code: int, reason: str) -> None:
        if self._is_open:
            self._conn.send_close(code, reason[:120])
            self._flush()
            self._end(code)

    @property
    def _is_open(self) -> bool:
        return self._conn.state is State.OPEN and not self._transport.is_closing()

    def _flush(self) -> None:
        """Where nothing is to be said, nothing is written: the stream may have been ended."""
        if said := b"".join(self._conn.data_to_send()):
            self._transport.write(said)

    def _end(self, code: int) -> None:
        """Nothing more is heard; cut off who does not go."""
        if not self.ended.done():
            self.ended.set_result(code)
        self._wait(LINGER, self._transport.abort)

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        """Do this next, and nothing else that was to be done by time."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, then)

    # -- what comes ------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self._conn.receive_data(data)
        self._flush()
        if self._conn.parser_exc is not None:
            self._failed()
            return
        for event in self._conn.events_received():
            assert isinstance(event, Frame), "the handshake is over"
            self._take(event)

    def _take(self, frame: Frame) -> None:
        match frame.opcode:
            case Opcode.PING:
                if self.waiting > self._most_waiting:
                    self._transport.abort()  # it takes none of the answers
            case Opcode.PONG:
                if bytes(frame.data) == self._pinged and self._is_open:
                    self._wait(PING_EVERY, self._ping)
            case Opcode.CLOSE:
                self._closed()
            case _:
                self._gather(frame)

    def _gather(self, frame: Frame) -> None:
        """Messages come in one frame or in several."""
        if self.ended.done():
            return
        if frame.opcode is not Opcode.CONT:
            self._message, self._is_text = bytearray(), frame.opcode is Opcode.TEXT
        self._message += frame.data
        if frame.fin and self._is_text:
            self._read(bytes(self._message))
        elif frame.fin:
            self.heard(None)

    def _read(self, message: bytes) -> None:
        try:
            text = message.decode()
        except UnicodeDecodeError:
            self._conn.fail(1007)
            self._flush()
            self._failed()
        else:
            self.heard(text)

    def _closed(self) -> None:
        """Both sides have said that this is the end."""
        assert self._conn.close_rcvd is not None
        self._end(self._conn.close_rcvd.code)
        self._transport.close()

    def _failed(self) -> None:
        """After bad frames (too large, not UTF-8): a connection that is closed while there is
        more to read is reset, and its client would not learn why. So what comes is read and
        thrown away for a moment."""
        if self._conn.close_sent is not None and not self.ended.done():
            self._end(self._conn.close_sent.code)
            if self._transport.can_write_eof():
                self._transport.write_eof()  # what it answers is not understood any more

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(1006)
        if self._timer is not None:
            self._timer.cancel()
        self.lost(exc)

    # -- whether it is there ---------------------------------------------------------------------

    def _ping(self) -> None:
        self._pinged = secrets.token_bytes(4)
        self._conn.send_ping(self._pinged)
        self._flush()
        self._wait(PONG_WITHIN, self.keepalive_timeout)

    def keepalive_timeout(self) -> None:
        self.leave(1011, "no_answer: pings were not answered")


class Upgrade(Answer):
    """An answer after which a WebSocket has the connection. `converse` begins with it, and may end
    before it is gone."""

    def __init__(self, line: ClientLine, converse: Callable[[], Awaitable[None]]) -> None:
        super().__init__(status_code=101)
        self._line, self._converse = line, converse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        http: HttpLine = scope["state"][TRANSPORT]
        if not http.transport.is_closing():
            self._line.lost = http.connection_lost
            http.hand_over(self._line)
            await self._converse()
        await disconnected(receive)
