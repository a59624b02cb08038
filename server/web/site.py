"""What is answered over HTTP: the page, health, metrics, and the tables as JSON."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from common.errors import StreamError
from engine.controls.reference import describe
from server.base.metrics import CONTENT_TYPE, Metric, exposition
from server.web.admission import query, shown_token
from server.web.answers import FRESH, JSON, Json, bodiless, failure, token_missing
from server.web.sessions import Sessions
from server.web.stream_messages import preset_row, state_of

# What OSCQuery says of an OSC path or one attribute of it (see `server.osc.query.describe`).
OscQuery = Callable[[str, str | None], dict[str, Any] | None]
# What other parts of the server tell of their health, with a `status`.
Health = Callable[[], dict[str, Any]]
# The plain page, which needs no building; the full one, packed into a wheel or built in the source.
PAGE = Path(__file__).parent / "page"
FULL_PAGES = (
    Path(__file__).parent / "full_page",
    Path(__file__).parents[2] / "clients" / "web" / "dist",
)
HASHED = "/assets/"  # names that end with a hash of the content: they never change
HEALTH, METRICS = "/health", "/metrics"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": JSON,
    ".txt": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".sf2": "application/octet-stream",
}
_TEXTS = (".html", ".css", ".js", ".json", ".txt", ".svg", ".webmanifest")

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class PageFile:
    content: bytes
    type: str
    tag: str = field(default="")
    packed: bytes = b""  # by gzip; empty if that would gain nothing

    @classmethod
    def read(cls, path: Path) -> PageFile:
        content = path.read_bytes()
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        packed = gzip.compress(content, mtime=0) if path.suffix in _TEXTS else b""
        type = _TYPES.get(path.suffix, "application/octet-stream")
        return cls(content, type, tag, packed if len(packed) < len(content) else b"")


def page_folder() -> Path:
    """The full page where it was built, else the plain one."""
    built = (folder for folder in FULL_PAGES if (folder / "index.html").is_file())
    return next(built, PAGE)


def page_files(folder: Path) -> dict[str, PageFile]:
    """The files of a folder by the paths under which they are served; no others ever are."""
    found = {
        f"/{path.relative_to(folder).as_posix()}": PageFile.read(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    if "/index.html" in found:
        found["/"] = found["/index.html"]
    return found


class Site:
    """See the module: `routes` for all but the page, and `page` for what else is asked for."""

    def __init__(
        self,
        sessions: Sessions,
        metrics: list[Metric],
        osc: OscQuery = lambda path, attribute: None,
        page: Path | None = None,
        health: Health = dict,
    ) -> None:
        """`health` tells of other parts than the house."""
        self._osc, self._others = osc, health
        self._sessions, self._metrics, self._house = sessions, metrics, sessions.house
        self._files = page_files(page or page_folder())
        guarded = self._behind_the_token
        self.routes = [
            Route(HEALTH, self._health),
            Route(METRICS, guarded(self._metrics_page)),
            Route("/api/controls", guarded(lambda request: Json(describe()))),
            Route("/api/stations", guarded(self._stations)),
            Route("/api/stations/{name:path}", guarded(self._station)),
            Route("/api/presets", guarded(self._presets)),
            Route("/oscquery", guarded(self._osc_query)),
            Route("/oscquery/{path:path}", guarded(self._osc_query)),
        ]

    async def page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application: a file of the page, or that there is nothing."""
        path = scope["path"]
        file = self._files.get(path)
        missing = failure(404, "not_found", f"there is nothing at {path[:80]}")
        answer = missing if file is None else _file(file, path, Request(scope))
        await answer(scope, receive, send)

    def _behind_the_token(self, answer: Callable[[Request], Response]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            if not self._sessions.may_enter(shown_token(request)):
                return token_missing("send it as 'Authorization: Bearer TOKEN'")
            return answer(request)

        return endpoint

    async def _health(self, request: Request) -> Response:
        others, status = self._others(), self._house.status()
        if status.get("status") == "ok":
            status["status"] = others.get("status", "ok")
        status = {**others, **status}
        well = status.get("status") in ("ok", "degraded")
        return Json(status, 200 if well else 503)

    def _metrics_page(self, request: Request) -> Response:
        return Response(exposition(self._metrics), 200, FRESH, CONTENT_TYPE)

    def _stations(self, request: Request) -> Response:
        return Json(self._sessions.station_rows())

    def _presets(self, request: Request) -> Response:
        return Json([preset_row(preset) for preset in self._house.presets.values()])

    def _station(self, request: Request) -> Response:
        name = request.path_params["name"]
        try:
            stream = self._house.find(name)
            if not stream.is_station:
                raise StreamError(f"'{name[:40]}' is no station")
        except StreamError as error:
            return failure(404, "unknown_stream", str(error))
        return Json(state_of(stream, self._house.now(), 0))

    def _osc_query(self, request: Request) -> Response:
        path = f"/{request.path_params.get('path', '')}"
        attribute = next((name for name in query(request) if name != "token"), None)
        found = self._osc(path, attribute)
        if found is None:
            return failure(404, "not_found", f"there is no OSC address {path[:80]}")
        return Json(found) if found else bodiless(204)


def _file(file: PageFile, path: str, request: Request) -> Response:
    lasting = "public, max-age=31536000, immutable" if path.startswith(HASHED) else "no-cache"
    headers = {"cache-control": lasting, "etag": file.tag}
    if file.packed:
        headers["vary"] = "accept-encoding"
    if request.headers.get("if-none-match", "").removeprefix("W/") == file.tag:
        return bodiless(304, headers, file.type)
    if not file.packed or "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(file.content, 200, headers, file.type)
    # Another form of the same: its tag must not promise that the bytes are the same.
    headers |= {"etag": f"W/{file.tag}", "content-encoding": "gzip"}
    return Response(file.packed, 200, headers, file.type)
