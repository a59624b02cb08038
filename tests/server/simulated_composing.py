"""The composing process in simulated time: the real one, in this process. It works when it is let,
what it says arrives when it is let through, and every request is suspended until then."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common.errors import CapacityError, PerpetuoError
from engine.ensemble.ensemble import Ensemble
from server.base.framing import encode
from server.base.wire import encode_bar
from server.composing import messages
from server.composing.client import ComposerLost, error_of
from server.composing.messages import ComposerSettings, order_frames, report_frames
from server.composing.models import LoadedModel
from server.composing.pace import NetworkPace
from server.composing.process import ComposerProcess
from server.composing.snapshots import StreamSnapshot, WrittenSnapshot
from server.house.house import House
from tests.bundles import tiny
from tests.server import house_fakes

SECOND = 1_000_000


class Models:
    """Two networks: one that is there, and one that has to be loaded first."""

    def __init__(self, settings: ComposerSettings, waker: object) -> None:
        self.settings = settings
        self.default = self._open("default", "gpt")
        self._known = {"default": self.default}
        self._wanted: set[str] = set()
        self.slow = 0  # looks for it until a model is there

    def _open(self, name: str, kind: str) -> LoadedModel:
        ensemble = Ensemble(
            tiny(kind), lookahead=self.settings.lookahead, horizon=self.settings.horizon, rows=4
        )
        return LoadedModel(name, tiny(kind), ensemble, NetworkPace(0.0, 1e-4, 4))

    @property
    def by_urgency(self) -> list[LoadedModel]:
        return sorted(self._known.values(), key=lambda one: one.ensemble.due)

    def find(self, key: str, model: str) -> LoadedModel | None:
        if model not in ("default", "lstm"):
            raise PerpetuoError(f"there is no model {model}")
        if model not in self._known:
            self._wanted.add(model)
        return self._known.get(model)

    def arrivals(self) -> dict[str, LoadedModel | Exception]:
        if not self._wanted or self.slow > 0:
            self.slow -= 1
            return {}
        self._wanted.clear()
        self._known["lstm"] = self._open("lstm", "lstm")
        return {"lstm": self._known["lstm"]}

    def tidy(self, loaded_model: LoadedModel) -> None:
        pass

    def share_beside(self, loaded_model: LoadedModel) -> float:
        return 0.0


class AtOnce:
    """Snapshots that are written as soon as they are given."""

    def __init__(self, waker: object) -> None:
        self.waiting = 0
        self._written: list[WrittenSnapshot] = []

    def keep(self, snapshot: StreamSnapshot) -> None:
        snapshot.path.write_bytes(snapshot.data)
        self._written.append(WrittenSnapshot(snapshot, ""))

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def written(self) -> list[WrittenSnapshot]:
        found, self._written = self._written, []
        return found

    def close(self) -> None:
        pass


class Wire:
    """The child's end of the line, in memory."""

    def __init__(self) -> None:
        self.is_open, self.is_full = True, False
        self.orders: deque[messages.Order] = deque()
        self.reports: deque[messages.Report] = deque()
        self._in, self._out = order_frames(), report_frames()

    def give(self, order: messages.Order) -> None:
        self.orders += self._in.feed(encode(order))  # type: ignore[arg-type]

    def report(self, report: messages.Report) -> None:
        self.reports += self._out.feed(encode(report))  # type: ignore[arg-type]

    def listen(self, seconds: float) -> list[messages.Order]:
        found = list(self.orders)
        self.orders.clear()
        return found

    def flush(self) -> None:
        pass


class Composing:
    """The line to one composing process at a time, which lives in this one."""

    def __init__(self, clock: Callable[[], int], folder: Path) -> None:
        self.clock, self.folder = clock, folder
        self.house: House | None = None
        self.wire: Wire | None = None
        self.process: ComposerProcess | None = None
        self.refuses = 0  # requests that are still refused
        self.lost = 0
        self.sent: list[messages.Order] = []
        self._numbers: set[int] = set()
        self._requests: dict[int, asyncio.Future[Any]] = {}
        self._count = 0
        self.start()

    def start(self) -> None:
        assert self.process is None
        self.wire = Wire()
        settings = ComposerSettings(directory=str(self.folder), keep_every=4)
        self.process = ComposerProcess(self.wire, _Silent(), settings)  # type: ignore[arg-type]
        self.process.now = self.process.saving.now = self.clock  # type: ignore[assignment]
        self.process.meter.due = self.clock()
        if self.house is not None:
            self.house.composing_is_back()

    def die(self) -> None:
        """What was said arrives no more; whoever waits for an answer is told."""
        if self.process is None:
            return
        self.process = self.wire = None
        self.lost += 1
        requests, self._requests = self._requests, {}
        for future in requests.values():
            if not future.done():
                future.set_exception(ComposerLost("the composing process ended"))
        numbers, self._numbers = frozenset(self._numbers), set()
        assert self.house is not None
        self.house.lost(numbers)

    def work(self, turns: int) -> None:
        """Let it compose so many notes, or obey so many orders."""
        for _ in range(turns):
            if self.process is not None:
                self.process.turn(0.0)

    def deliver(self, most: int) -> None:
        """Let so many of its reports arrive."""
        for _ in range(most):
            if self.wire is None or not self.wire.reports:
                return
            self._take(self.wire.reports.popleft())

    def _take(self, report: messages.Report) -> None:
        future = self._requests.pop(getattr(report, "request", 0), None)
        assert self.house is not None
        if future is None or isinstance(report, messages.ChangeReport | messages.SnapshotReport):
            self.house.composing.take(report)
        if future is None or future.done():
            return
        if isinstance(report, messages.RefusalReport):
            future.set_exception(error_of(report))
        else:
            future.set_result(report)

    def break_stream(self, which: int) -> None:
        """From now on one of the streams cannot be composed, by a fault of ours."""

        def broken() -> None:
            raise RuntimeError("a fault of ours")

        if self.process is not None and self.process.composed_streams:
            composed_streams = sorted(self.process.composed_streams.items())
            composer = composed_streams[which % len(composed_streams)][1].composer
            composer.prepare = broken  # type: ignore[method-assign]

    def drop(self, number: int) -> None:
        """As if this stream had been taken out."""
        assert self.process is not None
        composed = self.process.composed_streams.pop(number)
        composed.loaded_model.ensemble.leave(number)
        self._numbers.discard(number)

    def composed(self, number: int, index: int) -> messages.BarReport:
        """A bar, as it could come."""
        encoded = encode_bar(house_fakes.wire_bar(index))
        return messages.BarReport(number, index, 5, self.clock(), SECOND, encoded, 99)

    # -- the line --------------------------------------------------------------------------------

    def send(self, order: messages.Order) -> None:
        stream = getattr(order, "stream", 0)
        if stream not in self._numbers:
            return
        if isinstance(order, messages.LeaveOrder):
            self._numbers.discard(stream)
        assert self.wire is not None
        self.sent.append(order)
        self.wire.give(order)

    async def request(self, order: Any) -> Any:
        if self.refuses > 0:
            self.refuses -= 1
            await asyncio.sleep(0)
            raise CapacityError("no room")
        await asyncio.sleep(0)
        if isinstance(order, messages.JoinOrder) and self.wire is not None:
            self._numbers.add(order.stream)
        if self.wire is None or order.stream not in self._numbers:
            raise ComposerLost("nothing composes")
        self._count += 1
        number = self._count
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._requests[number] = future
        wire = self.wire
        wire.give(type(order)(**{**_fields(order), "request": number}))
        try:
            return await future
        except PerpetuoError:
            if isinstance(order, messages.JoinOrder):
                self._numbers.discard(order.stream)
            raise
        finally:
            self._requests.pop(number, None)


class _Silent:
    def clear(self) -> None:
        pass


def _fields(order: Any) -> dict[str, Any]:
    return {name: getattr(order, name) for name in order.__struct_fields__}
