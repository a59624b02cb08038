"""The line: whatever the pieces, the same messages; whatever the bytes, no harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.composing.framing import (
    LENGTH_BYTES,
    MAX_MESSAGE,
    LineError,
    encode,
    order_frames,
    report_frames,
)
from server.composing.messages import (
    Change,
    Changed,
    Close,
    Composed,
    Join,
    Keep,
    Kept,
    Leave,
    Load,
    LoggedChange,
    Order,
    Ready,
    Refused,
    Report,
    Resume,
    Shift,
    Trouble,
)

RESUME = Resume("a.stream", (LoggedChange(4, {"density": 3.5}, {6: {"chord": 3}}),), 9, 77, {9: 2})
ORDERS: list[Order] = [
    Join(1, 2, "study", "default", 2**63 - 1, 3, {"key": "D minor", "style": {"calm": 1}}),
    Join(1, 2, "ü", "m.onnx", 0, 3, {}, due=5, prompt={"notes": [[0, 24, 60, 80, 0]]}),
    Join(1, 2, "study", "default", 7, 3, {}, resume=RESUME),
    Leave(2),
    Change(3, 2, {"tempo": None}, {5: {"chord": 7, "source": -1}}),
    Shift(2, 4, -(2**40)),
    Keep(4, 2),
    Close(),
]
REPORTS: list[Report] = [
    Ready("default", "ab", ("calm",), 8000.5, 1),
    Refused(1, 2, "CapacityError", "all taken"),
    Changed(1, 2, 3, 4, {"density": 3.0}),
    Composed(1, 2, 0, 2**50, 2_000_000, b"\x00{}"),
    Kept(0, 2, 3, "/x"),
    Load(1, 2.0, 3.0, 4, 5, 0.5, 6, {"looping_bars": 1}),
    Trouble(1, "a full disk"),
]


@given(st.lists(st.sampled_from(ORDERS), max_size=8), st.data())
def test_orders_arrive_whole_however_they_are_cut(orders: list[Order], data: st.DataObject) -> None:
    sent = b"".join(map(encode, orders))
    frames, found = order_frames(), []
    while sent:
        size = data.draw(st.integers(1, len(sent)))
        found += frames.feed(sent[:size])
        sent = sent[size:]
    assert found == orders


def test_reports_arrive_as_they_were_sent() -> None:
    assert report_frames().feed(b"".join(map(encode, REPORTS))) == REPORTS


@given(st.binary(max_size=60))
def test_a_message_that_is_none_is_named_and_the_next_one_is_read(garbage: bytes) -> None:
    frames = order_frames()
    sent = len(garbage).to_bytes(LENGTH_BYTES, "big") + garbage + encode(Leave(5))
    found = frames.feed(sent)
    assert found[-1] == Leave(5)
    assert len(found) == 2


@pytest.mark.parametrize(
    "content", [encode(Ready("m", "s", (), 1.0, 1))[4:], b"\x90" * 50_000, b"\xc1", b""]
)
def test_what_is_no_order_is_no_order(content: bytes) -> None:
    (found,) = order_frames().feed(len(content).to_bytes(4, "big") + content)
    assert isinstance(found, LineError)


def test_a_length_beyond_all_messages_ends_the_line_at_once() -> None:
    with pytest.raises(LineError, match="the line is broken"):
        order_frames().feed((MAX_MESSAGE + 1).to_bytes(LENGTH_BYTES, "big"))


def test_a_message_too_long_is_not_sent() -> None:
    with pytest.raises(LineError, match="too long"):
        encode(Join(1, 2, "x" * (MAX_MESSAGE + 1), "default", 0, 3, {}))
