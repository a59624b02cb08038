"""The web door: uvicorn in the server's own event loop, one port for HTTP and WebSocket."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from common.errors import ConfigError
from server.base.metrics import Metric
from server.house.metrics import house_metrics
from server.web.accepting import HttpServer
from server.web.admission import admits, asks_for_a_websocket, shown_token, visitor
from server.web.answers import Headed, failure
from server.web.application import SOCKET, Application, refusal
from server.web.connections import Connections, network_of
from server.web.conversation import Conversation
from server.web.exposure import openness, others, page_address
from server.web.incoming import AnyRequest
from server.web.line import HttpLine
from server.web.listening import allow_files, bound_to
from server.web.metrics import web_metrics
from server.web.request_handling import carry_out
from server.web.session import Session
from server.web.sessions import Sessions, Visitor
from server.web.settings import WebSettings
from server.web.site import Health, OscQuery, Site
from server.web.websocket import ClientLine, Upgrade

if TYPE_CHECKING:
    from server.house.house import House

log = logging.getLogger("perpetuo.web")

HELLO_WITHIN = 10.0  # seconds
FAREWELL = 2.0  # seconds that clients have to go when the server ends
SWEEP = 1.0  # seconds between looks for sessions that are over
OWN_FILES = 128  # that the server has open beside connections
FEWEST = 16  # connections, however few files the system permits
MOST_SAID = 100  # origins of pages whose refusal is logged


class SoundDoor(Protocol):
    """Where stations are heard: what this door knows of sound."""

    @property
    def places(self) -> int:
        """Most listeners at a time."""
        ...

    def offers(self, station: str) -> Mapping[str, str]:
        """Paths of a station's streams, by form."""
        ...

    def routes(self, may_enter: Callable[[Request], bool]) -> Sequence[BaseRoute]:
        """Answers; `may_enter` tells whether the token that was shown, if any, lets in."""
        ...


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
        sound: SoundDoor | None = None,
        health: Health = dict,
    ) -> str:
        """Begin to serve; the address of the page. PortError or ConfigError if that fails.

        `metrics` are rows of other parts, `osc` answers what is asked under /oscquery, `sound`
        what is asked for to be heard, `health` tells how other parts are.
        """
        self._settings = settings
        self._sessions = Sessions(house, settings)
        if sound is not None:
            self._sessions.streams_of = sound.offers
        self.connections = self._room(2 * settings.max_clients + (sound.places if sound else 0))
        clients = web_metrics(self._sessions, lambda: len(self._conversations), self.connections)
        rows = [*house_metrics(house), *clients, *metrics]
        site = Site(self._sessions, rows, osc, health=health)
        config = _configuration(settings, self._application(site, sound))
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

    def _application(self, site: Site, sound: SoundDoor | None) -> ASGIApp:
        heard = sound.routes(self._may_enter) if sound is not None else []
        self.routes = [*heard, Route(SOCKET, self._socket), *site.routes]
        application = Application(self._sessions, self.connections, self.routes, site.page)
        return Headed(application, self._settings)

    def _may_enter(self, request: Request) -> bool:
        return self._sessions.may_enter(shown_token(request))

    # -- clients ---------------------------------------------------------------------------------

    async def _socket(self, request: Request) -> Response:
        """The beginning of a WebSocket, or why it is none."""
        if not asks_for_a_websocket(request):
            words = "this is for WebSocket connections alone"
            return failure(426, "upgrade", words, {"upgrade": "websocket"})
        if not admits(self._settings, request):
            self._say_refused(request.headers.get("origin", "")[:80])
            return refusal(403, "pages of this origin may not connect: see web.origins")
        line = ClientLine(self._settings.max_message, self._settings.queue)
        shaken = line.accept(request.headers.raw)
        if shaken.status_code != 101:
            return refusal(shaken.status_code, shaken.body.decode())
        return Upgrade(line, partial(self._converse, visitor(request), line))

    def _say_refused(self, origin: str) -> None:
        """Each once, and not for ever."""
        if len(self._refused_origins) < MOST_SAID and origin not in self._refused_origins:
            self._refused_origins.add(origin)
            log.warning("a page of %s was refused: name it in web.origins to allow it", origin)

    async def _converse(self, who: Visitor, line: ClientLine) -> None:
        network = network_of(who.address)
        conversation = Conversation(self._sessions, who, line)
        line.heard = partial(self._hear, conversation)
        if self._is_full(who, network):
            conversation.end("full")
        self._conversations.add(conversation)
        self._of_one[network] += 1
        hurry = asyncio.get_running_loop().call_later(HELLO_WITHIN, conversation.hurry)
        code = 1001
        try:
            code = await line.ended
        finally:
            hurry.cancel()
            self._conversations.discard(conversation)
            self._of_one[network] -= 1
            over = conversation.cut(code)
            if over is not None:
                self._start(self._end(over))

    def _hear(self, conversation: Conversation, text: str | None) -> None:
        if text is None:
            conversation.end("binary")
        elif (request := conversation.feed(text)) and conversation.session:
            self._enqueue(conversation.session, request)

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


def _configuration(settings: WebSettings, application: ASGIApp) -> uvicorn.Config:
    config = uvicorn.Config(
        application,
        http=HttpLine,
        ws="none",  # WebSockets begin as answers: see `HttpLine.hand_over`
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
