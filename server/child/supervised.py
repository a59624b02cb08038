"""One child process of the server: started, watched, and started again whenever it fails.

It must say something at once and then at least every second. One that is silent, that takes too
long to be ready, that says what is not understood or that leaves unread what it is told, is killed;
whatever it failed of, another one follows, after pauses that grow while it keeps failing, for ever.
Use in the event loop. Nothing here waits for the child without a limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import subprocess
from collections.abc import Callable
from time import monotonic
from typing import Generic, NamedTuple, TypeVar

from common.errors import PerpetuoError, StreamError
from server.base.framing import Frames, FramingError
from server.child.heartbeat import Alive
from server.child.outbox import CHUNK, Outbox
from server.child.starting import ChildKind, reaped, started

log = logging.getLogger("perpetuo.server")

REAPED_WITHIN = 2.0  # seconds
STARTING, UP, WAITING, ENDED = "starting", "up", "waiting", "ended"

M = TypeVar("M")


class ChildCondition(NamedTuple):
    """How a child is, for health and metrics."""

    state: str = ENDED
    restarts: int = 0  # times that another one was ready after the first
    failures: int = 0  # ends that nobody asked for, and starts that failed
    last_failure: str = ""


class Child(Generic[M]):
    """`greet` hears what it says until it is ready: True if it is; a PerpetuoError if the child
    cannot do what it is for. `take` hears everything after that. `lost` is called when one that was
    ready is no more, `back` when another one is ready in its place."""

    def __init__(
        self,
        kind: ChildKind,
        argument: str,
        frames: Callable[[], Frames[M]],
        *,
        greet: Callable[[M], bool],
        take: Callable[[M], None],
        lost: Callable[[], None],
        back: Callable[[], None],
    ) -> None:
        self.kind, self._argument, self._new_frames = kind, argument, frames
        self._greet, self._hear, self._lost, self._back = greet, take, lost, back
        self._state, self._last_failure = ENDED, ""
        self._starts = self._failures = 0
        self._in_a_row = 0  # failures since it last lived for a while
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._frames = frames()
        self._out: Outbox | None = None
        self._first: asyncio.Future[None] | None = None
        self._ended = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._has_given_up = self._is_closing = False
        self._timer: asyncio.TimerHandle | None = None
        self._silence = self._age = self._looked_at = self._ready_at = 0.0

    @property
    def is_up(self) -> bool:
        return self._state == UP

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def condition(self) -> ChildCondition:
        restarts = max(self._starts - 1, 0)
        return ChildCondition(self._state, restarts, self._failures, self._last_failure)

    # -- beginning and end -----------------------------------------------------------------------

    async def start(self, *, whatever_comes: bool = False) -> None:
        """Returns when it is ready; raises what it refuses, StreamError if it failed otherwise, and
        no other follows. With `whatever_comes` such a failure is like any later one."""
        assert self._keeping is None, "it was started before"
        try:
            await self._begin()
        except Exception as error:
            if not whatever_comes:
                self._state = ENDED
                raise self._spoken(error) from error
            self._fell(self._spoken(error))
        self._keeping = asyncio.create_task(self._keep())

    def give_up(self, reason: str) -> None:
        """No other follows this one: it would fail of the same."""
        self._has_given_up, self._last_failure = True, reason

    async def close(self, seconds: float, farewell: bytes = b"") -> None:
        """End it: at the end of its line, or after this farewell, for which it has so long."""
        self._is_closing = True
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        if self._socket is not None and farewell and self.is_up:
            self._ended.clear()
            self.send(farewell)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), seconds)
        self._cut()
        self._state = ENDED
        await self._reap()

    def send(self, data: bytes) -> None:
        """What is sent to nobody is lost, which `lost` has told."""
        if self._out is None or self._out.put(data):
            return
        line, unread = self._socket, len(self._out)
        self._out = None

        def tell() -> None:  # not at once: whoever sends is in the midst of something
            if self._socket is line:
                self._fail(f"left {unread:,} bytes unread: it hangs", kill=True)

        asyncio.get_running_loop().call_soon(tell)

    async def _begin(self) -> None:
        self._state = STARTING
        ours, theirs = socket.socketpair()
        try:
            ours.setblocking(False)
            kind = self.kind
            self._process = await started(kind.command, theirs, self._argument, kind.environment)
        except BaseException:
            ours.close()
            raise
        loop = asyncio.get_running_loop()
        self._socket, self._frames = ours, self._new_frames()
        self._out = Outbox(ours, self.kind.most_waiting)
        self._first = loop.create_future()
        self._silence, self._age, self._looked_at = 0.0, 0.0, monotonic()
        self._ended.clear()
        loop.add_reader(ours, self._read)
        self._watch()
        try:
            await self._first
        except BaseException:  # it failed, or nobody waits any more
            self._process.kill()
            self._cut()
            await self._reap()
            raise

    async def _keep(self) -> None:
        """Have another one follow each that fails."""
        while not self._has_given_up:
            try:
                if self._socket is None:
                    await self._begin_again()
                await self._ended.wait()
            except Exception as error:
                self._fell(self._spoken(error))
        self._state = ENDED
        await self._reap()

    async def _begin_again(self) -> None:
        self._state = WAITING
        await self._reap()
        pause = self.kind.pause(self._in_a_row)
        if pause:
            log.warning("%s is started again in %.1f s", self.kind.name, pause)
            await asyncio.sleep(pause)
        await self._begin()

    async def _reap(self) -> None:
        if self._process is not None:
            await reaped(self._process, REAPED_WITHIN)
            self._process = None  # not before: if this is cancelled, `close` does it

    # -- failing ---------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Whether it still says something. Time that this loop lost (a halted machine) is no fault
        of the child."""
        kind, now = self.kind, monotonic()
        every = min(1.0, kind.hangs_after / 4)
        passed = min(now - self._looked_at, 2 * every)
        self._silence, self._age, self._looked_at = self._silence + passed, self._age + passed, now
        limit = kind.hangs_after if self.is_up else 2 * kind.hangs_after
        if self._silence > limit:
            self._fail(f"said nothing for {limit:g} s: it hangs", kill=True)
        elif not self.is_up and self._age > kind.start_within:
            self._fail(f"was not ready within {kind.start_within:g} s", kill=True)
        else:
            self._timer = asyncio.get_running_loop().call_later(every, self._watch)

    def _fail(self, reason: str, *, kill: bool = False, error: Exception | None = None) -> None:
        """It is of no use any more, by whatever cause."""
        if kill and self._process is not None:
            self._process.kill()
        was_up = self.is_up
        self._cut()
        self._ended.set()
        if self._is_closing:
            return
        fault = error or StreamError(f"{self.kind.name} {reason}")
        if was_up:
            if monotonic() - self._ready_at > self.kind.lives_after:
                self._in_a_row = 0
            self._fell(fault)
            self._tell(self._lost)
        elif self._first is not None and not self._first.done():
            self._first.set_exception(fault)

    def _fell(self, fault: Exception) -> None:
        self._state = WAITING
        if self._has_given_up:
            return
        self._failures += 1
        self._in_a_row += 1
        self._last_failure = str(fault)
        log.error("%s; it is started again", fault)

    def _spoken(self, error: Exception) -> PerpetuoError:
        """Any failure to start as one that a user understands."""
        if isinstance(error, PerpetuoError):
            return error
        if not isinstance(error, OSError | MemoryError):
            log.error("a fault of ours", exc_info=error)
        reason = str(error) or type(error).__name__
        return StreamError(f"{self.kind.name} cannot be started ({reason})")

    def _cut(self) -> None:
        """The line has ended."""
        if self._timer is not None:
            self._timer.cancel()
        if self._socket is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._socket)
        loop.remove_writer(self._socket)
        self._socket.close()
        self._socket = self._out = None
        self._state = WAITING

    # -- what it says ----------------------------------------------------------------------------

    def _read(self) -> None:
        assert self._socket is not None, "it is read from while it is there"
        try:
            data = self._socket.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._silence = 0.0
        try:
            for message in self._frames.feed(data):
                if isinstance(message, FramingError):
                    raise message
                self._take(message)
        except FramingError as error:
            self._fail(f"is not understood ({error})", kill=True)
            return
        if not data and self._socket is not None:
            self._fail("ended" if self.is_up else "ended before it was ready: see the log")

    def _take(self, message: M) -> None:
        if isinstance(message, Alive) or self._socket is None:
            return
        if self.is_up:
            self._tell(lambda: self._hear(message))
            return
        try:
            is_ready = self._greet(message)
        except Exception as error:
            self._fail(str(error), error=error)
            return
        if is_ready and self._first is not None and not self._first.done():
            self._state, self._ready_at = UP, monotonic()
            self._starts += 1
            self._first.set_result(None)
            if self._keeping is not None:
                log.info("%s is there again", self.kind.name)
                self._tell(self._back)

    def _tell(self, call: Callable[[], None]) -> None:
        """A fault of whoever hears must not end the supervision, nor lose what follows."""
        try:
            call()
        except Exception:
            log.exception("a fault of ours")
