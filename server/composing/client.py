"""The server's end of the line to one composing process, which is supervised (`server.child`).

Everything is called, and calls back, in the thread of the event loop, and nothing waits: what the
socket does not take is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from common import errors
from common.errors import PerpetuoError, StreamError
from server.base.framing import FramingError, encode
from server.child.starting import ChildKind, python_module
from server.child.supervised import Child, ChildCondition
from server.composing.messages import (
    ChangeOrder,
    ChangeReport,
    CloseOrder,
    ComposerReady,
    ComposerSettings,
    JoinOrder,
    JoinReport,
    Order,
    RefusalReport,
    Report,
    SnapshotOrder,
    SnapshotReport,
    report_frames,
)

COMPOSING = ChildKind("the composing process", python_module("server.composing"))

Answer = JoinReport | ChangeReport | SnapshotReport
Request = JoinOrder | ChangeOrder | SnapshotOrder


class ComposerLost(StreamError):
    """Nobody refused it: there is no composing process to answer, or none any more."""


class ComposerClient:
    """One composing process at a time.

    `on_report` hears every report that is no answer to a `request`; `on_lost` is called for every
    process that ends without having been closed, and `on_ready` when another one has taken its
    place.
    """

    def __init__(
        self,
        settings: ComposerSettings,
        on_report: Callable[[Report], None],
        on_lost: Callable[[], None],
        on_ready: Callable[[], None],
        kind: ChildKind | None = None,
    ) -> None:
        self.settings = settings
        self.on_report, self.on_lost = on_report, on_lost
        self.ready: ComposerReady | None = None
        self._requests: dict[int, asyncio.Future[Answer]] = {}
        self._last_request = 0
        self._child = Child(
            kind or COMPOSING,
            settings.argument(),
            report_frames,
            greet=self._greet,
            take=self._take,
            lost=self._lost,
            back=on_ready,
        )

    @property
    def is_open(self) -> bool:
        return self._child.is_up

    @property
    def pid(self) -> int | None:
        return self._child.pid

    @property
    def condition(self) -> ChildCondition:
        return self._child.condition

    # -- beginning and end -----------------------------------------------------------------------

    async def start(self) -> ComposerReady:
        """Start the process and wait until it is ready; raises what it refuses (BundleError for
        its default model), StreamError if it fails otherwise. Once that was done, another process
        follows each that fails."""
        await self._child.start()
        assert self.ready is not None, "it has greeted"
        return self.ready

    async def close(self, timeout: float) -> None:
        """Let the process save every stream and end; it is killed after so many seconds."""
        await self._child.close(timeout, encode(CloseOrder()))
        self._fail_requests()

    def _lost(self) -> None:
        self._fail_requests()
        self.on_lost()

    def _fail_requests(self) -> None:
        requests, self._requests = self._requests, {}
        for future in requests.values():
            if not future.done():
                future.set_exception(
                    ComposerLost("the composing process ended: try again in a moment")
                )

    # -- orders ----------------------------------------------------------------------------------

    def send(self, order: Order) -> None:
        """Send an order, if anybody is there to take it: what is lost is told by `on_lost`.

        StreamError if it is too long.
        """
        if not self.is_open:
            return
        try:
            data = encode(order)
        except FramingError as error:
            raise StreamError(f"this is more than a stream can be told at once: {error}") from None
        self._child.send(data)

    async def request(self, order: Request) -> Answer:
        """Send an order and wait for its answer, which may take as long as the process is alive;
        the link numbers it.

        Raises the error that the process refused it with; LineLost if it ended meanwhile, or
        is not there.
        """
        if not self.is_open:
            raise ComposerLost("the composing process is not running: try again in a moment")
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

    def _greet(self, report: Report) -> bool:
        if isinstance(report, RefusalReport):
            raise error_of(report)
        if isinstance(report, ComposerReady):
            self.ready = report
        return isinstance(report, ComposerReady)

    def _take(self, report: Report) -> None:
        future = self._requests.get(getattr(report, "request", 0))
        if isinstance(report, ChangeReport | SnapshotReport):
            self.on_report(report)  # in its place among the bars, whenever who asked goes on
        if future is None or future.done():
            if not isinstance(report, ChangeReport | SnapshotReport):
                self.on_report(report)
        elif isinstance(report, RefusalReport):
            future.set_exception(error_of(report))
        else:
            assert isinstance(report, JoinReport | ChangeReport | SnapshotReport)
            future.set_result(report)


def error_of(refused: RefusalReport) -> PerpetuoError:
    """The error that a refusal stands for."""
    kind = getattr(errors, refused.kind, PerpetuoError)
    assert issubclass(kind, PerpetuoError)
    return kind(refused.message)
