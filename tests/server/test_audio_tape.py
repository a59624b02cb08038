"""Who joins has a burst, who stays has everything, who takes too little goes."""

from __future__ import annotations

import asyncio
import logging

import pytest

from server.audio.tape import PATIENCE, SLICE, Piece, Tape
from tests.server.radio import Recorder


def piece(number: int, seconds: float = 0.5) -> Piece:
    return Piece(bytes([number % 256]) * 10, f"title {number}", seconds)


def begun(burst: float = 2.0) -> Tape:
    tape = Tape("study.mp3", burst, bytes_a_second=20)
    tape.begin(lambda title: b"")
    return tape


async def settled() -> None:
    """All that is to be done in the loop's next turns is done."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_joiner_has_the_last_seconds_at_once_and_then_everything() -> None:
    tape = begun()
    for number in range(10):
        tape.append(piece(number))
    assert tape.seconds == 2.0
    listener = Recorder()
    tape.join(listener)
    assert listener.all == b"".join(piece(n).data for n in range(6, 10))
    assert listener.title == "title 9"
    tape.append(piece(10))
    assert listener.heard[-1] == piece(10).data
    tape.leave(listener)
    tape.append(piece(11))
    assert listener.heard[-1] == piece(10).data
    assert tape.listeners == 0


def test_many_listeners_hear_everything_in_order() -> None:
    async def go() -> None:
        tape = begun()
        listeners = [Recorder(str(i)) for i in range(3 * SLICE + 5)]
        for listener in listeners:
            tape.join(listener)
        for number in range(7):
            tape.append(piece(number))  # the next comes before all have had the last one
            if number == 3:
                await settled()
        await settled()
        wanted = b"".join(piece(n).data for n in range(7))
        assert all(listener.all == wanted for listener in listeners)
        assert tape.sent == len(wanted) * len(listeners)

    asyncio.run(go())


def test_who_takes_too_little_is_let_go_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tape = begun()
    slow, quick = Recorder("slow", takes=False), Recorder("quick")
    tape.join(slow)
    tape.join(quick)
    pieces = round((2 + PATIENCE) * 20 / 10) + 1
    with caplog.at_level(logging.WARNING, "perpetuo.audio"):
        for number in range(pieces + 5):
            tape.append(piece(number))
    assert slow.is_cut
    assert not quick.is_cut
    assert tape.listeners == tape.let_go == 1
    assert [record.message for record in caplog.records] == [
        "study.mp3: slow takes too little and is let go"
    ]


def test_another_encoder_begins_with_its_head_and_nothing_old() -> None:
    tape = begun()
    listener, late = Recorder(), Recorder()
    tape.join(listener)
    tape.append(piece(1))
    tape.begin(lambda title: b"head of " + title.encode())
    tape.append(piece(2))
    assert listener.heard[1:] == [b"head of ", piece(2).data]
    tape.join(late)
    assert late.all == b"head of title 2" + piece(2).data


def test_what_was_on_its_way_when_an_encoder_ended_is_left_out() -> None:
    tape = begun()
    tape.append(piece(1))
    tape.stop()
    tape.append(piece(2))
    listener = Recorder()
    tape.join(listener)
    assert listener.all == b""
    tape.begin(lambda title: b"")
    tape.append(piece(3))
    assert listener.all == piece(3).data


def test_when_the_server_ends_everybody_is_cut_off() -> None:
    tape = begun()
    listeners = [Recorder(), Recorder()]
    for listener in listeners:
        tape.join(listener)
    tape.cut_all()
    assert all(listener.is_cut for listener in listeners)
    assert tape.listeners == 0
