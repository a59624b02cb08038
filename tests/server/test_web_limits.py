"""What one visitor can take from the others at the web door: real sockets, the real door."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from server.web import door as door_module
from server.web import line
from server.web.listening import allow_files
from tests.server.test_web_door import certificate, get, hear, hello, served

__all__ = ["certificate"]  # a fixture

pytestmark = pytest.mark.in_time

posix = pytest.mark.skipif(os.name != "posix", reason="limits of open files are those of POSIX")
BEGUN = b"GET / HTTP/1.1\r\nHost: localhost\r\n"  # and no end of it
HANDSHAKE = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def half_open(port: int, count: int, said: bytes = BEGUN) -> AsyncIterator[list[Any]]:
    """Connections that begin a request and never end it."""
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
    try:
        for _, writer in opened:
            writer.write(said)
        yield opened
    finally:
        for _, writer in opened:
            writer.transport.abort()


async def end_of(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the other side has closed."""
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


async def is_answered(page: str) -> None:
    """Everything that was asked is answered at once."""
    for path in ("/health", "/metrics", "/"):
        begun = monotonic()
        assert (await get(page, path))[0] == 200, path
        assert monotonic() - begun < 2, path


@pytest.fixture(autouse=True)
def _swift(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "SWEEP", 0.02)
    allow_files(8192)


def test_a_thousand_half_open_connections_keep_nobody_out() -> None:
    async def go() -> None:
        async with (
            served(max_clients=500, request_seconds=3) as it,
            it.connect() as client,
            half_open(it.door.port, 1500) as opened,
        ):
            await is_answered(it.page)
            assert 0 < it.door.connections.asking <= 128
            assert it.door.connections.cuts["half_open"] > 1000
            await hello(client)  # who is served is not cut for them
            await client.send('{"type":"ping","t":1}')
            await hear(client, "pong")
            for reader, _ in opened:  # by themselves, in time
                assert await end_of(reader) == b""
            assert it.door.connections.asking == 0
            await is_answered(it.page)

    asyncio.run(go())


def test_a_request_a_byte_at_a_time_has_no_more_time() -> None:
    async def go() -> None:
        async with served(request_seconds=0.5) as it:
            reader, writer = await asyncio.open_connection("127.0.0.1", it.door.port)
            begun, ended = monotonic(), asyncio.create_task(end_of(reader))
            while not ended.done():
                writer.write(b"G" if monotonic() == begun else b"E")
                await asyncio.wait([ended], timeout=0.05)
            assert await ended == b""
            assert 0.3 < monotonic() - begun < 5
            writer.transport.abort()

    asyncio.run(go())


def test_the_time_runs_for_the_second_request_of_a_connection_too() -> None:
    async def go() -> None:
        async with served(request_seconds=0.5) as it:
            whole = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
            async with half_open(it.door.port, 1, whole) as ((reader, writer),):
                await reader.readuntil(b"}")
                assert it.door.connections.asking == 0
                writer.write(BEGUN)
                assert await end_of(reader) == b""
                assert it.door.connections.cuts == {"slow": 1}

    asyncio.run(go())


@pytest.mark.parametrize(
    "announced", [b"Content-Length: 1000000000", b"Transfer-Encoding: chunked"]
)
def test_a_body_is_refused_and_not_waited_for(announced: bytes) -> None:
    async def go() -> None:
        async with served() as it:
            head = b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + announced + b"\r\n\r\n"
            async with half_open(it.door.port, 1, head) as ((reader, _),):
                assert (await end_of(reader)).startswith(b"HTTP/1.1 413")

    asyncio.run(go())


@pytest.mark.parametrize(
    "head",
    [
        BEGUN + b"X: " + b"x" * 100_000,
        b"GET /" + b"x" * 100_000,
    ],
    ids=["a long header", "a long address"],
)
def test_headers_without_end_are_refused(head: bytes) -> None:
    async def go() -> None:
        async with served() as it, half_open(it.door.port, 1, head) as ((reader, _),):
            assert (await end_of(reader))[:12] in (b"HTTP/1.1 400", b"")
            await is_answered(it.page)

    asyncio.run(go())


def test_a_websocket_handshake_that_cannot_be_read_ends() -> None:
    async def go() -> None:
        many = b"".join(b"X-%d: x\r\n" % i for i in range(500))
        head = b"GET /ws HTTP/1.1\r\nHost: localhost\r\n" + HANDSHAKE + many + b"\r\n"
        async with served() as it, half_open(it.door.port, 1, head) as ((reader, _),):
            await end_of(reader)
            while len(it.door.connections):
                await asyncio.sleep(0)

    asyncio.run(go())


def test_a_tls_handshake_that_never_ends_is_cut(certificate: tuple[Path, Path]) -> None:
    chain, key = certificate

    async def go() -> None:
        tls = {"tls_certificate": chain, "tls_key": key}
        async with (
            served(request_seconds=1.0, max_half_open=16, **tls) as it,
            half_open(it.door.port, 40, b"\x16\x03\x01") as opened,
        ):
            while it.door.connections.cuts["half_open"] < 24:
                await asyncio.sleep(0)
            assert it.door.connections.asking == 16
            for reader, _ in opened:
                assert await end_of(reader) == b""
            assert it.door.connections.cuts == {"half_open": 24, "slow": 16}

    asyncio.run(go())


def test_an_answer_that_nobody_takes_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "TAKEN_WITHIN", 0.2)

    async def go() -> None:
        async with served() as it, AsyncExitStack() as stack:
            client = socket.socket()
            stack.callback(client.close)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(client, ("127.0.0.1", it.door.port))
            many = b"GET /api/controls HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100
            await loop.sock_sendall(client, many)
            while not it.door.connections:
                await asyncio.sleep(0)
            while it.door.connections:
                await asyncio.sleep(0)
            await is_answered(it.page)

    asyncio.run(go())


def test_when_there_is_no_place_left_health_and_metrics_are_answered() -> None:
    async def go() -> None:
        async with served() as it:
            it.door.connections._most = 3
            async with it.connect(), it.connect(), it.connect():
                status, _, body = await get(it.page, "/")
                assert (status, b"too many connections" in body) == (503, True)
                for path in ("/health", "/metrics"):
                    assert (await get(it.page, path))[0] == 200
                with pytest.raises(InvalidStatus) as refused:
                    await it.connect()
                assert refused.value.response.status_code == 503
            while (await get(it.page, "/"))[0] != 200:
                await asyncio.sleep(0)

    asyncio.run(go())


def test_clients_of_one_address_are_bounded_but_those_of_this_machine() -> None:
    async def go() -> None:
        far = {"additional_headers": {"X-Forwarded-For": "203.0.113.7"}}
        async with served(max_address_clients=2) as it:
            async with it.connect(), it.connect(), it.connect() as near:
                await hello(near)
            async with it.connect(**far), it.connect(**far) as second:
                await hello(second)
                async with it.connect(**far) as third:
                    assert (await hear(third, "bye"))["code"] == "full"
            async with it.connect(**far) as again:
                await hello(again)

    asyncio.run(go())


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/health", "/api/stations", "/stream/study.mp3"])
def test_under_a_foreign_name_nothing_is_read(path: str) -> None:
    async def go() -> None:
        async with served(token="open-sesame") as it:
            asked = f"GET {path} HTTP/1.1\r\nHost: evil.example\r\n".encode()
            async with half_open(it.door.port, 1, asked + b"\r\n") as ((reader, _),):
                answer = await end_of(reader)
                assert answer.startswith(b"HTTP/1.1 421")
                assert b"add the name to web.hosts" in answer
            shown = asked + b"Authorization: Bearer open-sesame\r\nConnection: close\r\n\r\n"
            async with half_open(it.door.port, 1, shown) as ((reader, _),):
                assert not (await end_of(reader)).startswith(b"HTTP/1.1 421")

    asyncio.run(go())


def test_a_refused_websocket_is_one_line_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    async def go() -> None:
        async with served() as it:
            for _ in range(2):
                with pytest.raises(InvalidStatus) as refused:
                    await it.connect(origin="https://evil.example")
                assert refused.value.response.status_code == 403
            upgrade = b"GET /ws HTTP/1.1\r\nHost: evil.example\r\n" + HANDSHAKE + b"\r\n"
            async with half_open(it.door.port, 1, upgrade) as ((reader, _),):
                assert (await end_of(reader)).startswith(b"HTTP/1.1 421")
            while it.door.connections:
                await asyncio.sleep(0)

    caplog.set_level(logging.INFO)
    asyncio.run(go())
    said = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.name for record in said] == ["perpetuo.web"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"host": "127.0.0.1"}, None),
        ({"host": "0.0.0.0", "token": "open-sesame"}, None),
        ({"host": "0.0.0.0"}, "may listen and have streams of their own; set web.token"),
        ({"host": "0.0.0.0", "steer_stations": "everyone"}, "and steer every station; set web."),
    ],
)
def test_a_door_that_is_open_to_all_says_so(
    settings: dict[str, Any], words: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    async def go() -> str:
        async with served(**settings) as it:
            port = it.page.rstrip("/").rpartition(":")[2]
            is_all = settings["host"] == "0.0.0.0"
            assert it.page == f"http://{'localhost' if is_all else '127.0.0.1'}:{port}/"
            assert all(other.endswith(f":{port}/") for other in it.door.others)
            assert is_all or not it.door.others
            return it.door.openness

    told = asyncio.run(go())
    warned = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert warned == ([told] if words else [])
    assert (words or "") in told


# -- no more files ---------------------------------------------------------------------------------

FEW_FILES_SERVER = """
import asyncio, logging, os, resource, sys
from server.serving.logs import set_up
from server.web import accepting
from tests.server.test_web_door import served

pauses = 0
sleep = asyncio.sleep

class Waiting:
    async def sleep(self, seconds):
        global pauses
        pauses += seconds == accepting.PAUSE
        await sleep(min(seconds, 0.02))
    def __getattr__(self, name):
        return getattr(asyncio, name)

accepting.asyncio = Waiting()

async def go():
    loop = asyncio.get_running_loop()
    async with served() as it:
        await loop.run_in_executor(None, str)  # its thread is there
        held = [os.dup(2)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (held[0] + 40, held[0] + 40))
        try:
            while True:
                held.append(os.dup(2))
        except OSError:
            pass
        print(it.door.port, flush=True)
        while pauses < 20:
            await sleep(0.01)
        print("paused 20 times", flush=True)
        await loop.run_in_executor(None, sys.stdin.readline)
        for one in held:
            os.close(one)
        await loop.run_in_executor(None, sys.stdin.readline)

set_up("info", "text")
asyncio.run(go())
"""


@posix
def test_without_files_it_waits_says_one_line_and_goes_on() -> None:
    """The server in a process of its own whose files are used up while clients knock."""
    process = subprocess.Popen(
        [sys.executable, "-c", FEW_FILES_SERVER],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    port = int(process.stdout.readline())
    knocking = [socket.create_connection(("127.0.0.1", port)) for _ in range(30)]
    try:
        assert process.stdout.readline() == "paused 20 times\n"
        process.stdin.write("go on\n")
        process.stdin.flush()
        for client in knocking:  # they were not lost
            client.settimeout(20)
            client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200")
    finally:
        for client in knocking:
            client.close()
        _, errors = process.communicate("end\n", 20)
    assert process.returncode == 0
    assert errors.count("\n") == 1, errors
    assert "no connection can be accepted now (Too many open files)" in errors
