"""What waits to be done to a stream: in order, faders together, bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from common.errors import StreamError
from server.house.promises import PromiseCounts, Promises
from server.house.requests import ChangeRequest, StartRequest, StopRequest, StreamRequest
from server.house.steering_queue import MAX_GROUPS, MAX_QUEUED, QueuedRequest, SteeringQueue


def posting(test: Callable[[SteeringQueue, Callable[..., QueuedRequest]], None]) -> None:
    async def scenario() -> None:
        queue, loop = SteeringQueue(), asyncio.get_running_loop()

        def post(request: StreamRequest, at: float = 0.0) -> QueuedRequest:
            queued = QueuedRequest(request, at, loop.create_future())
            queue.put(queued)
            return queued

        test(queue, post)

    asyncio.run(scenario())


def fader(value: float) -> ChangeRequest:
    return ChangeRequest(by="me", controls={"density": value})


def test_faders_that_wait_in_a_row_are_one_thing_to_do() -> None:
    def test(queue: SteeringQueue, post: Callable[..., QueuedRequest]) -> None:
        queued_requests = [
            post(one) for one in (fader(1), fader(2), StartRequest(by="me"), fader(3), fader(4))
        ]
        assert [queue.take() for _ in range(3)] == [
            queued_requests[:2],
            queued_requests[2:3],
            queued_requests[3:],
        ]
        assert not queue

    posting(test)


def test_a_plan_is_made_alone() -> None:
    def test(queue: SteeringQueue, post: Callable[..., QueuedRequest]) -> None:
        for request in (fader(1), ChangeRequest(by="me", plan={4: {"chord": 1}}), fader(2)):
            post(request)
        assert [len(queue.take()) for _ in range(3)] == [1, 1, 1]

    posting(test)


def test_there_is_an_end_to_what_waits() -> None:
    def test(queue: SteeringQueue, post: Callable[..., QueuedRequest]) -> None:
        for _ in range(MAX_GROUPS):
            post(StopRequest(by="me"))
        with pytest.raises(StreamError, match=f"{MAX_GROUPS} things wait"):
            post(fader(1))
        assert len(queue.empty()) == MAX_GROUPS
        for value in range(MAX_QUEUED):
            post(fader(value))
        with pytest.raises(StreamError, match=f"{MAX_QUEUED} things wait"):
            post(fader(1))

    posting(test)


def test_what_waited_too_long_is_taken_out_wherever_it_stands() -> None:
    def test(queue: SteeringQueue, post: Callable[..., QueuedRequest]) -> None:
        old, fresh, older = post(fader(1), 5), post(fader(2), 20), post(StartRequest(by="me"), 3)
        assert queue.expire(10) == [old, older]
        assert queue.take() == [fresh]

    posting(test)


def test_what_is_put_back_is_first_again() -> None:
    def test(queue: SteeringQueue, post: Callable[..., QueuedRequest]) -> None:
        first, second = post(StopRequest(by="a")), post(StartRequest(by="b"))
        group = queue.take()
        queue.put_back(group)
        assert [queue.take(), queue.take()] == [[first], [second]]

    posting(test)


# -- promises ------------------------------------------------------------------------------------


def test_a_promise_is_kept_in_the_first_bar_that_was_composed_under_it() -> None:
    counts = PromiseCounts()
    promises = Promises(counts)
    promises.make(3, 10)
    serials = {10: 2, 11: -1, 12: 3}
    assert promises.settle(9, serials.__getitem__) == []
    assert [(p.change, p.bar) for p in promises.settle(10, serials.__getitem__)] == [(3, 11)]
    assert [(p.change, p.bar) for p in promises.settle(12, serials.__getitem__)] == [(3, 12)]
    assert (counts.made, counts.kept, counts.open, len(promises)) == (1, 1, 0, 0)


def test_a_later_change_keeps_the_promises_before_it() -> None:
    promises = Promises(PromiseCounts())
    promises.make(1, 4)
    promises.make(2, 4)
    assert promises.settle(4, {4: 2}.__getitem__) == []
    assert promises.counts.kept == 2


def test_what_is_given_up_is_counted() -> None:
    promises = Promises(PromiseCounts())
    promises.make(1, 4)
    promises.make(2, 5)
    promises.settle(4, {4: 1}.__getitem__)
    promises.void()
    assert (promises.counts.made, promises.counts.kept, promises.counts.void) == (2, 1, 1)
    assert promises.counts.open == 0
