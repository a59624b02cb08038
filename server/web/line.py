"""uvicorn's connections, with limits for who asks, and written to without waiting for who listens.

Through plain ASGI, sending to a client that reads nothing would wait for ever, and so would
closing. Written to directly, the connection's own buffer is the queue: its size tells when a
client is too slow, and nothing waits.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from server.web.answers import PLAIN, SECURITY, TRANSPORT
from server.web.connections import Connection, Connections

TAKEN_WITHIN = 20.0  # seconds in which something of an answer must be taken


class HttpLine(H11Protocol):
    """uvicorn's HTTP connection, to which an endless answer may be written at once, and which may
    be handed over to a WebSocket.

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
        self.app_state = {**self.app_state, TRANSPORT: self}

    def write(self, data: bytes) -> None:
        """A piece of an endless answer."""
        self._is_endless = True
        self.transport.write(data)

    def get_write_buffer_size(self) -> int:
        return self.transport.get_write_buffer_size()

    def abort(self) -> None:
        self.transport.abort()

    def hand_over(self, protocol: asyncio.Protocol) -> None:
        """Have another protocol speak over this connection from now on. Whoever does that calls
        `connection_lost` when it is gone."""
        self._is_endless = True
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        come, _ = self.conn.trailing_data
        self.loop.call_soon(protocol.data_received, come)  # before anything else is read
        self.transport.resume_reading()

    def send_400_response(self, msg: str) -> None:
        """With the headers that all answers have."""
        kind, last = (b"content-type", PLAIN.encode()), (b"connection", b"close")
        head = h11.Response(status_code=400, headers=[kind, last, *SECURITY], reason=b"Bad Request")
        for event in (head, h11.Data(data=msg.encode()), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

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

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.leave(self._connection)
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

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
