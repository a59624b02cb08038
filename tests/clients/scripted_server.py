"""A server that speaks the protocol and does what a test tells it, for tests of clients.

It holds what the client sends, and what it says itself, against the messages of `server.web`.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from perpetuo_client.bars import Bar
from perpetuo_client.player import local_now
from websockets.asyncio.server import Server as Listening
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from server.web.incoming import decode_request
from server.web.outgoing import decode
from tests.clients.client_bars import plain

SKEW = 777_000_000_000  # microseconds by which its clock is ahead of the local one
CONTROL = {
    "name": "density",
    "kind": "number",
    "role": "conditioning",
    "group": "texture",
    "default": None,
    "open": True,
    "low": 1,
    "high": 5,
    "unit": "",
    "choices": [],
    "per": None,
    "accepts": "a number from 1 to 5, or auto",
    "help": "How many notes there are.",
}


def station_row(name: str) -> dict[str, Any]:
    row = {"name": name, "state": "playing", "preset": None, "seed": 7, "model": "default"}
    return row | {"title": name.title(), "listeners": 1}


@dataclass
class Session:
    key: str
    event: int = 0
    sent: list[str] = field(default_factory=list)  # event 1 first
    listening: list[str] = field(default_factory=list)
    socket: ServerConnection | None = None


class ScriptedServer:
    """`async with ScriptedServer() as server:`, then connect to `server.address`."""

    def __init__(self, stations: Iterable[str] = ("study", "night")) -> None:
        self.stations = list(stations)
        self.bars: dict[str, dict[int, Bar]] = {}  # by stream and index; dues of its own clock
        self.state, self.epoch = "playing", 0
        self.horizon = 150_000
        self.changes = 0
        self.history: list[dict[str, Any]] = []
        self.saved: bool | None = True
        self.requests: list[dict[str, Any]] = []  # all that clients asked, but pings
        self.refusals: dict[str, tuple[str, str]] = {}  # by type of request
        self.mute: set[str] = set()  # types of requests that are not answered
        self.sessions: dict[str, Session] = {}
        self.hellos: list[dict[str, Any]] = []
        self.ends: deque[tuple[str, str]] = deque()  # with which the next greetings are answered
        self.faults: list[str] = []
        self._told = asyncio.Condition()
        self._listening: Listening | None = None

    async def __aenter__(self) -> ScriptedServer:
        self._listening = await serve(self._talk, "127.0.0.1", 0, compression=None)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()
        assert not self.faults

    async def stop(self) -> None:
        assert self._listening is not None
        self._listening.close()
        await self._listening.wait_closed()

    @property
    def address(self) -> str:
        assert self._listening is not None
        host, port = next(iter(self._listening.sockets)).getsockname()
        return f"ws://{host}:{port}"

    def now(self) -> int:
        return local_now() + SKEW

    # -- what tests do with it -------------------------------------------------------------------

    async def plan(self, stream: str, *bars: Bar) -> None:
        """Have these bars, and tell those who listen."""
        for bar in bars:
            self.bars.setdefault(stream, {})[bar.index] = bar
            await self.tell(stream, self._bar(stream, bar))

    async def tell(self, stream: str, message: dict[str, Any]) -> None:
        """Say something to all that listen to a stream."""
        for session in self.sessions.values():
            if stream in session.listening:
                await self._say(session, message | {"stream": stream})

    async def postpone(self, stream: str, change: int, to: Bar) -> None:
        later = {"type": "postponed", "change": change, "bar": to.index, "due": to.due}
        await self.tell(stream, later)

    async def turn(self, stream: str, state: str, epoch: int, reason: str = "for a test") -> None:
        if epoch > self.epoch:
            self.bars[stream] = {}
        self.state, self.epoch = state, epoch
        about = {"state": state, "epoch": epoch, "reason": reason}
        await self.tell(stream, {"type": "turned"} | about | self._about())

    async def asked(self, kind: str, times: int = 1) -> dict[str, Any]:
        """Wait until a client has asked for this so often; the last such request."""
        async with self._told:
            await self._told.wait_for(lambda: len(self.of(kind)) >= times)
        return self.of(kind)[-1]

    async def greeted(self, times: int) -> None:
        async with self._told:
            await self._told.wait_for(lambda: len(self.hellos) >= times)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [request for request in self.requests if request["type"] == kind]

    def cut(self) -> None:
        """Cut all connections, without a word."""
        for session in self.sessions.values():
            if session.socket is not None:
                session.socket.transport.abort()
                session.socket = None

    def forget(self) -> None:
        """Be as after a restart."""
        self.cut()
        self.sessions.clear()

    # -- the protocol ----------------------------------------------------------------------------

    async def _talk(self, socket: ServerConnection) -> None:
        try:
            session = await self._greet(socket)
            if session is None:
                return
            async for text in socket:
                await self._take(session, socket, self._read(text))
        except ConnectionClosed:
            pass

    async def _greet(self, socket: ServerConnection) -> Session | None:
        hello = self._read(await socket.recv())
        async with self._told:
            self.hellos.append(hello)
            self._told.notify_all()
        if self.ends:
            code, reason = self.ends.popleft()
            await socket.send(self._checked({"type": "bye", "code": code, "reason": reason}))
            await socket.close(4000)
            return None
        resume = hello.get("resume") or {}
        session = self.sessions.get(resume.get("session", ""))
        resumed = session is not None
        if session is None:
            session = Session(f"session-{len(self.hellos)}")
            self.sessions[session.key] = session
        session.socket = socket
        await socket.send(self._checked(self._welcome(session, resumed)))
        if resumed:
            for message in session.sent[resume["event"] :]:
                await socket.send(message)
        return session

    def _welcome(self, session: Session, resumed: bool) -> dict[str, Any]:
        return {
            "type": "welcome",
            "protocol": 1,
            "server": "0.1.0",
            "session": session.key,
            "you": "web-1",
            "resumed": resumed,
            "listening": session.listening,
            "own": [],
            "time": self.now(),
            "capabilities": {
                "controls": [CONTROL],
                "roles": {},
                "parts": 8,
                "ticks": 24,
                "styles": ["folk"],
                "models": ["default"],
                "stations": [station_row(name) for name in self.stations],
                "presets": [{"name": "calm", "title": "Calm", "help": "", "controls": {}}],
                "may_steer_stations": True,
                "horizon": self.horizon,
                "limits": {"message": 65536, "rate": 50, "own_streams": 8, "grace": 60},
            },
        }

    async def _take(
        self, session: Session, socket: ServerConnection, request: dict[str, Any]
    ) -> None:
        kind = request["type"]
        if kind == "ping":
            pong = {"type": "pong", "t": request["t"], "time": self.now()}
            return await socket.send(self._checked(pong))
        async with self._told:
            self.requests.append(request)
            self._told.notify_all()
        if kind in self.mute:
            return
        if kind in self.refusals:
            code, message = self.refusals[kind]
            refusal = {"type": "error", "id": request["id"], "code": code, "message": message}
            return await self._say(session, refusal)
        await self._carry_out(session, request)

    async def _carry_out(self, session: Session, request: dict[str, Any]) -> None:
        kind, stream = request["type"], request.get("stream", "own-1")
        bars = self.bars.get(stream, {})
        steers = kind in ("steer", "preset")
        heard = min((b for b in bars.values() if b.due > self.now()), key=lambda b: b.due)
        self.changes += steers
        if kind == "steer":
            change = {"controls": request["controls"], "plan": request.get("plan", {})}
            by = {"bar": heard.index, "due": heard.due, "by": "web-1", "change": self.changes}
            await self.tell(stream, {"type": "steered"} | change | by)
        await self._say(
            session,
            {
                "type": "ack",
                "id": request["id"],
                "stream": stream,
                "bar": heard.index if steers else None,
                "due": heard.due if steers else None,
                "change": self.changes if steers else None,
                "saved": self.saved,
            },
        )
        if kind in ("listen", "open"):
            session.listening.append(stream)
            await self._say(session, self._state(stream))
            for index in sorted(bars):
                await self._say(session, self._bar(stream, bars[index]))
        elif kind in ("unlisten", "close"):
            session.listening.remove(stream)

    def _about(self) -> dict[str, Any]:
        about = {"seed": 7, "model": "default", "styles": ["folk"], "preset": None}
        return about | {"controls": {"density": None}}

    def _state(self, stream: str) -> dict[str, Any]:
        state = {"type": "state", "stream": stream, "title": stream.title()}
        state |= {"station": stream in self.stations}
        state |= {"epoch": self.epoch, "state": self.state, "bar": None, "late_bars": 0}
        return (
            state
            | {"bars": len(self.bars.get(stream, {})), "history": self.history}
            | self._about()
        )

    def _bar(self, stream: str, bar: Bar) -> dict[str, Any]:
        message = {"type": "bar", "stream": stream, "epoch": bar.epoch, "due": bar.due}
        return message | {"bar": plain(bar)}

    async def _say(self, session: Session, message: dict[str, Any]) -> None:
        session.event += 1
        text = self._checked(message | {"event": session.event})
        session.sent.append(text)
        if session.socket is not None:
            try:
                await session.socket.send(text)
            except ConnectionClosed:
                session.socket = None

    def _checked(self, message: dict[str, Any]) -> str:
        text = json.dumps(message)
        decode(text)
        return text

    def _read(self, text: str | bytes) -> dict[str, Any]:
        try:
            decode_request(text)
        except ValueError as error:
            self.faults.append(f"{error}: {text!r}")
        message: dict[str, Any] = json.loads(text)
        return message
