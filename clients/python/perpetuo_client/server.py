"""A server as a client knows it: what it has, and the streams listened to."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from perpetuo_client.bars import Bar, TimedNote
from perpetuo_client.capabilities import (
    NOTHING_TOLD,
    Capabilities,
    Control,
    Preset,
    Station,
    capabilities_from,
)
from perpetuo_client.clock import ServerClock
from perpetuo_client.connection import ANSWER_WITHIN, ServerConnection
from perpetuo_client.errors import ClientError, Disconnected, Refused
from perpetuo_client.messages import Prompt
from perpetuo_client.player import local_now
from perpetuo_client.protocol import FromServer, Welcome
from perpetuo_client.stream import Stream

DEFAULT_ADDRESS = "ws://127.0.0.1:8770"
PATIENCE = 60.0  # seconds
BARS_BEFORE = 64  # that are asked for when a stream is taken up again


class connect:
    """`async with connect() as server:`, or `server = await connect()` and later `close`.

    An address without a path means the server's `/ws`. `token` is the server's secret, if it has
    one. A cut connection is taken up again, without gap or double, for as long as `patience`
    (seconds) lasts; 0: not at all.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        token: str | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._address, self._token, self._patience = address, token, patience
        self._server: Server | None = None

    def __await__(self) -> Generator[Any, None, Server]:
        return self.__aenter__().__await__()

    async def __aenter__(self) -> Server:
        self._server = Server(self._address, self._token, self._patience)
        await self._server.connection.start()
        return self._server

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            await self._server.close()


class Server:
    """A session with a server; made by `connect`. For one event loop.

    `capabilities` are what the server told when the connection was made, last time.
    """

    def __init__(self, address: str, token: str | None, patience: float) -> None:
        self.connection = ServerConnection(
            _with_path(address),
            token=token,
            patience=patience,
            on_message=self._receive,
            on_welcome=self._welcomed,
            on_end=self._ended,
        )
        self.capabilities: Capabilities = NOTHING_TOLD
        self.version = ""
        self.you = ""  # by this name others see what this client changes
        self.streams: dict[str, Stream] = {}  # those listened to
        self._described: dict[str, asyncio.Event] = {}  # set with a stream's first `state`
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Leave the server; own streams end there after a while."""
        for task in self._tasks:
            task.cancel()
        await self.connection.close()

    # -- what there is ---------------------------------------------------------------------------

    @property
    def controls(self) -> Mapping[str, Control]:
        return self.capabilities.controls

    @property
    def stations(self) -> Mapping[str, Station]:
        return self.capabilities.stations

    @property
    def presets(self) -> Mapping[str, Preset]:
        return self.capabilities.presets

    @property
    def clock(self) -> ServerClock:
        return self.connection.clock

    @property
    def failure(self) -> ClientError | None:
        """Why the server is lost for good; None: it is not."""
        return self.connection.failure

    @property
    def is_closed(self) -> bool:
        return self.connection.is_closed

    def now(self) -> int:
        """Microseconds of the server's clock, as well as is known."""
        return self.clock.to_server(local_now())

    def local_time(self, due: int) -> float:
        """The moment of `time.monotonic` at which the server's clock shows `due`."""
        return self.clock.to_local(due) / 1e6

    def local_notes(self, bar: Bar) -> tuple[TimedNote, ...]:
        """The notes of a bar with when they begin and end, in seconds of `time.monotonic`."""
        return tuple(
            TimedNote(note, self.local_time(bar.start_of(note)), self.local_time(bar.end_of(note)))
            for note, _, _ in bar.timed_notes
        )

    # -- streams ---------------------------------------------------------------------------------

    async def listen(self, station: str | None = None, *, past: int = 0) -> Stream:
        """Listen to a station (the first one if none is named) or to another stream by its name.

        `past` bars before the one that sounds are made known too, as far as the server has them.
        """
        name = next(iter(self.stations), None) if station is None else station
        if name is None:
            raise Refused("unknown_stream", "This server has no station: open an own stream.")
        answer = await self.connection.ask({"type": "listen", "stream": name, "past": past})
        return await self._when_described(answer["stream"])

    async def open(
        self,
        *,
        preset: str | None = None,
        seed: int | None = None,
        prompt: Prompt | None = None,
        **controls: Any,
    ) -> Stream:
        """Begin an own stream and listen to it."""
        if prompt is not None and not isinstance(prompt, Prompt):
            raise TypeError("a prompt is a perpetuo_client.Prompt: make one of your notes")
        answer = await self.connection.ask(
            {
                "type": "open",
                "preset": preset,
                "seed": seed,
                "controls": controls,
                "prompt": None if prompt is None else prompt.plain(),
            }
        )
        return await self._when_described(answer["stream"])

    async def _when_described(self, name: str) -> Stream:
        stream = self._stream(name)
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await self._described[name].wait()
        except TimeoutError as error:
            raise Disconnected(f"The server told nothing of the stream '{name}'.") from error
        return stream

    def _stream(self, name: str) -> Stream:
        """The stream of this name; another one in the place of one that has ended."""
        known = self.streams.get(name)
        if known is None:
            known = self.streams[name] = Stream(self, name)
            self._described[name] = asyncio.Event()
        return known

    def forget(self, stream: Stream) -> None:
        if self.streams.get(stream.name) is stream:
            del self.streams[stream.name], self._described[stream.name]

    # -- what the server tells -------------------------------------------------------------------

    def _receive(self, message: FromServer) -> None:
        name = message.get("stream")
        if message["type"] == "state":
            self._stream(message["stream"]).receive(message)
            self._described[message["stream"]].set()
        elif message["type"] != "ack" and isinstance(name, str) and name in self.streams:
            stream = self.streams[name]
            stream.receive(message)
            if stream.state == "ended":
                self.forget(stream)

    def _welcomed(self, message: Welcome) -> None:
        self.capabilities = capabilities_from(message["capabilities"])
        self.version, self.you = message["server"], message["you"]
        for name, stream in self.streams.items():
            if name not in message["listening"]:
                task = asyncio.create_task(self._listen_again(stream))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _listen_again(self, stream: Stream) -> None:
        """After the server has forgotten this client."""
        try:
            await self.connection.ask(
                {"type": "listen", "stream": stream.name, "past": BARS_BEFORE}
            )
        except Refused as error:
            stream.ended(str(error))
            self.forget(stream)
        except Disconnected:
            pass  # the next welcome comes here again, or the connection has failed

    def _ended(self) -> None:
        for stream in self.streams.values():
            stream.wake()


def _with_path(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return address  # which connecting to it will tell
    return urlunsplit(parts._replace(path="/ws")) if parts.path in ("", "/") else address
