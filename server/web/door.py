"""The web door: uvicorn in the server's own event loop, one port for HTTP and WebSocket."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

import uvicorn

from common.errors import ConfigError
from server.base.metrics import Metric
from server.house.metrics import house_metrics
from server.web.accepting import HttpServer
from server.web.admission import Scope, admits, header, knows_host, shown_token, visitor
from server.web.connections import Connections, network_of
from server.web.conversation import Conversation
from server.web.exposure import openness, others, page_address
from server.web.incoming import AnyRequest
from server.web.line import LINE, ClientLine, HttpLine
from server.web.listening import allow_files, bound_to
from server.web.metrics import web_metrics
from server.web.request_handling import carry_out
from server.web.session import Session
from server.web.sessions import Sessions, Visitor
from server.web.settings import WebSettings
from server.web.site import ALWAYS, SOCKET, Answer, Health, OscQuery, Site, refusal

if TYPE_CHECKING:
    from server.audio.door import AudioDoor
    from server.house.house import House

log = logging.getLogger("perpetuo.web")

HELLO_WITHIN = 10.0  # seconds
FAREWELL = 2.0  # seconds that clients have to go when the server ends
SWEEP = 1.0  # seconds between looks for sessions that are over
OWN_FILES = 128  # that the server has open beside connections
FEWEST = 16  # connections, however few files the system permits
MOST_SAID = 100  # origins of pages whose refusal is logged
PLAIN = "text/plain; charset=utf-8"

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class WebDoor:
    """Open it once; `close` says goodbye to everybody."""

    def __init__(self) -> None:
        self.port = 0
        self._conversations: set[Conversation] = set()
        self._of_one: Counter[str] = Counter()  # conversations by address
        self._refused_origins: set[str] = set()
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
        self.connections = self._room(2 * settings.max_clients + (audio.places if audio else 0))
        clients = web_metrics(self._sessions, lambda: len(self._conversations), self.connections)
        rows = [*house_metrics(house), *clients, *metrics]
        self._site = Site(self._sessions, rows, osc, health=health)
        config = self._configuration(settings)
        listening = bound_to(settings)
        self.port = listening.getsockname()[1]
        self._server = HttpServer(config, listening, self.connections)
        self._serving = asyncio.create_task(self._server.serve())
        self._start(self._sweep())
        begun = asyncio.create_task(self._server.begun.wait())
        await asyncio.wait((begun, self._serving), return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        if self._serving.done():
            await self._serving  # raises what went wrong
        self.openness = openness(settings)
        if self.openness:
            log.warning("%s", self.openness)
        self.others = others(settings, self.port)
        return page_address(settings, self.port)

    def _room(self, places: int) -> Connections:
        """For so many connections, or as many as the system permits."""
        most = min(places + 100, allow_files(places + 256) - OWN_FILES)
        settings, clock = self._settings, asyncio.get_running_loop().time
        return Connections(
            max(most, FEWEST), settings.max_half_open, settings.request_seconds, clock
        )

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
            log_level=logging.ERROR,  # what clients do wrong is no line of the log worth
            access_log=False,
            server_header=False,
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
        refused = self._refused(scope)
        if scope["type"] == "http":
            if refused is not None:
                await _send(refused, send)
                return
            # What pages of other sites ask beforehand (OPTIONS) is the same for all addresses.
            asked = scope["method"] != "OPTIONS"
            if asked and self._audio is not None and self._audio.takes(scope["path"]):
                may_enter = self._sessions.may_enter(shown_token(scope))
                await self._audio.answer(scope, receive, send, may_enter)
            else:
                await _send(self._site.answer(scope), send)
        else:
            await receive()
            if refused is not None:
                await _refuse(send, refused.status, refused.body.decode(), refused.type)
            else:
                await self._admit(scope, receive, send)

    def _refused(self, scope: Scope) -> Answer | None:
        """What is answered to requests that nobody looks into."""
        has_token = self._sessions.has_token(shown_token(scope))
        if not has_token and not knows_host(self._settings, scope):
            host = header(scope, b"host")[:80]
            return refusal(
                421,
                "host",
                f"this server does not go by the name '{host}': come by its IP address, or add the"
                " name to web.hosts in its configuration",
            )
        if self.connections.is_crowded and scope["path"] not in ALWAYS:
            return refusal(503, "full", "there are too many connections: try again later")
        if header(scope, b"content-length").strip("0") or header(scope, b"transfer-encoding"):
            return refusal(413, "too_large", "requests have no body here")
        return None

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != SOCKET:
            await _refuse(send, 404, f"WebSocket connections are taken at {SOCKET}")
        elif not admits(self._settings, scope):
            origin = header(scope, b"origin")[:80]
            if len(self._refused_origins) < MOST_SAID and origin not in self._refused_origins:
                self._refused_origins.add(origin)  # each once, and not for ever
                log.warning("a page of %s was refused: name it in web.origins to allow it", origin)
            await _refuse(send, 403, "pages of this origin may not connect: see web.origins")
        else:
            await send({"type": "websocket.accept"})
            await self._converse(scope, receive)

    async def _converse(self, scope: Scope, receive: Receive) -> None:
        line: ClientLine = scope["extensions"][LINE]
        who = visitor(scope)
        network = network_of(who.address)
        conversation = Conversation(self._sessions, who, line)
        if self._is_full(who, network):
            conversation.end("full")
        self._conversations.add(conversation)
        self._of_one[network] += 1
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
            self._of_one[network] -= 1
            over = conversation.cut(code)
            if over is not None:
                self._start(self._end(over))

    def _is_full(self, who: Visitor, network: str) -> bool:
        """Whether there are too many clients, in all or of one address. Behind a proxy of this
        machine that does not tell them apart, all come from here."""
        most = self._settings.max_clients if who.is_local else self._settings.max_address_clients
        self._of_one += Counter()  # forgets who has left
        here = len(self._conversations)
        return here >= self._settings.max_clients or self._of_one[network] >= most

    # -- sessions --------------------------------------------------------------------------------

    def _enqueue(self, session: Session, request: AnyRequest) -> None:
        session.requests.append(request)
        if not session.is_working:
            session.is_working = True
            self._start(self._work(session))

    async def _work(self, session: Session) -> None:
        try:
            while session.requests:
                request = session.requests.popleft()
                answer = await carry_out(self._sessions, session, request)
                if answer is not None:
                    session.unanswered += 1
                    self._start(self._answer(session, answer))
        finally:
            session.is_working = False

    async def _answer(self, session: Session, answer: Awaitable[None]) -> None:
        try:
            await answer
        finally:
            session.unanswered -= 1

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            self.connections.expire()
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


async def _refuse(send: Send, status: int, message: str, type: str = PLAIN) -> None:
    """Refuse a WebSocket connection before it is one."""
    headers = [(b"content-type", type.encode())]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": message.encode()})
