"""A line to a composing process that is scripted, a clock that is set, a listener that notes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from common.errors import CapacityError, ControlError, StreamError
from server.base.wire import WireBar, WireNote, encode_bar
from server.composing.messages import (
    BarReport,
    ChangeOrder,
    ChangeReport,
    JoinOrder,
    JoinReport,
    Order,
    Report,
    SnapshotOrder,
    SnapshotReport,
)
from server.house.events import StreamEvent
from server.house.stream import Stream

SECOND = 1_000_000
BAR = 2 * SECOND  # 4/4 at 120


class SetClock:
    """Microseconds, as they are set."""

    def __init__(self) -> None:
        self.time = 1000 * SECOND

    def __call__(self) -> int:
        return self.time


def wire_bar(index: int, revision: int = 0, pitch: int = 60) -> WireBar:
    notes = tuple(WireNote(1, pitch + i, 70, 24 * i, 24, 0, 0) for i in range(4))
    return WireBar(
        index, revision, 96 * index, 96, "4/4", 500_000, "C major", ("C", "C"), "", -1,
        (0,) * 8, notes,
    )  # fmt: skip


class ScriptedLine:
    """Answers joins and changes as told; bars are delivered by the test."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.clock = clock
        self.orders: list[Order] = []
        self.first_open: dict[int, int] = {}  # by stream number
        self.refuse: str | None = None
        self.unfollowed: dict[str, str] = {}  # controls that no model follows, and why
        self.hear: Callable[[Report], None] = lambda report: None
        self.dues: dict[int, int] = {}

    def send(self, order: Order) -> None:
        self.orders.append(order)

    async def request(self, order: Order) -> Report:
        await asyncio.sleep(0)
        self.orders.append(order)
        if self.refuse:
            raise CapacityError(self.refuse)
        match order:
            case JoinOrder():
                for name in set(order.asked) & self.unfollowed.keys():
                    raise ControlError(self.unfollowed[name])
                left_out = tuple(name for name in self.unfollowed if name in order.controls)
                controls = {n: v for n, v in order.controls.items() if n not in left_out}
                due = order.due or self.clock() + SECOND // 2
                first = 0
                if order.resume is not None:
                    first, due = order.resume.bar, order.resume.due or due
                self.dues[order.stream] = due - first * BAR
                return JoinReport(
                    order.request,
                    order.stream,
                    "0" * 64,
                    order.model,
                    controls,
                    first,
                    due,
                    (),
                    self.unfollowed,
                    left_out,
                )
            case ChangeOrder():
                bar = self.first_open.get(order.stream, 0)
                due = self.dues[order.stream] + bar * BAR
                changed = ChangeReport(order.request, order.stream, bar, due, order.set)
                self.hear(changed)
                return changed
            case SnapshotOrder():
                bar = self.first_open.get(order.stream, 0)
                kept = SnapshotReport(order.request, order.stream, bar, f"/kept/{order.stream}")
                self.hear(kept)
                return kept
        raise StreamError(f"{order} is not scripted")

    def composed(self, number: int, index: int, revision: int = 0, pitch: int = 60) -> BarReport:
        bar = wire_bar(index, revision, pitch)
        due = self.dues[number] + index * BAR
        return BarReport(number, index, revision, due, BAR, encode_bar(bar))

    def sent(self, kind: type[Any]) -> list[Any]:
        return [order for order in self.orders if isinstance(order, kind)]


class Notebook:
    """A listener that writes everything down."""

    def __init__(self) -> None:
        self.heard: list[StreamEvent] = []

    def hear(self, stream: Stream, event: StreamEvent) -> None:
        self.heard.append(event)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.heard if isinstance(event, kind)]
