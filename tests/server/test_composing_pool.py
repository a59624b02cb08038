"""Several composing processes as one line: who gets which stream, growing, dying, ending."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from common.errors import CapacityError, StreamError
from server.child.supervised import ChildCondition
from server.composing import pool
from server.composing.client import ComposerLost
from server.composing.messages import (
    ChangeOrder,
    ChangeReport,
    ComposerReady,
    ComposerSettings,
    FailureReport,
    JoinOrder,
    JoinReport,
    LeaveOrder,
    LoadReport,
    Order,
    Report,
    ShiftOrder,
)
from server.composing.pool import Call, ComposerPool, together


class ScriptedLink:
    """Takes so many streams; notes what it is told. It suspends at everything that a real one
    suspends at; `hold` has it wait there until the test lets it go on."""

    def __init__(
        self, room: int, on_report: Callable[[Report], None], on_lost: Call, on_ready: Call
    ) -> None:
        self.room, self.on_report = room, on_report
        self.on_lost, self.on_ready = on_lost, on_ready
        self.is_open = False
        self.pid = 1
        self.condition = ChildCondition()
        self.composed: set[int] = set()
        self.told: list[Order] = []
        self.closed = 0
        self.hold = asyncio.Event()
        self.hold.set()
        self._waiting: list[asyncio.Future[None]] = []

    async def _pass(self) -> None:
        """Where somebody waits for the process: it may fail meanwhile."""
        failing = asyncio.get_running_loop().create_future()
        self._waiting.append(failing)
        await asyncio.sleep(0)
        held = asyncio.ensure_future(self.hold.wait())
        await asyncio.wait([failing, held], return_when=asyncio.FIRST_COMPLETED)
        held.cancel()
        self._waiting.remove(failing)
        if failing.done():
            raise ComposerLost("the composing process ended: try again in a moment")

    async def start(self) -> ComposerReady:
        await self._pass()
        self.is_open = True
        return ComposerReady("default", "0", ("calm",), 1000.0, self.pid)

    async def close(self, timeout: float) -> None:
        self.closed += 1
        await self._pass()  # it saves its streams, and answers still
        self.is_open = False

    def die(self) -> None:
        """As `Link` does: whoever waits is failed, then it is told."""
        self.is_open = False
        self.composed.clear()
        for failing in self._waiting:
            failing.set_result(None)
        self.on_lost()

    def come_back(self) -> None:
        self.is_open = True
        self.on_ready()

    def send(self, order: Order) -> None:
        self.told.append(order)
        if isinstance(order, LeaveOrder):
            self.composed.discard(order.stream)

    async def request(self, order: Any) -> Any:
        if not self.is_open:
            raise ComposerLost("the composing process is not running: try again in a moment")
        self.told.append(order)
        await self._pass()
        if isinstance(order, ChangeOrder):
            return ChangeReport(0, order.stream, 1, 0, {})
        if len(self.composed) >= self.room and order.resume is None:
            raise CapacityError("no room")
        self.composed.add(order.stream)
        return JoinReport(0, order.stream, "0", "default", {}, 0, 0)


class Scene:
    """A crew whose processes take `room` streams each."""

    def __init__(self, most: int = 3, room: int = 2) -> None:
        self.clients: list[ScriptedLink] = []
        self.reports: list[Report] = []
        self.lost: list[frozenset[int]] = []
        self.returns = 0

        def client(
            settings: ComposerSettings,
            on_report: Callable[[Report], None],
            on_lost: Call,
            on_ready: Call,
        ) -> Any:
            self.clients.append(ScriptedLink(room, on_report, on_lost, on_ready))
            return self.clients[-1]

        def is_back() -> None:
            self.returns += 1

        self.crew = ComposerPool(
            ComposerSettings(), most, self.reports.append, self.lost.append, is_back, client
        )

    async def join(self, *streams: int, **values: Any) -> None:
        for stream in streams:
            await self.crew.request(
                JoinOrder(0, stream, f"own-{stream}", "default", 1, stream, {}, **values)
            )

    @property
    def composed(self) -> list[set[int]]:
        return [client.composed for client in self.clients]


def played(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


def test_another_process_is_started_when_one_can_carry_no_more_and_not_before() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.crew.start()
        await scene.join(1, 2)
        assert len(scene.clients) == 1
        await scene.join(3)
        assert scene.composed == [{1, 2}, {3}]
        await scene.join(4, 5, 6)
        assert scene.composed == [{1, 2}, {3, 4}, {5, 6}]
        with pytest.raises(CapacityError, match="no room"):
            await scene.join(7)
        assert len(scene.clients) == 3

    played(scenario())


def test_who_comes_goes_where_the_fewest_are() -> None:
    async def scenario() -> None:
        scene = Scene(room=4)
        await scene.crew.start()
        await scene.join(1, 2, 3, 4, 5)
        scene.crew.send(LeaveOrder(2))
        await scene.join(6, 7)
        assert scene.composed == [{1, 3, 4}, {5, 6, 7}]

    played(scenario())


def test_many_who_come_at_once_start_one_process_alone() -> None:
    async def scenario() -> None:
        scene = Scene(most=8, room=4)
        await scene.crew.start()
        await asyncio.gather(*(scene.join(stream) for stream in range(1, 9)))
        assert len(scene.clients) == 2
        assert set.union(*scene.composed) == set(range(1, 9))

    played(scenario())


def test_orders_reach_the_process_that_has_the_stream_until_it_leaves() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.crew.start()
        await scene.join(1, 2, 3)
        await scene.crew.request(ChangeOrder(0, 3, {}))
        scene.crew.send(ShiftOrder(3, 1, 5))
        scene.crew.send(LeaveOrder(3))
        scene.crew.send(ShiftOrder(3, 2, 5))
        first, second = scene.clients
        assert [type(order) for order in second.told] == [
            JoinOrder,
            ChangeOrder,
            ShiftOrder,
            LeaveOrder,
        ]
        assert all(order.stream != 3 or isinstance(order, JoinOrder) for order in first.told)
        with pytest.raises(StreamError, match="not composed"):
            await scene.crew.request(ChangeOrder(0, 3, {}))

    played(scenario())


def test_only_the_streams_of_the_process_that_died_are_lost() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.crew.start()
        await scene.join(1, 2, 3)
        scene.clients[1].die()
        assert scene.lost == [{3}]
        await scene.crew.request(ChangeOrder(0, 1, {}))
        with pytest.raises(ComposerLost, match="at the moment"):
            await scene.crew.request(ChangeOrder(0, 3, {}))
        scene.clients[1].come_back()
        assert scene.returns == 1
        await scene.join(4)
        assert scene.composed == [{1, 2}, {4}]

    played(scenario())


def test_who_comes_while_a_process_is_dead_goes_to_another() -> None:
    async def scenario() -> None:
        scene = Scene(most=2, room=2)
        await scene.crew.start()
        await scene.join(1, 2, 3)
        scene.clients[0].die()
        await scene.join(4)
        assert scene.clients[1].composed == {3, 4}
        scene.clients[1].die()
        with pytest.raises(ComposerLost, match="nothing composes"):
            await scene.join(5)

    played(scenario())


def test_loads_are_told_as_one_and_counts_never_fall() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.crew.start()
        await scene.join(1, 2, 3)
        first, second = scene.clients
        first.on_report(LoadReport(2, 900.0, 20.0, 50, 5, 0.4, 100, {"silence_bars": 2}))
        second.on_report(LoadReport(1, 700.0, 10.0, 30, 3, 0.2, 80, {"silence_bars": 1}))
        assert scene.reports[-1] == LoadReport(
            3, 1600.0, 30.0, 80, 8, pytest.approx(0.3), 180, {"silence_bars": 3}, 2
        )
        second.die()
        first.on_report(LoadReport(2, 900.0, 20.0, 60, 6, 0.5, 100, {"silence_bars": 2}))
        assert scene.reports[-1] == LoadReport(
            2, 900.0, 20.0, 90, 9, 0.5, 100, {"silence_bars": 3}, 1
        )

    played(scenario())


def test_who_waits_for_a_process_that_fails_is_told_that_nobody_refused_it() -> None:
    async def scenario() -> None:
        scene = Scene(room=4)
        await scene.crew.start()
        await scene.join(1)
        client = scene.clients[0]
        client.hold.clear()
        asked = [
            asyncio.create_task(scene.crew.request(ChangeOrder(0, 1, {}))),
            asyncio.create_task(scene.join(2)),
        ]
        for _ in range(3):
            await asyncio.sleep(0)
        client.die()
        assert scene.lost == [{1, 2}]
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            assert isinstance(answer, ComposerLost)
        client.hold.set()
        client.come_back()
        await scene.join(1, 2)
        assert scene.composed == [{1, 2}]

    played(scenario())


def test_a_stream_whose_process_fails_between_the_answer_and_its_reading_has_not_joined() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.crew.start()
        (client,) = scene.clients
        request = client.request

        async def answered_and_gone(order: Any) -> Any:
            answer = await request(order)
            client.die()
            return answer

        client.request = answered_and_gone  # type: ignore[method-assign]
        with pytest.raises(ComposerLost):
            await scene.join(1)
        assert scene.lost == [{1}]

    played(scenario())


def test_a_stream_that_failed_alone_is_told_still_that_it_leaves() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.crew.start()
        await scene.join(1, 2)
        scene.clients[0].on_report(FailureReport(1, "a fault"))
        assert scene.reports == [FailureReport(1, "a fault")]
        scene.crew.send(LeaveOrder(1, forget=True))
        assert scene.clients[0].told[-1] == LeaveOrder(1, forget=True)
        scene.clients[0].die()
        assert scene.lost == [{2}]

    played(scenario())


def test_a_further_process_ends_when_it_had_nothing_to_do_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        now = [1000.0]
        monkeypatch.setattr(pool, "monotonic", lambda: now[0])
        scene = Scene()
        await scene.crew.start()
        await scene.join(1, 2, 3)
        scene.clients[1].on_report(LoadReport(1, 700.0, 10.0, 30, 3, 0.2, 80))
        scene.crew.tick()
        for stream in (1, 2, 3):
            scene.crew.send(LeaveOrder(stream))
        now[0] += pool.IDLE - 1
        scene.crew.tick()
        assert len(scene.crew.workers) == 2
        now[0] += 2
        scene.crew.tick()
        await asyncio.sleep(0)
        assert [client.closed for client in scene.clients] == [0, 1]
        scene.clients[0].on_report(LoadReport(0, 900.0, 0.0, 10, 1, 0.0, 100))
        assert scene.reports[-1].notes == 40
        await scene.join(1, 2, 3)
        assert len(scene.clients) == 3

    played(scenario())


def test_nobody_who_joins_while_one_is_closed_is_closed_as_idle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        now = [1000.0]
        monkeypatch.setattr(pool, "monotonic", lambda: now[0])
        scene = Scene()
        await scene.crew.start()
        await scene.join(1, 2, 3, 4, 5, 6)
        _, second, third = scene.clients
        for stream in (3, 4, 5, 6):
            scene.crew.send(LeaveOrder(stream))
        now[0] += pool.IDLE + 1
        second.hold.clear()
        third.hold.clear()
        joining = asyncio.create_task(scene.join(7))  # the third takes it, in its time
        await asyncio.sleep(0)
        scene.crew.tick()
        for _ in range(3):
            await asyncio.sleep(0)
        closing = [client for client in (second, third) if client.closed]
        assert len(closing) == 1
        for client in (second, third):
            client.hold.set()
        await joining
        (left,) = [client for client in (second, third) if not client.closed]
        assert left.composed == {7}
        await scene.crew.request(ChangeOrder(0, 7, {}))
        now[0] += pool.IDLE + 1
        scene.crew.tick()
        await asyncio.sleep(0)
        assert not left.closed

    played(scenario())


def test_who_is_refused_by_one_does_not_join_another_that_was_closed_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        now = [1000.0]
        monkeypatch.setattr(pool, "monotonic", lambda: now[0])
        scene = Scene(most=2)
        await scene.crew.start()
        await scene.join(1, 2, 3)
        first, second = scene.clients
        scene.crew.send(LeaveOrder(1))
        scene.crew.send(LeaveOrder(3))
        first.room, first.composed = 0, {2}
        scene.crew.workers[1].streams.add(99)  # seems to have more: it is asked after the first
        scene.crew.workers[1].streams.add(98)
        first.hold.clear()
        joining = asyncio.create_task(scene.join(4))
        await asyncio.sleep(0)
        scene.crew.workers[1].streams.clear()
        now[0] += pool.IDLE + 1
        scene.crew.tick()
        await asyncio.sleep(0)
        assert second.closed == 1
        first.hold.set()
        await asyncio.gather(joining, return_exceptions=True)
        assert 4 not in second.composed
        assert all(order.stream != 4 for order in second.told)

    played(scenario())


def test_the_last_process_that_composes_is_not_closed_as_idle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        now = [1000.0]
        monkeypatch.setattr(pool, "monotonic", lambda: now[0])
        scene = Scene()
        await scene.crew.start()
        await scene.join(1, 2, 3)
        scene.crew.send(LeaveOrder(3))
        scene.clients[0].die()
        now[0] += pool.IDLE + 1
        scene.crew.tick()
        await asyncio.sleep(0)
        assert not scene.clients[1].closed

    played(scenario())


def test_another_process_is_started_ahead_of_need_and_kept_while_it_may_be_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        now = [1000.0]
        monkeypatch.setattr(pool, "monotonic", lambda: now[0])
        scene = Scene(most=2, room=100)
        await scene.crew.start()
        await scene.join(1, 2, 3)
        (first,) = scene.clients
        first.on_report(LoadReport(3, 1000.0, 1000 * pool.MUCH, 0, 0, 0.5, 100))
        assert not scene.crew.wants_another
        first.on_report(LoadReport(3, 1000.0, 1000 * pool.MUCH + 1, 0, 0, 0.5, 100))
        await asyncio.gather(scene.crew.grow_ahead(), scene.crew.grow_ahead())
        assert len(scene.clients) == 2
        assert not scene.crew.wants_another
        now[0] += pool.IDLE + 1
        scene.crew.tick()
        assert len(scene.crew.workers) == 2
        first.on_report(LoadReport(1, 1000.0, 1000 * pool.LITTLE, 0, 0, 0.5, 100))
        scene.crew.tick()
        assert len(scene.crew.workers) == 1
        first.on_report(LoadReport(3, 1000.0, 1000 * pool.MUCH + 1, 0, 0, 0.5, 100))
        await scene.crew.grow_ahead()
        await scene.join(4, 5)
        assert scene.composed[2] == {4, 5}

    played(scenario())


def test_a_process_that_cannot_be_started_ahead_of_need_is_tried_again_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        now = [1000.0]
        monkeypatch.setattr(pool, "monotonic", lambda: now[0])
        scene = Scene()
        await scene.crew.start()
        scene.clients[0].on_report(LoadReport(3, 1000.0, 900.0, 0, 0, 0.5, 100))

        async def fails(client: ScriptedLink) -> ComposerReady:
            raise StreamError("no memory is left")

        monkeypatch.setattr(ScriptedLink, "start", fails)
        await scene.crew.grow_ahead()
        assert "no memory is left" in caplog.text
        assert not scene.crew.wants_another
        now[0] += pool.IDLE
        assert scene.crew.wants_another

    played(scenario())


def test_a_further_process_that_does_not_start_disturbs_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.crew.start()
        await scene.join(1, 2)
        start = ScriptedLink.start

        async def fails(client: ScriptedLink) -> ComposerReady:
            await asyncio.sleep(0)
            raise StreamError("no memory is left")

        monkeypatch.setattr(ScriptedLink, "start", fails)
        with pytest.raises(CapacityError, match="no memory is left"):
            await scene.join(3)
        assert scene.lost == []
        assert len(scene.crew.workers) == 1
        await scene.crew.request(ChangeOrder(0, 1, {}))
        monkeypatch.setattr(ScriptedLink, "start", start)
        await scene.join(3)
        assert scene.composed[-1] == {3}

    played(scenario())


def test_a_process_that_starts_while_all_are_closed_is_closed_too() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.crew.start()
        await scene.join(1, 2)
        joining = asyncio.create_task(scene.join(3))
        while len(scene.clients) < 2:
            await asyncio.sleep(0)
        await scene.crew.close()
        with pytest.raises(CapacityError):
            await joining
        assert [client.closed for client in scene.clients] == [1, 1]

    played(scenario())


def test_all_processes_are_closed() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.crew.start()
        await scene.join(1, 2, 3)
        await scene.crew.close()
        assert [client.closed for client in scene.clients] == [1, 1]

    played(scenario())


def test_nothing_together_is_nothing() -> None:
    assert together([]) == pool.NOTHING
