"""The web door: uvicorn in the server's own event loop, one port for HTTP and WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import uvicorn

from engine.errors import ConfigError, PortError
from server.web.admission import Scope, admits, header, shown_token, visitor
from server.web.conversation import Conversation
from server.web.incoming import AnyRequest
from server.web.line import LINE, ClientLine, HttpLine
from server.web.metrics import Metric, house_metrics, web_metrics
from server.web.requests import carry_out
from server.web.session import Session
from server.web.sessions import Sessions
from server.web.settings import WebSettings
from server.web.site import SOCKET, Answer, Health, OscQuery, Site

if TYPE_CHECKING:
    from server.audio.door import AudioDoor
    from server.house.house import House

log = logging.getLogger("perpetuo.web")

HELLO_WITHIN = 10.0  # seconds
FAREWELL = 2.0  # seconds that clients have to go when the server ends
SWEEP = 1.0  # seconds between looks for sessions that are over
# What the system may hold for one connection: slow clients are noticed sooner.
SEND_BUFFER = 262_144

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class _Server(uvicorn.Server):
    """uvicorn, which leaves signals to us and tells when it has begun."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.begun = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.begun.set()


class WebDoor:
    """Open it once; `close` says goodbye to everybody."""

    def __init__(self) -> None:
        self.port = 0
        self._conversations: set[Conversation] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(
        self,
        house: House,
        settings: WebSettings,
        metrics: Iterable[Metric] = (),
        osc: OscQuery = lambda path, attribute: None,
        audio: AudioDoor | None = None,
        health: Health = dict,
    ) -> str:
        """Begin to serve; the address of the page. PortError or ConfigError if that fails.

        `metrics` are rows of other parts, `osc` answers what is asked under /oscquery, `audio`
        what is asked for to be heard, `health` tells how other parts are.
        """
        self._settings, self._audio = settings, audio
        self._sessions = Sessions(house, settings)
        if audio is not None:
            self._sessions.streams_of = audio.offers
        clients = web_metrics(self._sessions, lambda: len(self._conversations))
        rows = [*house_metrics(house), *clients, *metrics]
        self._site = Site(self._sessions, rows, osc, health=health)
        self._places = 2 * settings.max_clients + (audio.places if audio else 0)
        allow_files(self._places + 256)
        config = self._configuration(settings)
        listening = _bound(settings)
        self.port = listening.getsockname()[1]
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve([listening]))
        self._start(self._sweep())
        begun = asyncio.create_task(self._server.begun.wait())
        await asyncio.wait((begun, self._serving), return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        if self._serving.done():
            await self._serving  # raises what went wrong
        return f"{'https' if settings.tls_certificate else 'http'}://{_shown(settings.host)}:{self.port}/"

    async def close(self) -> None:
        """Say goodbye to all clients and end; nothing is left open."""
        for conversation in tuple(self._conversations):
            conversation.end("shutdown")
        self._server.should_exit = True
        cut = asyncio.get_running_loop().call_later(FAREWELL, self._cut_all)
        await self._serving
        cut.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _cut_all(self) -> None:
        for connection in tuple(self._server.server_state.connections):
            connection.transport.abort()

    def _configuration(self, settings: WebSettings) -> uvicorn.Config:
        config = uvicorn.Config(
            self._application,
            http=HttpLine,
            ws=ClientLine,
            ws_max_size=settings.max_message,
            ws_per_message_deflate=False,
            interface="asgi3",
            lifespan="off",
            log_config=None,
            log_level=logging.WARNING,
            access_log=False,
            server_header=False,
            # Clients have their own limit; this one is for everything else.
            limit_concurrency=self._places + 100,
            timeout_graceful_shutdown=int(2 * FAREWELL),
            ssl_certfile=settings.tls_certificate,
            ssl_keyfile=settings.tls_key,
        )
        try:
            config.load()
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"web.tls_certificate {settings.tls_certificate} and tls_key {settings.tls_key}"
                f" cannot be used ({error.strerror or error}): give PEM files that belong together"
            ) from error
        return config

    # -- ASGI ------------------------------------------------------------------------------------

    async def _application(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            # What pages of other sites ask beforehand (OPTIONS) is the same for all addresses.
            asked = scope["method"] != "OPTIONS"
            if asked and self._audio is not None and self._audio.takes(scope["path"]):
                may_enter = self._sessions.may_enter(shown_token(scope))
                await self._audio.answer(scope, receive, send, may_enter)
            else:
                await _send(self._site.answer(scope), send)
        else:
            await receive()
            await self._admit(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != SOCKET:
            await _refuse(send, 404, f"WebSocket connections are taken at {SOCKET}")
        elif not admits(self._settings, scope):
            origin = header(scope, b"origin")[:80]
            log.warning("a page of %s was refused: name it in web.origins to allow it", origin)
            await _refuse(send, 403, "pages of this origin may not connect: see web.origins")
        else:
            await send({"type": "websocket.accept"})
            await self._converse(scope, receive)

    async def _converse(self, scope: Scope, receive: Receive) -> None:
        line: ClientLine = scope["extensions"][LINE]
        conversation = Conversation(self._sessions, visitor(scope), line)
        if len(self._conversations) >= self._settings.max_clients:
            conversation.end("full")
        self._conversations.add(conversation)
        hurry = asyncio.get_running_loop().call_later(HELLO_WITHIN, conversation.hurry)
        try:
            while (event := await receive())["type"] == "websocket.receive":
                text = event.get("text")
                if text is None:
                    conversation.end("binary")
                elif (request := conversation.feed(text)) and conversation.session:
                    self._enqueue(conversation.session, request)
            code = event.get("code", 1006)
        except asyncio.CancelledError:
            code = 1001
            raise
        finally:
            hurry.cancel()
            self._conversations.discard(conversation)
            over = conversation.cut(code)
            if over is not None:
                self._start(self._end(over))

    # -- sessions --------------------------------------------------------------------------------

    def _enqueue(self, session: Session, request: AnyRequest) -> None:
        session.requests.append(request)
        if not session.is_working:
            session.is_working = True
            self._start(self._work(session))

    async def _work(self, session: Session) -> None:
        try:
            while session.requests:
                await carry_out(self._sessions, session, session.requests.popleft())
        finally:
            session.is_working = False

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            for session in self._sessions.overdue():
                await self._end(session)

    async def _end(self, session: Session) -> None:
        for stream in self._sessions.end(session):
            await self._sessions.house.close(stream, f"{session.name} has left")

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _send(answer: Answer, send: Send) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": answer.all_headers(),
        }
    )
    await send({"type": "http.response.body", "body": answer.body})


async def _refuse(send: Send, status: int, message: str) -> None:
    """Refuse a WebSocket connection before it is one."""
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": message.encode()})


def look_for_room(settings: WebSettings) -> None:
    """PortError if the address of the settings cannot be listened on: better told at once than
    when everything else has begun."""
    _bound(settings).close()


def _bound(settings: WebSettings) -> socket.socket:
    """A socket that listens at the address of the settings."""
    host, port = settings.host, settings.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        # Named, or asyncio does not switch off Nagle's delays (40 ms) for what is accepted.
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        raise PortError(f"web.host '{host}' is no address here: {error.strerror}") from error
    try:
        if os.name == "posix":  # elsewhere it would let two servers share a port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        bound.bind(address)
        bound.listen(2048)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        raise PortError(
            f"port {port} at {host} cannot be listened on ({error.strerror}): another server may"
            " have it; choose one with web.port or --port, 0 for any"
        ) from error
    return bound


def allow_files(count: int) -> None:
    """Let this process hold so many connections at once, as far as the system permits."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < count:
        log.warning("the system allows %d open files, %d were better: see 'ulimit -n'", most, count)


def _shown(host: str) -> str:
    """A host as it stands in an address that can be clicked."""
    if host in ("0.0.0.0", "::", ""):
        return "localhost"
    return f"[{host}]" if ":" in host else host
