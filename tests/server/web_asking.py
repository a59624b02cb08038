"""Requests without sockets: a scope goes in, what the application sent comes out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp

from server.web.answers import Headed
from server.web.application import Application
from server.web.connections import Connections
from server.web.sessions import Sessions
from server.web.site import Site


def scope(path: str, method: str = "GET", query: str = "", **headers: str) -> dict[str, Any]:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
        "client": ("192.0.2.7", 5),
        "state": {},
    }


@dataclass(frozen=True)
class Answered:
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @property
    def type(self) -> str:
        return dict(self.headers)[b"content-type"].decode()


def answered(application: ASGIApp, asked: dict[str, Any]) -> Answered:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(application(asked, receive, send))
    begun, *pieces = sent
    body = b"".join(piece.get("body", b"") for piece in pieces)
    return Answered(begun["status"], tuple(begun["headers"]), body)


class Asked:
    """A site behind all that a door puts before it."""

    def __init__(self, sessions: Sessions, site: Site) -> None:
        connections = Connections(100, 10, 10.0, lambda: 0.0)
        application = Application(sessions, connections, site.routes, site.page)
        self.application = Headed(application, sessions.settings)

    def answer(self, asked: dict[str, Any]) -> Answered:
        return answered(self.application, asked)
