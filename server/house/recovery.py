"""Has streams that lost their composing process composed again: where they were, if that can be.

Use in the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace

from common.errors import CapacityError, PerpetuoError, StreamError
from server.composing.client import ComposerLost
from server.house.request_execution import RequestExecution
from server.house.requests import StopRequest
from server.house.settings import MAX_SEED
from server.house.stream import ENDED, STOPPED, Stream
from server.house.stream_composing import StreamComposing

log = logging.getLogger("perpetuo.house")

PATIENCE = 8.0  # seconds that a request waits for composing to come back
# Seconds between attempts to take a stream up again: short at first, then longer.
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 15.0
LOOK_EVERY = 1.0  # seconds between looks for requests that have waited too long
# So many attempts to go on where it was, before a stream begins anew.
GO_ON_TRIES = 2
TAKEN_UP_AT_ONCE = 2


class StreamRecovery:
    """See the module. `close` ends an own stream that cannot be composed any more."""

    def __init__(
        self,
        composing: StreamComposing,
        work: RequestExecution,
        close: Callable[[Stream, str], None],
    ) -> None:
        self._composing, self._work, self._close = composing, work, close
        self._back = asyncio.Event()  # set while composing is believed to be there
        self._back.set()
        self._taking_up = asyncio.Semaphore(TAKEN_UP_AT_ONCE)
        self._lost: set[Stream] = set()

    def composing_is_back(self) -> None:
        self._back.set()

    async def regain(self, stream: Stream) -> None:
        """Have a stream composed again, however long that takes."""
        self._lost.add(stream)
        try:
            await self._regain(stream)
        finally:
            self._lost.discard(stream)
        if not self._lost:
            log.info("every stream is composed again")

    async def _regain(self, stream: Stream) -> None:
        pause = FIRST_PAUSE
        refused = 0
        while stream.is_lost and stream.state != ENDED:
            try:
                async with self._taking_up:
                    await self._take_up(stream, refused)
            except (ComposerLost, CapacityError) as error:
                reason: PerpetuoError = error
            except PerpetuoError as error:
                refused, reason = refused + 1, error
                log.error("%s cannot go on: %s", stream.name, error)
            except Exception:
                log.exception("%s could not be taken up again", stream.name)
                refused, reason = refused + 1, StreamError("a fault of the server: see its log")
            else:
                return
            if stream.state == ENDED:
                return
            if not (stream.is_station or isinstance(reason, ComposerLost)):
                self._close(stream, str(reason))
                return
            await self._pause(stream, reason, pause)
            pause = FIRST_PAUSE if self._back.is_set() else min(2 * pause, LONGEST_PAUSE)

    async def _take_up(self, stream: Stream, refused: int) -> None:
        """Where it was, if that works; else from a beginning. One that cannot be composed where
        it stands takes another course."""
        if refused < GO_ON_TRIES and stream.failures < GO_ON_TRIES:
            await self._composing.take_up(stream)
            return
        opening = self._work.as_it_is(stream)
        if stream.failures >= GO_ON_TRIES:
            opening = replace(opening, seed=(opening.seed + 1) % MAX_SEED, prompt=None)
        stream.failures = 0
        was_stopped = stream.state == STOPPED
        await self._work.begin_anew(stream, opening, "it could not go on where it was")
        if was_stopped:
            self._work.stop(stream, StopRequest(by="the server"))

    async def _pause(self, stream: Stream, reason: PerpetuoError, seconds: float) -> None:
        """So long, or until composing is back. What was asked does not wait for that long."""
        self._back.clear()
        while seconds > 0 and not self._back.is_set():
            expire(stream, reason)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(seconds, LOOK_EVERY)):
                    await self._back.wait()
            seconds -= LOOK_EVERY


def expire(stream: Stream, error: PerpetuoError) -> None:
    """Refuse what has waited too long."""
    before = asyncio.get_running_loop().time() - PATIENCE
    for queued in stream.queue.expire(before):
        queued.refuse(error)
