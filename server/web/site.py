"""What is answered over HTTP: the page, health, metrics, and the tables as JSON.

Pure: a request goes in as an ASGI scope, an `Answer` comes out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from engine.controls_doc import describe
from engine.errors import StreamError
from server.web.admission import Scope, header, named, query, shown_token
from server.web.metrics import CONTENT_TYPE, Metric, exposition
from server.web.sessions import Sessions
from server.web.telling import preset_row, state_of, station_row

# What OSCQuery says of an OSC path or one attribute of it (see `server.osc.query.describe`).
OscQuery = Callable[[str, str | None], dict[str, Any] | None]
PAGE = Path(__file__).parent / "page"
SOCKET = "/ws"
_JSON = "application/json"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": _JSON,
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".sf2": "application/octet-stream",
}
_SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none';"
        b" frame-ancestors 'self'",
    ),
)
_METHODS = b"GET, HEAD, OPTIONS"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes = b""
    type: str = _JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def all_headers(self) -> list[tuple[bytes, bytes]]:
        length = (b"content-length", str(len(self.body)).encode())
        kind = (b"content-type", self.type.encode())
        return [kind, length, *_SECURITY, *self.headers]


@dataclass(frozen=True, slots=True)
class PageFile:
    content: bytes
    type: str
    tag: str = field(default="")

    @classmethod
    def read(cls, path: Path) -> PageFile:
        content = path.read_bytes()
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        return cls(content, _TYPES.get(path.suffix, "application/octet-stream"), tag)


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
    """See the module."""

    def __init__(
        self,
        sessions: Sessions,
        metrics: list[Metric],
        osc: OscQuery = lambda path, attribute: None,
        page: Path = PAGE,
    ) -> None:
        self._osc = osc
        self._sessions, self._metrics = sessions, metrics
        self._house, self._settings = sessions.house, sessions.settings
        self._files = page_files(page)
        self._open: Mapping[str, Callable[[], Answer]] = {"/health": self._health}
        self._guarded: Mapping[str, Callable[[], Answer]] = {
            "/metrics": self._metrics_page,
            "/api/controls": lambda: _json(describe()),
            "/api/stations": self._stations,
            "/api/presets": self._presets,
        }

    def answer(self, scope: Scope) -> Answer:
        """The answer to a request, with what browsers need to let other sites read it."""
        answer = self._answer(scope)
        origin = header(scope, b"origin")
        if not origin or not named(self._settings, origin):
            return answer
        cors = (
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-allow-headers", b"authorization"),
            (b"access-control-allow-methods", _METHODS),
            (b"vary", b"origin"),
        )
        return Answer(answer.status, answer.body, answer.type, (*answer.headers, *cors))

    def _answer(self, scope: Scope) -> Answer:
        path, method = scope["path"], scope["method"]
        if method == "OPTIONS":
            return Answer(204, headers=((b"allow", _METHODS),))
        if method not in ("GET", "HEAD"):
            refused = _error(405, "method", f"{method[:20]} is not done here: only {_METHODS!s}")
            return Answer(refused.status, refused.body, headers=((b"allow", _METHODS),))
        if path in self._files:
            return _file(self._files[path], scope)
        if path in self._open:
            return self._open[path]()
        if path == SOCKET:
            upgrade = _error(426, "upgrade", "this is for WebSocket connections alone")
            return Answer(upgrade.status, upgrade.body, headers=((b"upgrade", b"websocket"),))
        return self._behind_the_token(path, scope)

    def _behind_the_token(self, path: str, scope: Scope) -> Answer:
        known = path in self._guarded or f"{path}/".startswith(("/api/stations/", "/oscquery/"))
        if not known:
            return _error(404, "not_found", f"there is nothing at {path[:80]}")
        if not self._sessions.may_enter(shown_token(scope)):
            words = "this server asks for its token: send it as 'Authorization: Bearer TOKEN'"
            return Answer(401, _error(401, "unauthorised", words).body, headers=_ASK_FOR_THE_TOKEN)
        if path in self._guarded:
            return self._guarded[path]()
        if f"{path}/".startswith("/oscquery/"):
            return self._osc_query(path.removeprefix("/oscquery") or "/", query(scope))
        return self._station(path.removeprefix("/api/stations/"))

    def _health(self) -> Answer:
        status = self._house.status()
        well = status.get("status") in ("ok", "degraded")
        return _json(status, 200 if well else 503)

    def _metrics_page(self) -> Answer:
        return Answer(200, exposition(self._metrics).encode(), CONTENT_TYPE, _FRESH)

    def _stations(self) -> Answer:
        return _json([station_row(stream) for stream in self._house.stations.values()])

    def _presets(self) -> Answer:
        return _json([preset_row(preset) for preset in self._house.presets.values()])

    def _station(self, name: str) -> Answer:
        try:
            stream = self._house.find(name)
            if not stream.is_station:
                raise StreamError(f"'{name[:40]}' is no station")
        except StreamError as error:
            return _error(404, "unknown_stream", str(error))
        return _json(state_of(stream, self._house.now(), 0))

    def _osc_query(self, path: str, asked: Mapping[str, str]) -> Answer:
        attribute = next((name for name in asked if name != "token"), None)
        found = self._osc(path, attribute)
        if found is None:
            return _error(404, "not_found", f"there is no OSC address {path[:80]}")
        return _json(found) if found else Answer(204)


_FRESH = ((b"cache-control", b"no-store"),)
_ASK_FOR_THE_TOKEN = ((b"www-authenticate", b'Bearer realm="perpetuo"'),)


def _json(value: Any, status: int = 200) -> Answer:
    return Answer(status, msgspec.json.encode(value), headers=_FRESH)


def _error(status: int, code: str, message: str) -> Answer:
    return _json({"error": {"code": code, "message": message}}, status)


def _file(file: PageFile, scope: Scope) -> Answer:
    headers = ((b"cache-control", b"no-cache"), (b"etag", file.tag.encode()))
    if header(scope, b"if-none-match") == file.tag:
        return Answer(304, type=file.type, headers=headers)
    return Answer(200, file.content, file.type, headers)
