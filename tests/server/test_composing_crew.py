"""Several composing processes as one line: who gets which stream, growing, dying, ending."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from engine.errors import CapacityError, StreamError
from server.composing import crew
from server.composing.crew import Crew, Worker, together
from server.composing.messages import (
    Change,
    Changed,
    Join,
    Joined,
    Leave,
    Load,
    Order,
    Ready,
    Report,
    Shift,
)
from server.composing.settings import Settings


class ScriptedLink:
    """Takes so many streams; notes what it is told."""

    def __init__(
        self, room: int, on_report: Callable[[Report], None], on_end: Callable[[], None]
    ) -> None:
        self.room, self.on_report, self.on_end = room, on_report, on_end
        self.is_open = False
        self.pid = 1
        self.silent_for = 0.0
        self.composed: set[int] = set()
        self.told: list[Order] = []
        self.killed = self.closed = 0

    async def start(self) -> Ready:
        await asyncio.sleep(0)
        self.is_open = True
        return Ready("default", "0", ("calm",), 1000.0, self.pid)

    async def restart(self) -> Ready:
        self.composed.clear()
        return await self.start()

    async def close(self, timeout: float) -> None:
        self.is_open = False
        self.closed += 1

    def kill(self) -> None:
        self.killed += 1

    def die(self) -> None:
        self.is_open = False
        self.on_end()

    def send(self, order: Order) -> None:
        self.told.append(order)
        if isinstance(order, Leave):
            self.composed.discard(order.stream)

    async def request(self, order: Any) -> Any:
        await asyncio.sleep(0)
        if not self.is_open:
            raise StreamError("the composing process is not running: try again in a moment")
        self.told.append(order)
        if isinstance(order, Change):
            return Changed(0, order.stream, 1, 0, {})
        if len(self.composed) >= self.room and order.resume is None:
            raise CapacityError("no room")
        self.composed.add(order.stream)
        return Joined(0, order.stream, "0", "default", {}, 0, 0)


class Scene:
    """A crew whose processes take `room` streams each."""

    def __init__(self, most: int = 3, room: int = 2) -> None:
        self.links: list[ScriptedLink] = []
        self.reports: list[Report] = []
        self.lost: list[tuple[Worker, frozenset[int]]] = []

        def link(
            settings: Settings, on_report: Callable[[Report], None], on_end: Callable[[], None]
        ) -> Any:
            self.links.append(ScriptedLink(room, on_report, on_end))
            return self.links[-1]

        self.crew = Crew(
            Settings(),
            most,
            self.reports.append,
            lambda worker, streams: self.lost.append((worker, streams)),
            link,
        )

    async def join(self, *streams: int, **values: Any) -> None:
        for stream in streams:
            await self.crew.request(
                Join(0, stream, f"own-{stream}", "default", 1, stream, {}, **values)
            )

    @property
    def composed(self) -> list[set[int]]:
        return [link.composed for link in self.links]


def played(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


def test_another_process_is_started_when_one_can_carry_no_more_and_not_before() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.crew.start()
        await scene.join(1, 2)
        assert len(scene.links) == 1
        await scene.join(3)
        assert scene.composed == [{1, 2}, {3}]
        await scene.join(4, 5, 6)
        assert scene.composed == [{1, 2}, {3, 4}, {5, 6}]
        with pytest.raises(CapacityError, match="no room"):
            await scene.join(7)
        assert len(scene.links) == 3

    played(scenario())


def test_who_comes_goes_where_the_fewest_are() -> None:
    async def scenario() -> None:
        scene = Scene(room=4)
        await scene.crew.start()
        await scene.join(1, 2, 3, 4, 5)
        scene.crew.send(Leave(2))
        await scene.join(6, 7)
        assert scene.composed == [{1, 3, 4}, {5, 6, 7}]

    played(scenario())


def test_many_who_come_at_once_start_one_process_alone() -> None:
    async def scenario() -> None:
        scene = Scene(most=8, room=4)
        await scene.crew.start()
        await asyncio.gather(*(scene.join(stream) for stream in range(1, 9)))
        assert len(scene.links) == 2
        assert set.union(*scene.composed) == set(range(1, 9))

    played(scenario())


def test_orders_reach_the_process_that_has_the_stream_until_it_leaves() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.crew.start()
        await scene.join(1, 2, 3)
        await scene.crew.request(Change(0, 3, {}))
        scene.crew.send(Shift(3, 1, 5))
        scene.crew.send(Leave(3))
        scene.crew.send(Shift(3, 2, 5))
        first, second = scene.links
        assert [type(order) for order in second.told] == [Join, Change, Shift, Leave]
        assert all(order.stream != 3 or isinstance(order, Join) for order in first.told)
        with pytest.raises(StreamError, match="not composed"):
            await scene.crew.request(Change(0, 3, {}))

    played(scenario())


def test_only_the_streams_of_the_process_that_died_are_lost() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.crew.start()
        await scene.join(1, 2, 3)
        scene.links[1].die()
        ((worker, streams),) = scene.lost
        assert streams == {3}
        await scene.crew.request(Change(0, 1, {}))
        with pytest.raises(StreamError, match="at the moment"):
            await scene.crew.request(Change(0, 3, {}))
        await scene.crew.replace(worker)
        await scene.join(4)
        assert scene.composed == [{1, 2}, {4}]

    played(scenario())


def test_who_comes_while_a_process_is_dead_goes_to_another() -> None:
    async def scenario() -> None:
        scene = Scene(most=2, room=2)
        await scene.crew.start()
        await scene.join(1, 2, 3)
        scene.links[0].die()
        await scene.join(4)
        assert scene.links[1].composed == {3, 4}
        scene.links[1].die()
        with pytest.raises(StreamError, match="nothing composes"):
            await scene.join(5)

    played(scenario())


def test_loads_are_told_as_one_and_counts_never_fall() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.crew.start()
        await scene.join(1, 2, 3)
        first, second = scene.links
        first.on_report(Load(2, 900.0, 20.0, 50, 5, 0.4, 100, {"silence_bars": 2}))
        second.on_report(Load(1, 700.0, 10.0, 30, 3, 0.2, 80, {"silence_bars": 1}))
        assert scene.reports[-1] == Load(
            3, 1600.0, 30.0, 80, 8, pytest.approx(0.3), 180, {"silence_bars": 3}, 2
        )
        second.die()
        first.on_report(Load(2, 900.0, 20.0, 60, 6, 0.5, 100, {"silence_bars": 2}))
        assert scene.reports[-1] == Load(2, 900.0, 20.0, 90, 9, 0.5, 100, {"silence_bars": 3}, 1)

    played(scenario())


def test_what_hangs_is_killed() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.crew.start()
        await scene.join(1, 2, 3)
        scene.links[1].silent_for = crew.HANGS_AFTER + 1
        await scene.crew.tick()
        assert [link.killed for link in scene.links] == [0, 1]

    played(scenario())


def test_a_further_process_ends_when_it_had_nothing_to_do_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        now = [1000.0]
        monkeypatch.setattr(crew, "monotonic", lambda: now[0])
        scene = Scene()
        await scene.crew.start()
        await scene.join(1, 2, 3)
        scene.links[1].on_report(Load(1, 700.0, 10.0, 30, 3, 0.2, 80))
        await scene.crew.tick()
        for stream in (1, 2, 3):
            scene.crew.send(Leave(stream))
        now[0] += crew.IDLE - 1
        await scene.crew.tick()
        assert len(scene.crew.workers) == 2
        now[0] += 2
        await scene.crew.tick()
        assert [link.closed for link in scene.links] == [0, 1]
        scene.links[0].on_report(Load(0, 900.0, 0.0, 10, 1, 0.0, 100))
        assert scene.reports[-1].notes == 40
        await scene.join(1, 2, 3)
        assert len(scene.links) == 3

    played(scenario())


def test_another_process_is_started_ahead_of_need_and_kept_while_it_may_be_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        now = [1000.0]
        monkeypatch.setattr(crew, "monotonic", lambda: now[0])
        scene = Scene(most=2, room=100)
        await scene.crew.start()
        await scene.join(1, 2, 3)
        (first,) = scene.links
        first.on_report(Load(3, 1000.0, 1000 * crew.MUCH, 0, 0, 0.5, 100))
        assert not scene.crew.wants_another
        first.on_report(Load(3, 1000.0, 1000 * crew.MUCH + 1, 0, 0, 0.5, 100))
        await asyncio.gather(scene.crew.grow_ahead(), scene.crew.grow_ahead())
        assert len(scene.links) == 2
        assert not scene.crew.wants_another
        now[0] += crew.IDLE + 1
        await scene.crew.tick()
        assert len(scene.crew.workers) == 2
        first.on_report(Load(1, 1000.0, 1000 * crew.LITTLE, 0, 0, 0.5, 100))
        await scene.crew.tick()
        assert len(scene.crew.workers) == 1
        first.on_report(Load(3, 1000.0, 1000 * crew.MUCH + 1, 0, 0, 0.5, 100))
        await scene.crew.grow_ahead()
        await scene.join(4, 5)
        assert scene.composed[2] == {4, 5}

    played(scenario())


def test_a_process_that_cannot_be_started_ahead_of_need_is_tried_again_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        now = [1000.0]
        monkeypatch.setattr(crew, "monotonic", lambda: now[0])
        scene = Scene()
        await scene.crew.start()
        scene.links[0].on_report(Load(3, 1000.0, 900.0, 0, 0, 0.5, 100))

        async def fails(link: ScriptedLink) -> Ready:
            raise StreamError("no memory is left")

        monkeypatch.setattr(ScriptedLink, "start", fails)
        await scene.crew.grow_ahead()
        assert "no memory is left" in caplog.text
        assert not scene.crew.wants_another
        now[0] += crew.IDLE
        assert scene.crew.wants_another

    played(scenario())


def test_all_processes_are_closed() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.crew.start()
        await scene.join(1, 2, 3)
        await scene.crew.close()
        assert [link.closed for link in scene.links] == [1, 1]

    played(scenario())


def test_nothing_together_is_nothing() -> None:
    assert together([]) == crew.NOTHING
