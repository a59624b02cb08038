"""The line: whatever the pieces, the same messages; whatever the bytes, no harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.base.framing import LENGTH_BYTES, MAX_MESSAGE, FramingError, encode
from server.composing.messages import (
    BarReport,
    ChangeOrder,
    ChangeReport,
    CloseOrder,
    ComposerReady,
    JoinOrder,
    LeaveOrder,
    LoadReport,
    Order,
    PastChange,
    RefusalReport,
    Report,
    ResumePoint,
    ShiftOrder,
    SnapshotOrder,
    SnapshotReport,
    TroubleReport,
    order_frames,
    report_frames,
)

RESUME = ResumePoint(
    "a.stream", (PastChange(4, {"density": 3.5}, {6: {"chord": 3}}),), 9, 77, {9: 2}
)
ORDERS: list[Order] = [
    JoinOrder(1, 2, "study", "default", 2**63 - 1, 3, {"key": "D minor", "style": {"calm": 1}}),
    JoinOrder(1, 2, "ü", "m.onnx", 0, 3, {}, due=5, prompt={"notes": [[0, 24, 60, 80, 0]]}),
    JoinOrder(1, 2, "study", "default", 7, 3, {}, resume=RESUME),
    LeaveOrder(2),
    ChangeOrder(3, 2, {"tempo": None}, {5: {"chord": 7, "source": -1}}),
    ShiftOrder(2, 4, -(2**40)),
    SnapshotOrder(4, 2),
    CloseOrder(),
]
REPORTS: list[Report] = [
    ComposerReady("default", "ab", ("calm",), 8000.5, 1),
    RefusalReport(1, 2, "CapacityError", "all taken"),
    ChangeReport(1, 2, 3, 4, {"density": 3.0}),
    BarReport(1, 2, 0, 2**50, 2_000_000, b"\x00{}"),
    SnapshotReport(0, 2, 3, "/x"),
    LoadReport(1, 2.0, 3.0, 4, 5, 0.5, 6, {"looping_bars": 1}),
    TroubleReport(1, "a full disk"),
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
    sent = len(garbage).to_bytes(LENGTH_BYTES, "big") + garbage + encode(LeaveOrder(5))
    found = frames.feed(sent)
    assert found[-1] == LeaveOrder(5)
    assert len(found) == 2


@pytest.mark.parametrize(
    "content", [encode(ComposerReady("m", "s", (), 1.0, 1))[4:], b"\x90" * 50_000, b"\xc1", b""]
)
def test_what_is_no_order_is_no_order(content: bytes) -> None:
    (found,) = order_frames().feed(len(content).to_bytes(4, "big") + content)
    assert isinstance(found, FramingError)


def test_a_length_beyond_all_messages_ends_the_line_at_once() -> None:
    with pytest.raises(FramingError, match="the line is broken"):
        order_frames().feed((MAX_MESSAGE + 1).to_bytes(LENGTH_BYTES, "big"))


def test_a_message_too_long_is_not_sent() -> None:
    with pytest.raises(FramingError, match="too long"):
        encode(JoinOrder(1, 2, "x" * (MAX_MESSAGE + 1), "default", 0, 3, {}))
