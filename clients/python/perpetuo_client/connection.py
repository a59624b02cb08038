"""The connection to a server: greeting, requests and their answers, pings, coming back."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import random
from collections.abc import Callable, Iterator, Mapping

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed, InvalidURI, WebSocketException

from perpetuo_client.clock import ClockSample, ServerClock
from perpetuo_client.errors import ClientError, Disconnected, ProtocolError, Refused
from perpetuo_client.messages import FINAL_ENDS, PROTOCOL, Request, decode, encode
from perpetuo_client.player import local_now
from perpetuo_client.protocol import Ack, Bye, ErrorMessage, FromServer, Hello, Welcome

log = logging.getLogger("perpetuo_client")

LARGEST = 2**24  # bytes of a message
ANSWER_WITHIN = 10.0  # seconds
FIRST_PINGS, FIRST_PING_EVERY, PING_EVERY = 8, 0.05, 4.0
DEAD_AFTER = 12_000_000  # microseconds without a word of the server, though it was pinged
# The close code of a connection whose session goes on; with 1000 the server would end it.
COMING_BACK = 4000
SHORTEST_DELAY, LONGEST_DELAY = 0.05, 5.0  # seconds between attempts to come back


class ServerConnection:
    """One session with a server, over as many connections as it takes.

    `on_message` is given every message but pongs, once and in order; `on_welcome` every
    welcome. Both are called in the event loop and must not block.
    """

    def __init__(
        self,
        uri: str,
        *,
        token: str | None,
        patience: float,
        on_message: Callable[[FromServer], None],
        on_welcome: Callable[[Welcome], None],
        on_end: Callable[[], None],
    ) -> None:
        self.uri, self.token, self.patience = uri, token, patience
        self.on_message, self.on_welcome, self.on_end = on_message, on_welcome, on_end
        self.clock = ServerClock()
        self.failure: ClientError | None = None  # why it is down for good
        self.is_closed = False
        self._session, self._event = "", 0
        self._socket: ClientConnection | None = None
        self._up = asyncio.Event()
        self._last_received = 0
        self._bye: Bye | None = None
        self._ids = itertools.count(1)
        self._requests: dict[int, asyncio.Future[Ack]] = {}
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect; Disconnected or Refused if that cannot be."""
        try:
            await self._connect()
        except (OSError, TimeoutError, ValueError, WebSocketException) as error:
            raise _unreachable(self.uri, error) from error
        self._running = asyncio.create_task(self._run())

    async def close(self) -> None:
        self.is_closed = True
        if self._socket is not None:
            await self._socket.close()
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])
        self._end()

    async def ask(self, request: Request) -> Ack:
        """Send a request; its answer, or Refused with the server's reason."""
        number = next(self._ids)
        answer: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        self._requests[number] = answer
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await self._send({**request, "id": number})
                return await answer
        except TimeoutError as error:
            raise Disconnected(f"The server gave no answer within {ANSWER_WITHIN:g} s.") from error
        except ConnectionClosed as error:
            raise Disconnected("The connection was cut before the request was sent.") from error
        finally:
            del self._requests[number]

    async def _send(self, message: Mapping[str, object]) -> None:
        await self._up.wait()
        if self.failure is not None or self._socket is None:
            raise self.failure or Disconnected("The connection is closed.")
        await self._socket.send(encode(message))

    # -- one connection --------------------------------------------------------------------------

    async def _connect(self) -> None:
        socket = await open_socket(
            self.uri, max_size=LARGEST, close_timeout=1, compression=None, ping_interval=None
        )
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await self._greet(socket)
        except BaseException:
            await socket.close(COMING_BACK)
            raise
        self._socket = socket
        self._last_received = local_now()
        self._up.set()

    async def _greet(self, socket: ClientConnection) -> None:
        hello: Hello = {"type": "hello", "protocol": PROTOCOL}
        if self.token is not None:
            hello["token"] = self.token
        if self._session:
            hello["resume"] = {"session": self._session, "event": self._event}
        sent = local_now()
        await socket.send(encode(hello))
        message = decode(await socket.recv())
        if message["type"] == "error":
            raise Refused(message["code"], message["message"])
        if message["type"] == "bye":
            raise Refused(message["code"], message["reason"])
        if message["type"] != "welcome":
            raise ProtocolError(f"The server began with '{message['type']}', not with a welcome.")
        self.clock.add(ClockSample(sent, message["time"], local_now()))
        if message["session"] != self._session:
            self._session, self._event = message["session"], 0
        if not message["resumed"]:
            self._fail_requests(Disconnected("The connection was cut before the answer came."))
        self.on_welcome(message)

    async def _run(self) -> None:
        try:
            while True:
                await self._stay_connected()
                if self.is_closed:
                    return
                if self._bye is not None and self._bye.get("code") in FINAL_ENDS:
                    raise Refused(self._bye["code"], self._bye["reason"])
                log.info("the connection was cut: coming back")
                await self._come_back()
        except ClientError as error:
            self.failure = error
        finally:
            self._end()

    async def _stay_connected(self) -> None:
        """Until the connection ends, for whatever reason."""
        assert self._socket is not None
        self._bye = None
        pinging = asyncio.create_task(self._ping(self._socket))
        try:
            async for text in self._socket:
                self._take(decode(text))
        except ConnectionClosed:
            pass
        finally:
            self._up.clear()
            pinging.cancel()
            await self._socket.close(COMING_BACK)

    async def _ping(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            for count in itertools.count():
                await socket.send(encode({"type": "ping", "t": local_now(), "event": self._event}))
                await asyncio.sleep(FIRST_PING_EVERY if count < FIRST_PINGS else PING_EVERY)
                if local_now() - self._last_received > DEAD_AFTER:
                    log.info("the server is silent")
                    await socket.close(COMING_BACK)

    def _take(self, message: FromServer) -> None:
        self._last_received = local_now()
        if message["type"] == "pong":
            self.clock.add(ClockSample(int(message["t"]), message["time"], self._last_received))
            return
        if message["type"] == "bye":
            self._bye = message
            return
        if message["type"] == "welcome":
            return  # each connection has one, and it was taken
        event = message.get("event", 0)
        if event:
            if event <= self._event:
                return  # heard before the connection was cut
            self._event = event
        self.on_message(message)
        if message["type"] == "ack" or message["type"] == "error":
            self._answer(message)

    def _answer(self, message: Ack | ErrorMessage) -> None:
        answer = self._requests.get(message.get("id") or 0)
        if message["type"] == "error":
            error = Refused(message["code"], message["message"])
            if answer is None:
                log.warning("the server says: %s", error)
            elif not answer.done():
                answer.set_exception(error)
        elif answer is not None and not answer.done():
            answer.set_result(message)

    # -- coming back -----------------------------------------------------------------------------

    async def _come_back(self) -> None:
        """Connect again, for as long as `patience` lasts."""
        last: Exception | None = None
        try:
            async with asyncio.timeout(self.patience):
                for delay in _delays():
                    await asyncio.sleep(delay)
                    try:
                        return await self._connect()
                    except Refused as error:
                        if error.code in FINAL_ENDS:
                            raise
                        last = error
                    except (OSError, TimeoutError, WebSocketException) as error:
                        last = error
        except TimeoutError as error:
            raise _unreachable(self.uri, last or error) from error

    def _end(self) -> None:
        self._fail_requests(self.failure or Disconnected("The connection is closed."))
        self._socket = None
        self._up.set()
        self.on_end()

    def _fail_requests(self, error: ClientError) -> None:
        for answer in self._requests.values():
            if not answer.done():
                answer.set_exception(error)


def _delays() -> Iterator[float]:
    """Longer and longer, and not the same for all who were cut off together."""
    delay = SHORTEST_DELAY
    while True:
        yield delay * random.uniform(0.5, 1)
        delay = min(2 * delay, LONGEST_DELAY)


def _unreachable(uri: str, error: Exception) -> Disconnected:
    if isinstance(error, InvalidURI | ValueError):
        return Disconnected(f"'{uri}' is no address: write it like ws://127.0.0.1:8770.")
    reason = str(error) or type(error).__name__
    return Disconnected(f"No server answers at {uri}: start one with 'perpetuo serve' ({reason}).")
