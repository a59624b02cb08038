"""What becomes of a request: refused at once, or answered by the route that it asks for."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from server.web.admission import asks_for_a_websocket, knows_host, shown_token
from server.web.answers import LAST, METHODS, PLAIN, bodiless, failure
from server.web.connections import Connections
from server.web.sessions import Sessions
from server.web.site import HEALTH, METRICS

SOCKET = "/ws"
ALWAYS = (HEALTH, METRICS)  # what is answered however many connections there are


class Application:
    """An ASGI application, for plain HTTP alone: an answer of these routes, or of `page`. A
    WebSocket begins as an answer too."""

    def __init__(
        self,
        sessions: Sessions,
        connections: Connections,
        routes: Sequence[BaseRoute],
        page: ASGIApp,
    ) -> None:
        self._sessions, self._connections = sessions, connections
        self._router = Router(routes, redirect_slashes=False, default=page)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        answer = self._refused(request) or _of_any_address(request) or self._router
        await answer(scope, receive, send)

    def _refused(self, request: Request) -> Response | None:
        """What is answered to requests that nobody looks into."""
        sessions, headers = self._sessions, request.headers
        has_token = sessions.has_token(shown_token(request))
        if not has_token and not knows_host(sessions.settings, request):
            return failure(
                421,
                "host",
                f"this server does not go by the name '{headers.get('host', '')[:80]}': come by its"
                " IP address, or add the name to web.hosts in its configuration",
                LAST,
            )
        if self._connections.is_crowded and request.scope["path"] not in ALWAYS:
            return failure(503, "full", "there are too many connections: try again later", LAST)
        if headers.get("content-length", "").strip("0") or headers.get("transfer-encoding"):
            return failure(413, "too_large", "requests have no body here", LAST)
        return None


def _of_any_address(request: Request) -> Response | None:
    """What is the same wherever it is asked."""
    allowed = {"allow": METHODS}
    if request.method == "OPTIONS":
        return bodiless(204, allowed)
    if request.method not in ("GET", "HEAD"):
        words = f"{request.method[:20]} is not done here: only {METHODS}"
        return failure(405, "method", words, allowed)
    if asks_for_a_websocket(request) and request.scope["path"] != SOCKET:
        return refusal(404, f"WebSocket connections are taken at {SOCKET}")
    return None


def refusal(status: int, words: str) -> Response:
    """A refusal of a WebSocket, in words."""
    return Response(words, status, LAST, PLAIN)
