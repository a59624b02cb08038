"""uvicorn's WebSocket connection, which we may write to at once and cut off.

Through plain ASGI, sending to a client that reads nothing would wait for ever, and so would
closing. Written to directly, the connection's own buffer is the queue: its size tells when a
client is too slow, and nothing waits.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

LINGER = 5.0  # seconds that a closed client has to take what is left for it
LINE = "perpetuo.line"  # the extension of the ASGI scope that holds the `ClientLine`
TRANSPORT = "perpetuo.transport"  # what of its state holds an HTTP connection's transport


class HttpLine(H11Protocol):
    """uvicorn's HTTP connection, whose transport an endless answer may be written to."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, TRANSPORT: transport}


class ClientLine(WebSocketsSansIOProtocol):
    """A `server.web.session.Line`. Only for use in the event loop's thread."""

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
