"""OSC datagrams: the exact bytes, and that no bytes at all do harm."""

from __future__ import annotations

import math
import struct
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_message import OscMessage

from server.osc.packets import (
    IMMEDIATELY,
    MAX_DATAGRAM,
    MAX_DEPTH,
    MAX_MESSAGES,
    GarbageError,
    PacketBundle,
    PacketMessage,
    decode,
    encode,
    encode_bundle,
    time_of,
    timetag_of,
)

WIRE = [
    (b"/a\0\0,\0\0\0", PacketMessage("/a", ())),
    (b"/abc\0\0\0\0,i\0\0\0\0\0\5", PacketMessage("/abc", (5,))),
    (b"/a\0\0,f\0\0\x3f\x80\0\0", PacketMessage("/a", (1.0,))),
    (b"/a\0\0,s\0\0hallo\0\0\0", PacketMessage("/a", ("hallo",))),
    (b"/a\0\0,TFN\0\0\0\0", PacketMessage("/a", (True, False, None))),
    (b"/a\0\0,h\0\0\0\0\0\1\0\0\0\0", PacketMessage("/a", (1 << 32,))),
    (b"/a\0\0,b\0\0\0\0\0\3xyz\0", PacketMessage("/a", (b"xyz",))),
    (b"/a\0\0,sf\0" + "ü".encode() + b"\0\0\x3e\x99\x99\x9a", PacketMessage("/a", ("ü", 0.3))),
]


@pytest.mark.parametrize(("data", "message"), WIRE)
def test_messages_are_these_bytes(data: bytes, message: PacketMessage) -> None:
    assert encode(message.address, *message.values) == data
    assert decode(data) == (PacketBundle(IMMEDIATELY, (message,)),)


@pytest.mark.parametrize(
    ("data", "values"),
    [
        (b"/a\0\0", ()),  # no types at all
        (b"/a\0\0,d\0\0\x3f\xf0\0\0\0\0\0\0", (1.0,)),
        (b"/a\0\0,I\0\0", (True,)),
        (b"/a\0\0,S\0\0x\0\0\0", ("x",)),
        (b"/a\0\0,[i]\0\0\0\0\0\0\0\7", (7,)),
        (b"/a\0\0,r\0\0\1\2\3\4", (b"\1\2\3\4",)),
        (b"/a\0\0,m\0\0\1\2\3\4", (b"\1\2\3\4",)),
    ],
)
def test_other_forms_are_read_too(data: bytes, values: tuple[object, ...]) -> None:
    assert decode(data)[0].messages == (PacketMessage("/a", values),)


def test_a_bundle_is_these_bytes() -> None:
    inner = b"/a\0\0,\0\0\0"
    data = b"#bundle\0" + b"\x83\xaa\x7e\x80\x80\0\0\0" + b"\0\0\0\x08" + inner
    assert encode_bundle(timetag_of(500_000), inner) == data
    assert decode(data) == (PacketBundle(timetag_of(500_000), (PacketMessage("/a", ()),)),)


def test_bundles_in_bundles_come_out_in_order_and_not_before_the_outer_one() -> None:
    a, b, c = encode("/a"), encode("/b"), encode("/c")
    data = encode_bundle(90, a, encode_bundle(50, b), c)
    assert [(t.timetag, t.messages[0].address) for t in decode(data)] == [
        (90, "/a"),
        (90, "/b"),
        (90, "/c"),
    ]
    assert decode(encode_bundle(90, a, b))[0].messages == (
        PacketMessage("/a", ()),
        PacketMessage("/b", ()),
    )
    assert decode(encode_bundle(90, encode_bundle(95, a)))[0].timetag == 95
    assert decode(encode_bundle(IMMEDIATELY)) == ()


def nested(depth: int) -> bytes:
    data = encode("/a")
    for _ in range(depth):
        data = encode_bundle(IMMEDIATELY, data)
    return data


HANGS_PYTHON_OSC = b"#bundle\0" + bytes(7) + b"\1" + b"\xff\xff\xff\xfc"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\xff" * 40,
        b"/\xff\0\0",
        b"/a",
        b"/a\0\0i\0\0\0",
        b"/a\0\0,X\0\0",
        b"/a\0\0,i\0\0\0",
        b"/a\0\0,s\0\0abc",
        b"/a\0\0,b\0\0\x7f\xff\xff\xffabc",
        b"/a\0\0,m\0\0\0",
        b"#bundle\0",
        b"#bundle\0" + bytes(8) + b"\0\0\0\0",
        b"#bundle\0" + bytes(8) + b"\0\0\0\x08/a\0\0",
        b"#bundle\0" + bytes(8) + b"\0\0\0\x03/a\0",
        HANGS_PYTHON_OSC,
        nested(MAX_DEPTH + 1),
        nested(300),
        encode_bundle(IMMEDIATELY, *[encode("/a")] * (MAX_MESSAGES + 1)),
        encode("/a", "x" * MAX_DATAGRAM),
    ],
)
def test_garbage_is_named_as_such(data: bytes) -> None:
    with pytest.raises(GarbageError):
        decode(data)


def test_what_is_within_the_limits_is_read() -> None:
    assert decode(nested(MAX_DEPTH))[0].messages[0].address == "/a"
    full = decode(encode_bundle(IMMEDIATELY, *[encode("/a")] * MAX_MESSAGES))
    assert len(full[0].messages) == MAX_MESSAGES


@given(st.binary(max_size=200) | st.binary(max_size=80).map(lambda data: b"#bundle\0" + data))
@example(HANGS_PYTHON_OSC)
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    try:
        found = decode(data)
    except GarbageError:
        return
    assert all(message.address.startswith("/") for timed in found for message in timed.messages)


@given(st.data())
def test_spoilt_messages_raise_nothing_else(data: st.DataObject) -> None:
    whole = bytearray(encode_bundle(timetag_of(1), encode("/a/b", 1, 2.5, "text", b"blob", None)))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with suppress(GarbageError):
        assert len(decode(bytes(whole[: data.draw(st.integers(0, len(whole)))]))) <= 1


values = st.lists(
    st.integers(-(2**63), 2**63 - 1)
    | st.floats(width=32, allow_nan=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
    | st.booleans()
    | st.none()
    | st.binary(min_size=1, max_size=20),
    max_size=8,
)


@given(values)
def test_what_is_written_is_read_by_us_and_by_others(given_values: list[object]) -> None:
    data = encode("/perpetuo/x", *given_values)
    assert len(data) % 4 == 0
    (message,) = decode(data)[0].messages
    for read, written in zip(message.values, given_values, strict=True):
        assert type(read) is type(written)
        # Floats come back as the shortest decimal of the same single-precision number.
        same = struct.pack(">f", read) if isinstance(read, float) else read
        assert same == (struct.pack(">f", written) if isinstance(read, float) else written)
    assert OscMessage(data).params == given_values
    assert OscBundle(encode_bundle(IMMEDIATELY, data)).content(0).params == given_values


def test_numbers_are_read_as_they_were_meant() -> None:
    for number in (0.1, 0.3, 2.7, 0.02, 119.99):
        assert decode(encode("/a", number))[0].messages[0].values == (number,)
    assert decode(encode("/a", 1e300))[0].messages[0].values == (math.inf,)


def test_texts_cannot_end_before_their_end() -> None:
    assert decode(encode("/a", "x\0y"))[0].messages[0].values == ("xy",)


@given(st.integers(0, 4_000_000_000_000_000))
def test_times_go_there_and_back(time: int) -> None:
    """Up to the year 2096, over the end of NTP's first era in 2036."""
    assert time_of(timetag_of(time)) == time


def test_time_is_counted_from_1900() -> None:
    assert timetag_of(0) == 2_208_988_800 << 32
    assert timetag_of(1_500_000) == (2_208_988_801 << 32) | 1 << 31
    assert time_of(IMMEDIATELY) == time_of(0) == 0
