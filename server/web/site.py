"""What is answered over HTTP: the page, health, metrics, and the tables as JSON.

Pure: a request goes in as an ASGI scope, an `Answer` comes out.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from common.errors import StreamError
from engine.controls.reference import describe
from server.base.metrics import CONTENT_TYPE, Metric, exposition
from server.web.admission import Scope, header, named, query, shown_token
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
SOCKET = "/ws"
HEALTH, METRICS = "/health", "/metrics"
ALWAYS = (HEALTH, METRICS)  # what is answered however many connections there are
_JSON = "application/json"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": _JSON,
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
_SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (
        b"content-security-policy",
        # 'wasm-unsafe-eval' for the synthesizer's decoder of compressed SoundFonts.
        b"default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' data:;"
        b" base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
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
    """See the module."""

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
        self._sessions, self._metrics = sessions, metrics
        self._house, self._settings = sessions.house, sessions.settings
        self._files = page_files(page or page_folder())
        self._open: Mapping[str, Callable[[], Answer]] = {HEALTH: self._health}
        self._guarded: Mapping[str, Callable[[], Answer]] = {
            METRICS: self._metrics_page,
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
            return _file(self._files[path], path, scope)
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
        others, status = self._others(), self._house.status()
        if status.get("status") == "ok":
            status["status"] = others.get("status", "ok")
        status = {**others, **status}
        well = status.get("status") in ("ok", "degraded")
        return _json(status, 200 if well else 503)

    def _metrics_page(self) -> Answer:
        return Answer(200, exposition(self._metrics).encode(), CONTENT_TYPE, _FRESH)

    def _stations(self) -> Answer:
        return _json(self._sessions.station_rows())

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


def refusal(status: int, code: str, message: str) -> Answer:
    """An error after which the connection is closed."""
    error = _error(status, code, message)
    return Answer(status, error.body, headers=(*error.headers, (b"connection", b"close")))


def _error(status: int, code: str, message: str) -> Answer:
    return _json({"error": {"code": code, "message": message}}, status)


def _file(file: PageFile, path: str, scope: Scope) -> Answer:
    lasting = b"public, max-age=31536000, immutable" if path.startswith(HASHED) else b"no-cache"
    headers: tuple[tuple[bytes, bytes], ...] = (
        (b"cache-control", lasting),
        (b"etag", file.tag.encode()),
    )
    if file.packed:
        headers = (*headers, (b"vary", b"accept-encoding"))
    if header(scope, b"if-none-match").removeprefix("W/") == file.tag:
        return Answer(304, type=file.type, headers=headers)
    if not file.packed or "gzip" not in header(scope, b"accept-encoding"):
        return Answer(200, file.content, file.type, headers)
    # Another form of the same: its tag must not promise that the bytes are the same.
    weak = ((b"etag", f"W/{file.tag}".encode()), (b"content-encoding", b"gzip"))
    kept = tuple(pair for pair in headers if pair[0] != b"etag")
    return Answer(200, file.packed, file.type, (*kept, *weak))
