"""An answer to one HTTP request, piece by piece if need be."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import msgspec

from server.web.admission import Scope, header, named
from server.web.settings import WebSettings

Header = tuple[bytes, bytes]
Send = Callable[[Any], Awaitable[None]]

FRESH = (b"cache-control", b"no-store")
_JSON = (b"content-type", b"application/json")
_NO_SNIFFING = (b"x-content-type-options", b"nosniff")


class Reply:
    """To the request of this scope. Pages of other sites may read it if the settings name them."""

    def __init__(self, scope: Scope, send: Send, settings: WebSettings) -> None:
        self.scope, self._send = scope, send
        origin = header(scope, b"origin")
        self._always = [_NO_SNIFFING]
        if origin and named(settings, origin):
            allowed = (b"access-control-allow-origin", origin.encode("latin-1"))
            self._always += [allowed, (b"vary", b"origin")]

    @property
    def is_head(self) -> bool:
        """Whether only the headers are asked for."""
        return bool(self.scope["method"] == "HEAD")

    async def whole(self, status: int, headers: Sequence[Header], body: bytes = b"") -> None:
        """An answer that is there already; to HEAD its body is left out."""
        await self._begin(status, [*headers, (b"content-length", str(len(body)).encode())])
        await self._send({"type": "http.response.body", "body": body})

    async def only_head(self, headers: Sequence[Header]) -> None:
        """What an endless answer would begin with."""
        await self._begin(200, headers)
        await self._send({"type": "http.response.body", "body": b""})

    async def refuse(
        self, status: int, code: str, words: str, headers: Sequence[Header] = ()
    ) -> None:
        """In the words of `server.web.site`: an error as JSON."""
        body = msgspec.json.encode({"error": {"code": code, "message": words}})
        await self.whole(status, [_JSON, FRESH, *headers], body)

    async def pieces(
        self, headers: Sequence[Header], length: int, pieces: AsyncIterator[bytes]
    ) -> None:
        """So many bytes, of which never more than a piece is held."""
        await self._begin(200, [*headers, (b"content-length", str(length).encode())])
        if not self.is_head:
            async for piece in pieces:
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    def endless(self, headers: Sequence[Header]) -> bytes:
        """The head of an answer that goes on until the connection ends, to be written to it."""
        lines = [b"%b: %b" % (name, value) for name, value in [*headers, *self._always]]
        return b"\r\n".join([b"HTTP/1.1 200 OK", b"connection: close", *lines, b"", b""])

    async def _begin(self, status: int, headers: Sequence[Header]) -> None:
        head = {"type": "http.response.start", "status": status}
        await self._send({**head, "headers": [*headers, *self._always]})
