"""uvicorn's connections, with limits for who asks, and written to without waiting for who listens.

Through plain ASGI, sending to a client that reads nothing would wait for ever, and so would
closing. Written to directly, the connection's own buffer is the queue: its size tells when a
client is too slow, and nothing waits.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from server.web.connections import Connection, Connections

LINGER = 5.0  # seconds that a closed client has to take what is left for it
TAKEN_WITHIN = 20.0  # seconds in which something of an answer must be taken
LINE = "perpetuo.line"  # the extension of the ASGI scope that holds the `ClientLine`
TRANSPORT = "perpetuo.transport"  # what of its state an endless answer is written to
_LEAVE = "perpetuo.leave"  # what of its state says that the connection is gone


class HttpLine(H11Protocol):
    """uvicorn's HTTP connection, to which an endless answer may be written at once.

    It tells `watch`ing connections what it is at, and is cut if its answer is not taken.
    """

    _connections: Connections
    _connection: Connection
    _is_endless = False  # such an answer has a rule of its own for who takes too little
    _untaken = 0  # bytes, when it was looked last
    _look: asyncio.TimerHandle | None = None

    def watch(self, connections: Connections, connection: Connection) -> None:
        """To be called before it is connected."""
        self._connections, self._connection = connections, connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._connection.cut = transport.abort
        self.app_state = {**self.app_state, TRANSPORT: self, _LEAVE: self._leave}

    def write(self, data: bytes) -> None:
        """A piece of an endless answer."""
        self._is_endless = True
        self.transport.write(data)

    def get_write_buffer_size(self) -> int:
        return self.transport.get_write_buffer_size()

    def abort(self) -> None:
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._tell()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._tell()
        self._see_it_taken()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._see_it_taken()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._connections.serve(self._connection)
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        super().connection_lost(exc)

    def _leave(self) -> None:
        self._connections.leave(self._connection)
        if self._look is not None:
            self._look.cancel()

    def _tell(self) -> None:
        """What it is at, as far as that is for HTTP to say."""
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return
        theirs = self.conn.their_state
        if theirs is h11.SEND_BODY or (theirs is h11.IDLE and self.conn.trailing_data[0]):
            self._connections.ask(self._connection)
        elif theirs is h11.IDLE and self.cycle is not None:
            self._connections.rest(self._connection)
        elif theirs is not h11.IDLE:
            self._connections.serve(self._connection)

    def _see_it_taken(self) -> None:
        self._untaken = self.transport.get_write_buffer_size()
        if self._untaken and self._look is None:
            self._look = self.loop.call_later(TAKEN_WITHIN, self._look_again)

    def _look_again(self) -> None:
        self._look = None
        if self._is_endless:
            return
        if self.transport.get_write_buffer_size() >= self._untaken:
            self.transport.abort()
        else:
            self._see_it_taken()


class ClientLine(WebSocketsSansIOProtocol):
    """A `server.web.session.Line`. Only for use in the event loop's thread."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self.handshake_initiated and self.conn.handshake_exc is not None:
            self.transport.close()  # nothing else would end it

    def connection_lost(self, exc: Exception | None) -> None:
        self.app_state[_LEAVE]()
        super().connection_lost(exc)

    async def send(self, message: Any) -> None:
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True  # it was refused: uvicorn would log an error of its own

    @property
    def waiting(self) -> int:
        return self.transport.get_write_buffer_size()

    def say(self, message: bytes) -> None:
        if not self._is_closed:
            self.conn.send_text(message)
            self.transport.write(b"".join(self.conn.data_to_send()))

    def leave(self, code: int, reason: str) -> None:
        if not self._is_closed:
            self.stop_keepalive()
            self.conn.send_close(code, reason[:120])
            self._linger(code, reason)

    @property
    def _is_closed(self) -> bool:
        return self.close_sent or self.disconnected or self.transport.is_closing()

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            # The application runs at the next turn of the loop.
            extensions = cast(dict[str, Any], self.scope["extensions"])
            extensions[LINE] = self

    def handle_parser_exception(self) -> None:
        """After bad frames (too large, not UTF-8): a connection that is closed while there is
        more to read is reset, and its client would not learn why. So what comes is read and
        thrown away for a moment."""
        close = self.conn.close_sent
        if close is not None and self.close_timer is None:
            self._linger(close.code, close.reason)
            if self.transport.can_write_eof():
                self.transport.write_eof()  # what it answers is not understood any more

    def keepalive_timeout(self) -> None:
        self.pong_timer = None
        self.leave(1011, "no_answer: pings were not answered")

    def _linger(self, code: int, reason: str) -> None:
        """The end of the connection is in `conn`: write it, and cut off who does not go."""
        self.close_sent = True
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(LINGER, self.transport.abort)
