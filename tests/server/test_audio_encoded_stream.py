"""Who joins has a burst, who stays has everything, who takes too little goes."""

from __future__ import annotations

import asyncio
import logging

import pytest

from server.audio.encoded_stream import PATIENCE, SLICE, EncodedPiece, EncodedStream
from tests.server.radio import Recorder


def piece(number: int, seconds: float = 0.5) -> EncodedPiece:
    return EncodedPiece(bytes([number % 256]) * 10, f"title {number}", seconds)


def begun(burst: float = 2.0) -> EncodedStream:
    encoded = EncodedStream("study.mp3", burst, bytes_a_second=20)
    encoded.begin(lambda title: b"")
    return encoded


async def settled() -> None:
    """All that is to be done in the loop's next turns is done."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_joiner_has_the_last_seconds_at_once_and_then_everything() -> None:
    encoded = begun()
    for number in range(10):
        encoded.append(piece(number))
    assert encoded.seconds == 2.0
    listener = Recorder()
    encoded.join(listener)
    assert listener.all == b"".join(piece(n).data for n in range(6, 10))
    assert listener.title == "title 9"
    encoded.append(piece(10))
    assert listener.heard[-1] == piece(10).data
    encoded.leave(listener)
    encoded.append(piece(11))
    assert listener.heard[-1] == piece(10).data
    assert encoded.listeners == 0


def test_many_listeners_hear_everything_in_order() -> None:
    async def go() -> None:
        encoded = begun()
        listeners = [Recorder(str(i)) for i in range(3 * SLICE + 5)]
        for listener in listeners:
            encoded.join(listener)
        for number in range(7):
            encoded.append(piece(number))  # the next comes before all have had the last one
            if number == 3:
                await settled()
        await settled()
        wanted = b"".join(piece(n).data for n in range(7))
        assert all(listener.all == wanted for listener in listeners)
        assert encoded.sent == len(wanted) * len(listeners)

    asyncio.run(go())


def test_who_takes_too_little_is_let_go_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    encoded = begun()
    slow, quick = Recorder("slow", takes=False), Recorder("quick")
    encoded.join(slow)
    encoded.join(quick)
    pieces = round((2 + PATIENCE) * 20 / 10) + 1
    with caplog.at_level(logging.WARNING, "perpetuo.audio"):
        for number in range(pieces + 5):
            encoded.append(piece(number))
    assert slow.is_cut
    assert not quick.is_cut
    assert encoded.listeners == encoded.let_go == 1
    assert [record.message for record in caplog.records] == [
        "study.mp3: slow takes too little and is let go"
    ]


def test_another_encoder_begins_with_its_head_and_nothing_old() -> None:
    encoded = begun()
    listener, late = Recorder(), Recorder()
    encoded.join(listener)
    encoded.append(piece(1))
    encoded.begin(lambda title: b"head of " + title.encode())
    encoded.append(piece(2))
    assert listener.heard[1:] == [b"head of ", piece(2).data]
    encoded.join(late)
    assert late.all == b"head of title 2" + piece(2).data


def test_what_was_on_its_way_when_an_encoder_ended_is_left_out() -> None:
    encoded = begun()
    encoded.append(piece(1))
    encoded.stop()
    encoded.append(piece(2))
    listener = Recorder()
    encoded.join(listener)
    assert listener.all == b""
    encoded.begin(lambda title: b"")
    encoded.append(piece(3))
    assert listener.all == piece(3).data


def test_when_the_server_ends_everybody_is_cut_off() -> None:
    encoded = begun()
    listeners = [Recorder(), Recorder()]
    for listener in listeners:
        encoded.join(listener)
    encoded.cut_all()
    assert all(listener.is_cut for listener in listeners)
    assert encoded.listeners == 0
