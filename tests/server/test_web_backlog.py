"""Laws of the backlog: whatever is cut, what is resumed has neither gap nor double."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from server.web import backlog
from server.web.backlog import Backlog

AGE = 60_000_000


def body(text: str) -> tuple[bytes, ...]:
    return (b'{"text":%b' % json.dumps(text).encode(), b',"event":')


def numbers(messages: list[bytes]) -> list[int]:
    return [json.loads(message)["event"] for message in messages]


def filled(count: int, now: int = 0) -> Backlog:
    log = Backlog(AGE)
    for index in range(count):
        log.add(body(str(index)), now)
    return log


def test_messages_are_handed_out_once_in_order_with_their_numbers() -> None:
    log = filled(3)
    assert [json.loads(message) for message in log.unsent()] == [
        {"text": str(i), "event": i + 1} for i in range(3)
    ]
    assert log.unsent() == []
    log.add(body("x"), 0)
    assert numbers(log.unsent()) == [4]


steps = st.lists(
    st.one_of(
        st.just("add"),
        st.just("send"),
        st.tuples(st.just("cut"), st.integers(0, 5)),
        st.tuples(st.just("confirm"), st.integers(0, 5)),
    ),
    max_size=60,
)


@given(steps)
def test_what_arrives_is_every_message_once_wherever_the_cuts_are(steps: list[object]) -> None:
    """A cut loses the last few messages that were handed out; the client says what it has."""
    log, added, arrived = Backlog(AGE), 0, []
    for step in steps:
        match step:
            case "add":
                added += 1
                log.add(body(str(added)), 0)
            case "send":
                arrived += numbers(log.unsent())
            case ("cut", lost) if isinstance(lost, int):
                confirmed = added - len(log)
                kept = max(len(arrived) - lost, min(confirmed, len(arrived)))
                del arrived[kept:]
                assert log.resume(len(arrived))
            case ("confirm", back) if isinstance(back, int):
                log.arrived(max(0, len(arrived) - back))
    arrived += numbers(log.unsent())
    assert arrived == list(range(1, added + 1))


def test_what_was_dropped_or_never_sent_cannot_be_resumed() -> None:
    log = filled(10)
    log.unsent()
    log.arrived(6)
    assert not log.resume(5)
    assert log.unsent() == []
    log.add(body("on it goes"), 0)
    assert numbers(log.unsent()) == [11]
    assert not log.resume(12)


def test_what_is_confirmed_before_it_was_sent_is_kept() -> None:
    log = filled(3)
    log.arrived(99)
    assert numbers(log.unsent()) == [1, 2, 3]


def test_count_and_bytes_are_bounded() -> None:
    log = filled(backlog.MAX_COUNT + 10)
    assert len(log) == backlog.MAX_COUNT
    assert not log.resume(9)
    big = Backlog(AGE)
    for _ in range(20):
        big.add((b"x" * (backlog.MAX_BYTES // 8),), 0)
    assert len(big) == 8


def test_what_was_sent_is_dropped_with_age_and_what_was_not_is_kept() -> None:
    log = filled(2, now=0)
    log.add(body("later"), AGE + 1)
    assert len(log) == 3
    log.unsent()
    log.add(body("later still"), 2 * AGE + 1)
    assert len(log) == 2
    assert numbers(log.unsent()) == [4]
