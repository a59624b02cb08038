"""All composing processes, as one line. There is one at first; another one is started when those
that are there have half of what they can carry, so that new streams spread evenly, or at the latest
when they can carry no more. It ends when it has had nothing to do for a while. Each of them is
supervised, and another one follows by itself if it fails.

Use in the event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from common.errors import CapacityError, PerpetuoError, StreamError
from server.child.supervised import ChildCondition
from server.composing.client import Answer, ComposerClient, ComposerLost, Request
from server.composing.messages import (
    ComposerReady,
    ComposerSettings,
    FailureReport,
    JoinOrder,
    LeaveOrder,
    LoadReport,
    Order,
    Report,
)

log = logging.getLogger("perpetuo.composing")

IDLE = 60.0  # seconds after which a further process with nothing to do is ended
# Of what each process believes to be able to compose: another is started when it is so much, and
# is not ended before it is so little.
MUCH, LITTLE = 0.4, 0.2
_GROWING = "growing"  # what is started ahead of need
END_WITHIN = 3.0  # seconds that a process has to save everything and end
NOTHING = LoadReport(0, 0.0, 0.0, 0, 0, 0.0, 0, processes=0)


@dataclass(eq=False)
class PooledComposer:
    """One process at a time, and the numbers of the streams that it was asked to compose."""

    client: ComposerClient
    streams: set[int] = field(default_factory=set)
    load: LoadReport = NOTHING  # as it told last
    idle_since: float = field(default_factory=lambda: monotonic())

    @property
    def share(self) -> float:
        """Of what it believes to be able to compose."""
        return self.load.demand / self.load.speed if self.load.speed else 0.0


Call = Callable[[], None]
MakeClient = Callable[[ComposerSettings, Callable[[Report], None], Call, Call], ComposerClient]


class ComposerPool:
    """`on_report` hears every report that answers no request, `LoadReport` as one for all;
    `on_lost` is called with the streams that a process had which has failed, before anybody who
    waits for an answer of it is told, and `on_ready` when there is another one in its place.
    Who is made after `start` sets them before anything else is awaited."""

    def __init__(
        self,
        settings: ComposerSettings,
        most: int,
        on_report: Callable[[Report], None] = lambda report: None,
        on_lost: Callable[[frozenset[int]], None] = lambda streams: None,
        on_ready: Call = lambda: None,
        make_client: MakeClient = ComposerClient,
    ) -> None:
        self._settings, self._most = settings, most
        self.on_report, self.on_lost, self.on_ready = on_report, on_lost, on_ready
        self._make_client = make_client
        self.workers: list[PooledComposer] = []
        self._by_stream: dict[int, PooledComposer] = {}
        self._growing = asyncio.Lock()
        self._grows_from = 0.0  # not ahead of need before this time: the last attempt failed
        self._gone = NOTHING  # what processes counted that are no more
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closing = False

    # -- beginning and end -----------------------------------------------------------------------

    async def start(self) -> ComposerReady:
        """Start the first process; see `ComposerClient.start`."""
        return await self._add()

    async def _add(self) -> ComposerReady:
        worker = PooledComposer(
            self._make_client(
                self._settings,
                lambda report: self._take(worker, report),
                lambda: self._lost(worker),
                lambda: self.on_ready(),
            )
        )
        ready = await worker.client.start()
        if self._is_closing:
            await worker.client.close(END_WITHIN)
            raise ComposerLost("the server ends")
        self.workers.append(worker)
        return ready

    async def close(self) -> None:
        """Let every process save its streams and end."""
        self._is_closing = True
        for task in self._tasks:
            if task.get_name() == _GROWING:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(worker.client.close(END_WITHIN) for worker in self.workers))

    def _lost(self, worker: PooledComposer) -> None:
        self._gone = together([self._gone, _counts(worker.load)])
        worker.load = NOTHING
        lost = frozenset(worker.streams)
        worker.streams.clear()
        self._by_stream = {one: its for one, its in self._by_stream.items() if its is not worker}
        self.on_lost(lost)

    @property
    def conditions(self) -> dict[str, ChildCondition]:
        """Of each process, by what it is called in health and metrics."""
        numbered = enumerate(self.workers, 1)
        return {f"composing {number}": worker.client.condition for number, worker in numbered}

    # -- housekeeping ------------------------------------------------------------------------------

    def tick(self) -> None:
        """End what is not needed any more, start what will be. Call about once a second; it does
        not wait for either."""
        for worker in self.workers[1:]:
            if self._is_needless(worker):
                self._dismiss(worker)
        if self.wants_another:
            self._begin(self.grow_ahead(), _GROWING)

    def _is_needless(self, worker: PooledComposer) -> bool:
        others = [other for other in self.workers if other is not worker and other.client.is_open]
        return (
            not worker.streams
            and monotonic() - worker.idle_since > IDLE
            and bool(others)
            and max(other.share for other in others) <= LITTLE
        )

    def _dismiss(self, worker: PooledComposer) -> None:
        """Nobody can join it from here on, before anything is waited for."""
        self.workers.remove(worker)
        self._gone = together([self._gone, _counts(worker.load)])
        log.info("a composing process is ended: it had nothing to do for %d s", IDLE)
        self._begin(worker.client.close(END_WITHIN), "closing")

    @property
    def wants_another(self) -> bool:
        """Whether a process more should be started before it is needed."""
        return (
            len(self.workers) < self._most
            and not self._growing.locked()
            and all(worker.share > MUCH for worker in self.workers)
            and monotonic() >= self._grows_from
        )

    async def grow_ahead(self) -> None:
        """Start a process more, if it is still wanted."""
        if not self.wants_another:
            return
        async with self._growing:
            try:
                await self._grow()
            except CapacityError:  # has been logged
                self._grows_from = monotonic() + IDLE

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._is_done)

    def _is_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a fault of ours", exc_info=task.exception())

    # -- as a line ---------------------------------------------------------------------------------

    def send(self, order: Order) -> None:
        """See `ComposerClient.send`; orders for a stream that nobody has are lost."""
        stream = getattr(order, "stream", 0)
        worker = self._by_stream.get(stream)
        if worker is None:
            return
        if isinstance(order, LeaveOrder):
            self._forget(stream)
        worker.client.send(order)

    async def request(self, order: Request) -> Answer:
        """See `ComposerClient.request`. A stream that joins comes to the process that has the
        fewest and can carry it."""
        if isinstance(order, JoinOrder):
            return await self._join(order)
        worker = self._by_stream.get(order.stream)
        if worker is None:
            raise ComposerLost("the stream is not composed at the moment: try again in a moment")
        return await worker.client.request(order)

    async def _join(self, order: JoinOrder) -> Answer:
        try:
            return await self._join_among(self.workers, order)
        except CapacityError:
            if len(self.workers) >= self._most:
                raise
        known = set(self.workers)
        async with self._growing:  # one at a time: whoever waited tries what has been started
            if known.issuperset(self.workers):
                await self._grow()
            return await self._join_among([w for w in self.workers if w not in known], order)

    async def _grow(self) -> None:
        log.info("another composing process is started: the streams grow many")
        try:
            await self._add()
        except PerpetuoError as error:
            log.error("a further composing process cannot be started: %s", error)
            raise CapacityError(
                f"no further stream can be carried, as a process more did not start ({error})"
            ) from error

    async def _join_among(self, workers: list[PooledComposer], order: JoinOrder) -> Answer:
        """The answer of the first that takes it; else the last refusal."""
        refusal: PerpetuoError = ComposerLost(
            "nothing composes at the moment: try again in a moment"
        )
        for worker in sorted(workers, key=lambda worker: len(worker.streams)):
            if worker not in self.workers or not worker.client.is_open:
                continue  # ended, or failed, while another was asked
            self._by_stream[order.stream] = worker
            worker.streams.add(order.stream)
            try:
                answer = await worker.client.request(order)
            except CapacityError as error:
                refusal = error
                self._forget(order.stream)
                continue
            except BaseException:
                self._forget(order.stream)
                raise
            self._look_that_it_is_there(order.stream, worker)
            return answer
        raise refusal

    def _look_that_it_is_there(self, stream: int, worker: PooledComposer) -> None:
        """The process may have failed, or the stream left, between the answer and whoever waited
        for it."""
        found = self._by_stream.get(stream)
        if found is None and worker.client.is_open:
            raise StreamError(f"stream {stream} has ended")
        if found is not worker:
            raise ComposerLost("the composing process ended: try again in a moment")

    def _forget(self, stream: int) -> None:
        worker = self._by_stream.pop(stream, None)
        if worker is not None:
            worker.streams.discard(stream)
            if not worker.streams:
                worker.idle_since = monotonic()

    # -- reports -----------------------------------------------------------------------------------

    def _take(self, worker: PooledComposer, report: Report) -> None:
        if isinstance(report, FailureReport):  # it is to be told still that the stream leaves
            worker.streams.discard(report.stream)
        if not isinstance(report, LoadReport):
            self.on_report(report)
            return
        worker.load = report
        self.on_report(together([self._gone, *(worker.load for worker in self.workers)]))


def together(loads: list[LoadReport]) -> LoadReport:
    """One load for several processes."""
    guards = sum((Counter(load.guards) for load in loads), Counter[str]())
    processes = sum(load.processes for load in loads)
    return LoadReport(
        sum(load.streams for load in loads),
        sum(load.speed for load in loads),
        sum(load.demand for load in loads),
        sum(load.notes for load in loads),
        sum(load.bars for load in loads),
        sum(load.busy for load in loads) / max(processes, 1),
        sum(load.memory for load in loads),
        dict(guards),
        processes,
    )


def _counts(load: LoadReport) -> LoadReport:
    """Only what was counted since the start: nothing of what is now."""
    return LoadReport(0, 0.0, 0.0, load.notes, load.bars, 0.0, 0, load.guards, 0)
