"""One task a stream: what is asked of it is done one thing after another, in the order in which it
was asked, whatever door it came through.

A stream that lost its composing process is taken up again first; what is asked of it waits. Use in
the event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from common.errors import PerpetuoError, StreamError
from server.composing.client import ComposerLost
from server.house.recovery import FIRST_PAUSE, StreamRecovery, expire
from server.house.request_execution import PresetOf, RequestExecution
from server.house.requests import RequestDone, StopRequest, StreamRequest
from server.house.steering_queue import Group, QueuedRequest
from server.house.stream import ENDED, Stream
from server.house.stream_composing import StreamComposing

log = logging.getLogger("perpetuo.house")


class Steering:
    """See the module. `close` ends an own stream."""

    def __init__(
        self, composing: StreamComposing, preset_of: PresetOf, close: Callable[[Stream, str], None]
    ) -> None:
        self.execution = RequestExecution(composing, preset_of)
        self.recovery = StreamRecovery(composing, self.execution, close)
        self._tasks: dict[Stream, asyncio.Task[None]] = {}
        self._in_hand: set[Stream] = set()  # for which something is being done
        self._is_closing = False

    # -- what is asked ---------------------------------------------------------------------------

    def post(self, stream: Stream, request: StreamRequest) -> asyncio.Future[RequestDone]:
        """Have something done; the future has what came of it. A PerpetuoError at once, and
        nothing changes, if it cannot be asked for."""
        loop = asyncio.get_running_loop()
        if stream.state == ENDED or self._is_closing:
            raise StreamError(f"'{stream.name}' has ended")
        self.execution.check(stream, request)
        queued = QueuedRequest(request, loop.time(), loop.create_future())
        if isinstance(request, StopRequest):
            # It is heard at once, and holds against what was asked before and is not done yet.
            self.execution.stop(stream, request)
            if stream not in self._in_hand and not stream.queue:
                queued.carried(RequestDone())
                return queued.answer
        stream.queue.put(queued)
        self._wake(stream)
        return queued.answer

    # -- composing goes away and comes back --------------------------------------------------------

    def lose(self, streams: Iterable[Stream]) -> None:
        """No process composes these any more: they are taken up again, stations first, then
        whoever has the least music left."""
        for stream in sorted(streams, key=lambda s: (not s.is_station, s.planned_until)):
            if stream.state != ENDED:
                stream.is_lost = True
                self._wake(stream)

    def failed(self, stream: Stream, message: str) -> None:
        """Composing one stream went wrong, and only that one."""
        stream.failed()
        log.error("%s could not be composed (%s): it is taken up again", stream.name, message)
        self.lose([stream])

    def dismiss(self, stream: Stream) -> None:
        """It has ended: what is asked of it is refused."""
        stream.promises.void()
        for queued in stream.queue.empty():
            queued.refuse(StreamError(f"'{stream.name}' has ended"))

    async def close(self) -> None:
        """Leave what is not done yet."""
        self._is_closing = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- one task a stream -------------------------------------------------------------------------

    def _wake(self, stream: Stream) -> None:
        if stream in self._tasks or self._is_closing:
            return
        task = asyncio.get_running_loop().create_task(self._work(stream))
        self._tasks[stream] = task
        task.add_done_callback(lambda _: self._rest(stream))

    def _rest(self, stream: Stream) -> None:
        self._tasks.pop(stream, None)
        if self._is_closing or stream.state == ENDED:
            self.dismiss(stream)
        elif stream.queue or stream.is_lost:  # something came after its last look
            self._wake(stream)

    async def _work(self, stream: Stream) -> None:
        while stream.state != ENDED:
            if stream.is_lost:
                await self.recovery.regain(stream)
            elif stream.queue:
                await self._carry_out(stream, stream.queue.take())
            else:
                return

    async def _carry_out(self, stream: Stream, group: Group) -> None:
        self._in_hand.add(stream)
        try:
            await self.execution.do(stream, group)
        except ComposerLost as error:
            await self._try_again(stream, group, error)
        except PerpetuoError as error:
            if len(group) > 1:  # a bad value does not spoil those that are asked for with it
                for queued in reversed(group):
                    stream.queue.put_back([queued])
            else:
                group[0].refuse(error)
        except asyncio.CancelledError:
            for queued in group:
                queued.refuse(StreamError(f"'{stream.name}' has ended"))
            raise
        except Exception:
            log.exception("what was asked of %s could not be done", stream.name)
            for queued in group:
                queued.refuse(StreamError("this failed by a fault of the server: see its log"))
        finally:
            self._in_hand.discard(stream)

    async def _try_again(self, stream: Stream, group: Group, error: ComposerLost) -> None:
        """The process ended before it answered: nothing was done. It is asked of the next one."""
        stream.queue.put_back(group)
        expire(stream, error)
        if not stream.is_lost:
            await asyncio.sleep(FIRST_PAUSE)
