"""WebSockets as bytes: what a client may do to the connection itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.frames import Close, Frame, Opcode

from server.web import websocket
from tests.server.test_web_door import Served, hear, hello, say, served

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
HELLO = b'{"type":"hello","protocol":1}'


def frame(data: bytes, opcode: Opcode = Opcode.TEXT, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


class Raw:
    """A client that says bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def frame(self) -> tuple[Opcode, bytes]:
        first, length = await self.reader.readexactly(2)
        if length == 126:
            length = int.from_bytes(await self.reader.readexactly(2))
        elif length == 127:
            length = int.from_bytes(await self.reader.readexactly(8))
        return Opcode(first & 15), await self.reader.readexactly(length)

    async def hear(self, kind: str) -> dict[str, Any]:
        while True:
            message: dict[str, Any] = json.loads((await self.frame())[1])
            if message["type"] == kind:
                return message


@asynccontextmanager
async def raw(it: Served, said: bytes = HANDSHAKE) -> AsyncIterator[Raw]:
    reader, writer = await asyncio.open_connection("127.0.0.1", it.door.port)
    try:
        writer.write(said)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()


async def all_gone(it: Served) -> None:
    while it.door.connections or it.door._conversations:
        await asyncio.sleep(0)


def test_what_comes_with_the_handshake_is_heard() -> None:
    async def go() -> None:
        async with served() as it, raw(it, HANDSHAKE + frame(HELLO)) as client:
            assert (await client.hear("welcome"))["you"] == "web-1"

    asyncio.run(go())


def test_a_connection_that_asked_before_may_become_a_websocket() -> None:
    async def go() -> None:
        async with served() as it:
            reader, writer = await asyncio.open_connection("127.0.0.1", it.door.port)
            writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n" + HANDSHAKE)
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
            await reader.readuntil(b"HTTP/1.1 101 Switching Protocols\r\n")
            await reader.readuntil(b"\r\n\r\n")
            writer.write(frame(HELLO))
            assert (await Raw(reader, writer).hear("welcome"))["you"] == "web-1"
            writer.transport.abort()
            await all_gone(it)

    asyncio.run(go())


def test_messages_may_come_in_pieces_and_pings_between() -> None:
    async def go() -> None:
        async with served() as it, raw(it) as client:
            client.writer.write(frame(HELLO[:5], fin=False))
            client.writer.write(frame(b"?", Opcode.PING))
            for _ in range(100):
                client.writer.write(frame(b"", Opcode.CONT, fin=False))
            client.writer.write(frame(HELLO[5:], Opcode.CONT))
            assert await client.frame() == (Opcode.PONG, b"?")
            assert (await client.hear("welcome"))["you"] == "web-1"

    asyncio.run(go())


def test_a_close_is_answered_by_the_same_and_the_end() -> None:
    async def go() -> None:
        async with served() as it, raw(it) as client:
            client.writer.write(frame(Close(1000, "enough").serialize(), Opcode.CLOSE))
            assert await client.frame() == (Opcode.CLOSE, b"\x03\xe8enough")
            assert await client.reader.read() == b""
            await all_gone(it)

    asyncio.run(go())


def test_nothing_is_heard_after_the_end() -> None:
    async def go() -> None:
        async with served() as it, raw(it) as client:
            client.writer.write(frame(b"\0", Opcode.BINARY) + frame(HELLO))
            assert b"binary" in (await client.frame())[1]
            opcode, data = await client.frame()
            assert (opcode, data[:2]) == (Opcode.CLOSE, (1003).to_bytes(2))
            assert not len(it.door._sessions)
            client.writer.write(frame(HELLO) + frame(data[:2], Opcode.CLOSE))
            assert await client.reader.read() == b""
            await all_gone(it)

    asyncio.run(go())


def test_what_comes_after_bad_frames_is_thrown_away_without_a_word(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The client learns why, though it goes on sending into a connection that is ended."""

    async def go() -> None:
        async with served(max_message=1000) as it, raw(it) as client:
            client.writer.write(frame(b"x" * 2000))
            opcode, data = await client.frame()
            assert (opcode, data[:2]) == (Opcode.CLOSE, (1009).to_bytes(2))
            assert await client.reader.read() == b""
            for _ in range(3):
                client.writer.write(b"x" * 2000)
                await asyncio.sleep(0.01)
            assert len(it.door.connections) == 1

    asyncio.run(go())
    assert "Traceback" not in caplog.text


def test_who_does_not_go_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "LINGER", 0.05)

    async def go() -> None:
        async with served() as it, raw(it) as client:
            client.writer.write(frame(b"\0", Opcode.BINARY))
            await all_gone(it)

    asyncio.run(go())


def test_pings_ask_again_and_again_whether_a_client_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket, "PING_EVERY", 0.01)

    async def go() -> None:
        async with served() as it, raw(it) as client:
            asked = set()
            for _ in range(3):
                opcode, payload = await client.frame()
                assert opcode is Opcode.PING
                asked.add(payload)
                client.writer.write(frame(payload, Opcode.PONG))
            assert len(asked) == 3
            monkeypatch.setattr(websocket, "PONG_WITHIN", 0.05)
            while (last := await client.frame())[0] is not Opcode.CLOSE:
                assert last[0] is Opcode.PING
                client.writer.write(frame(b"something else", Opcode.PONG))
            assert last[1].startswith((1011).to_bytes(2))

    asyncio.run(go())


def test_who_pings_and_takes_no_answer_is_let_go() -> None:
    async def go() -> None:
        async with served(queue=65_536) as it, it.connect() as other, raw(it) as client:
            await hello(other)
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            ping = frame(b"x" * 125, Opcode.PING) * 500
            while len(it.door.connections) > 1:
                client.writer.write(ping)
                await asyncio.sleep(0)
            await say(other, {"type": "ping", "t": 1})
            await hear(other, "pong")

    asyncio.run(go())


def test_a_fault_in_one_conversation_ends_that_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def go() -> None:
        async with served() as it, it.connect() as other, raw(it) as client:
            await hello(other)
            (second,) = (one for one in it.door._conversations if one.session is None)
            monkeypatch.setattr(second, "feed", None)
            client.writer.write(frame(HELLO))
            while len(it.door.connections) > 1:
                await asyncio.sleep(0)
            await say(other, {"type": "ping", "t": 1})
            await hear(other, "pong")

    asyncio.run(go())
    assert "TypeError" in caplog.text
