"""The server's end of the line to the composing process: starts it, and is told when it dies.

Everything is called, and calls back, in the thread of the event loop, and nothing waits: what the
socket does not take is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import subprocess
from collections.abc import Callable
from time import monotonic

import msgspec

from engine import errors
from engine.errors import PerpetuoError, StreamError
from server.child import CHUNK, FIRST_WAIT, Outbox, next_wait, reap, spawn
from server.composing.framing import Frames, LineError, encode, report_frames
from server.composing.messages import (
    Change,
    Changed,
    Close,
    Join,
    Joined,
    Keep,
    Kept,
    Order,
    Ready,
    Refused,
    Report,
)
from server.composing.settings import Settings

log = logging.getLogger("perpetuo.composing")

REAPED_WITHIN = 2.0  # seconds

Answer = Joined | Changed | Kept
Request = Join | Change | Keep


class LineLost(StreamError):
    """The composing process ended before it answered, or none is there: nothing was done."""


class Link:
    """One composing process at a time.

    `on_report` hears every report that is no answer to a `request`, and `on_end` is called once
    for every process that ends without having been closed.
    """

    def __init__(
        self,
        settings: Settings,
        on_report: Callable[[Report], None],
        on_end: Callable[[], None],
    ) -> None:
        self.settings = settings
        self.on_report, self.on_end = on_report, on_end
        self.ready: Ready | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._frames: Frames[Report] = report_frames()
        self._out: Outbox | None = None
        self._requests: dict[int, asyncio.Future[Answer]] = {}
        self._last_request = 0
        self._starting: asyncio.Future[Ready] | None = None
        self._gone: asyncio.Future[None] | None = None
        self._is_closing = False
        self._started_at, self._wait = 0.0, 0.0
        self._heard_at = 0.0

    @property
    def is_open(self) -> bool:
        return self._socket is not None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def silent_for(self) -> float:
        """Seconds since the process last said anything; it says something every second."""
        return monotonic() - self._heard_at if self.ready is not None else 0.0

    def kill(self) -> None:
        """End a process that hangs; `on_end` follows."""
        if self._process is not None:
            self._process.kill()

    # -- beginning and end -----------------------------------------------------------------------

    async def start(self) -> Ready:
        """Start the process and wait until it is ready; raises what it refuses (BundleError for
        its default model), StreamError if it dies."""
        assert self._socket is None, "it runs already"
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with theirs:
            argument = self.settings.argument()
            self._process = await asyncio.to_thread(spawn, "server.composing", theirs, argument)
        ours.setblocking(False)
        self._socket, self._frames, self._is_closing = ours, report_frames(), False
        self._out = Outbox(ours)
        self._started_at = monotonic()
        self._starting, self._gone = loop.create_future(), loop.create_future()
        loop.add_reader(ours, self._read)
        try:
            self.ready = await self._starting
        except PerpetuoError:
            self._end()
            await self._reap()
            raise
        return self.ready

    async def restart(self) -> Ready:
        """Start a process in place of one that ended, after a while if it keeps dying young."""
        await self._reap()
        lived = monotonic() - self._started_at
        self._wait = next_wait(self._wait, lived)
        if self._wait > FIRST_WAIT:  # the first time it is not made to wait
            log.warning("the composing process is started again in %.1f s", self._wait)
            await asyncio.sleep(self._wait)
        return await self.start()

    async def close(self, timeout: float) -> None:
        """Let the process save every stream and end; it is killed after so many seconds."""
        self._is_closing = True
        if self._socket is not None and self._gone is not None:
            self.send(Close())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._gone), timeout)
            self._end()
        await self._reap()

    async def _reap(self) -> None:
        """Wait for the process, whose line has ended, to be gone itself."""
        process, self._process = self._process, None
        if process is None:
            return
        if not await reap(process, REAPED_WITHIN):
            log.warning("the composing process did not end: it was killed")

    def _end(self) -> None:
        """The line has ended, by whatever cause."""
        if self._socket is None or self._out is None:
            return
        asyncio.get_running_loop().remove_reader(self._socket)
        self._out.close()
        self._socket.close()
        self._socket = None
        requests, self._requests = self._requests, {}
        for future in [*requests.values(), self._starting]:
            if future is not None and not future.done():
                future.set_exception(LineLost("the composing process ended: try again in a moment"))
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)
        if not self._is_closing and self.ready is not None:
            self.ready = None
            self.on_end()

    # -- orders ----------------------------------------------------------------------------------

    def send(self, order: Order) -> None:
        """Send an order, if anybody is there to take it: what is lost is told by `on_end`.

        StreamError if it is too long.
        """
        if self._socket is None or self._out is None:
            return
        try:
            data = encode(order)
        except LineError as error:
            raise StreamError(f"this is more than a stream can be told at once: {error}") from None
        self._out.put(data)

    async def request(self, order: Request) -> Answer:
        """Send an order and wait for its answer; the link numbers it.

        Raises the error that the process refused it with, or StreamError if it died meanwhile.
        """
        if self._socket is None:
            raise LineLost("the composing process is not running: try again in a moment")
        self._last_request += 1
        number = self._last_request
        numbered = msgspec.structs.replace(order, request=number)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._requests[number] = future
        try:
            self.send(numbered)
            return await future
        finally:
            self._requests.pop(number, None)

    # -- reports ---------------------------------------------------------------------------------

    def _read(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(CHUNK)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        self._heard_at = monotonic()
        try:
            for report in self._frames.feed(data):
                self._take(report)
        except LineError as error:
            log.error("the composing process is ended: %s", error)
            self.kill()
            data = b""
        if not data:
            self._end()

    def _take(self, report: Report | LineError) -> None:
        if isinstance(report, LineError):
            raise report
        if self._starting is not None and not self._starting.done():
            self._take_first(self._starting, report)
            return
        future = self._requests.get(getattr(report, "request", 0))
        if isinstance(report, Changed | Kept):
            self.on_report(report)  # in its place among the bars, whenever who asked goes on
        if future is None or future.done():
            if not isinstance(report, Changed | Kept):
                self.on_report(report)
        elif isinstance(report, Refused):
            future.set_exception(error_of(report))
        else:
            assert isinstance(report, Joined | Changed | Kept)
            future.set_result(report)

    def _take_first(self, starting: asyncio.Future[Ready], report: Report) -> None:
        if isinstance(report, Ready):
            starting.set_result(report)
        elif isinstance(report, Refused):
            starting.set_exception(error_of(report))


def error_of(refused: Refused) -> PerpetuoError:
    """The error that a refusal stands for."""
    kind = getattr(errors, refused.kind, PerpetuoError)
    assert issubclass(kind, PerpetuoError)
    return kind(refused.message)
