"""The one way in which something is answered over HTTP: forms of answers, and what all carry.

Whoever answers (page, tables, sound, refusals) gives a response of Starlette's, or one of these,
and runs inside `Headed`, which adds what every answer has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.web.admission import named
from server.web.settings import WebSettings

JSON = "application/json"
PLAIN = "text/plain; charset=utf-8"
METHODS = "GET, HEAD, OPTIONS"
FRESH = {"cache-control": "no-store"}
LAST = {"connection": "close"}  # the connection ends with this answer
SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (
        b"content-security-policy",
        # 'wasm-unsafe-eval' for the synthesizer's decoder of compressed SoundFonts.
        b"default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' data:;"
        b" base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    ),
)
# In the state of an ASGI scope: the connection that an endless answer is written to, and the
# headers that all answers to this request have.
TRANSPORT = "perpetuo.transport"
_COMMON = "perpetuo.headers"

RawHeaders = list[tuple[bytes, bytes]]


class StreamTransport(Protocol):
    """What is used of a connection; all of it returns at once."""

    def write(self, data: bytes) -> None: ...

    def get_write_buffer_size(self) -> int: ...

    def abort(self) -> None: ...


class Json(Response):
    """Always as it is now."""

    media_type = JSON

    def __init__(
        self, content: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(content, status, {**FRESH, **(headers or {})})

    def render(self, content: Any) -> bytes:
        return msgspec.json.encode(content)


def failure(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    """An error in words, as JSON."""
    return Json({"error": {"code": code, "message": message}}, status, headers)


def bodiless(
    status: int, headers: Mapping[str, str] | None = None, kind: str | None = JSON
) -> Response:
    return Response(b"", status, {"content-length": "0", **(headers or {})}, kind)


def token_missing(words: str) -> Response:
    asked = {"www-authenticate": 'Bearer realm="perpetuo"'}
    return failure(401, "unauthorised", f"this server asks for its token: {words}", asked)


class Endless(Response):
    """An answer that goes on until the connection ends.

    It is written to the connection itself: through plain ASGI each listener would need a task of
    its own for every piece, and to send to one that takes nothing would wait for ever. `joined` is
    entered with the connection once the head is written, and left when that is gone.
    """

    def __init__(
        self,
        headers: Mapping[str, str],
        joined: Callable[[StreamTransport], AbstractContextManager[None]],
    ) -> None:
        self.status_code, self.background = 200, None
        self._joined = joined
        self.init_headers(headers)  # without a length, as there is no body yet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            head = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(head)
            await send({"type": "http.response.body"})
            return
        transport: StreamTransport = scope["state"][TRANSPORT]
        transport.write(self._head(scope["state"][_COMMON]))
        with self._joined(transport):
            await disconnected(receive)

    def _head(self, common: RawHeaders) -> bytes:
        headers = [(b"connection", b"close"), *self.raw_headers, *common]
        lines = [b"%b: %b" % header for header in headers]
        return b"\r\n".join([b"HTTP/1.1 200 OK", *lines, b"", b""])


async def disconnected(receive: Receive) -> None:
    """Returns when the connection is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


class Headed:
    """Around an application: every answer has the same headers, that to a fault of ours too."""

    def __init__(self, application: ASGIApp, settings: WebSettings) -> None:
        self._application, self._settings = application, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        common = [*SECURITY, *_for_other_sites(self._settings, scope)]
        scope["state"][_COMMON] = common
        is_begun = False

        async def send_headed(message: Message) -> None:
            nonlocal is_begun
            if message["type"] == "http.response.start":
                is_begun = True
                message = {**message, "headers": [*message["headers"], *common]}
            await send(message)

        try:
            await self._application(scope, receive, send_headed)
        except Exception:
            if not is_begun:
                await Response("Internal Server Error", 500, LAST, PLAIN)(
                    scope, receive, send_headed
                )
            raise  # for the log


def _for_other_sites(settings: WebSettings, scope: Scope) -> RawHeaders:
    """What browsers need to let pages of other sites read an answer, if the settings name them."""
    origin = Request(scope).headers.get("origin", "")
    if not origin or not named(settings, origin):
        return []
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-allow-headers", b"authorization"),
        (b"access-control-allow-methods", METHODS.encode()),
        (b"vary", b"origin"),
    ]
