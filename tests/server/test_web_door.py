"""The web door for real: uvicorn on a free port, clients over sockets."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from common.errors import ConfigError, PortError
from server.web import door as door_module
from server.web.door import WebDoor
from server.web.settings import WebSettings
from server.web.websocket import ClientLine
from tests.server.web_house import WebHouse

PATIENCE = 20.0  # seconds after which a test has failed; nothing waits for it otherwise
LISTEN = {"type": "listen", "stream": "study"}


def microseconds() -> int:
    return time.monotonic_ns() // 1000


class Served:
    """A door that is open, and what is behind it."""

    def __init__(self, door: WebDoor, house: WebHouse, page: str) -> None:
        self.door, self.house, self.page = door, house, page
        self.socket = page.replace("http", "ws", 1) + "ws"

    def connect(self, **options: Any) -> connect:
        return connect(self.socket, **{"compression": None, "proxy": None, **options})


@asynccontextmanager
async def served(**settings: Any) -> AsyncIterator[Served]:
    door, house = WebDoor(), WebHouse(microseconds)
    asked = WebSettings(**{"port": 0, "rate": 10_000, **settings})
    page = await door.open(house, asked)  # type: ignore[arg-type]
    try:
        async with asyncio.timeout(PATIENCE):
            yield Served(door, house, page)
    finally:
        await door.close()


async def say(client: ClientConnection, message: Any) -> None:
    await client.send(json.dumps(message))


async def hear(client: ClientConnection, kind: str) -> dict[str, Any]:
    """The next message of a type."""
    while True:
        message = json.loads(await client.recv())
        if message["type"] == kind:
            return dict(message)


async def hello(client: ClientConnection, **more: Any) -> dict[str, Any]:
    await say(client, {"type": "hello", "protocol": 1, **more})
    return await hear(client, "welcome")


async def get(page: str, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """One plain HTTP request over a connection of its own."""
    host, _, port = page.removeprefix("http://").rstrip("/").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    )
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    first, *rest = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in rest)
    return int(first.split()[1]), headers, body


def test_a_client_hears_steers_and_is_answered() -> None:
    async def go() -> None:
        async with served() as it, it.connect() as client:
            assert (await hello(client))["you"] == "web-1"
            await say(client, {**LISTEN, "id": 1})
            state = await hear(client, "state")
            assert state["bars"] == len(it.house.find("study").bars)
            await say(client, {"type": "ping", "t": 5})
            pong = await hear(client, "pong")
            assert pong["t"] == 5
            assert abs(pong["time"] - microseconds()) < 60_000_000
            change = {"type": "steer", "id": 2, "stream": "study", "controls": {"density": 4}}
            await say(client, change)
            ack = await hear(client, "ack")
            assert (ack["id"], ack["bar"]) == (2, 1)
            it.house.plan(it.house.find("study"), notes=400)
            assert len((await hear(client, "bar"))["bar"]["notes"]) == 400

    asyncio.run(go())


def test_a_cut_connection_is_resumed_where_it_was() -> None:
    async def go() -> None:
        async with served() as it:
            study = it.house.find("study")
            async with it.connect() as client:
                session = (await hello(client))["session"]
                await say(client, LISTEN)
                await hear(client, "state")
                for _ in study.bars:
                    last = await hear(client, "bar")
                it.house.plan(study)
                client.transport.abort()
            while study.listeners[0].line is not None:  # type: ignore[attr-defined]
                await asyncio.sleep(0)
            it.house.plan(study)
            async with it.connect() as client:
                again = await hello(client, resume={"session": session, "event": last["event"]})
                assert again["resumed"]
                missed = [await hear(client, "bar") for _ in range(2)]
                assert [m["event"] for m in missed] == [last["event"] + 1, last["event"] + 2]
                assert [m["bar"]["index"] for m in missed] == [4, 5]

    asyncio.run(go())


def test_an_own_stream_ends_when_its_client_says_so_by_closing() -> None:
    async def go() -> None:
        async with served() as it:
            async with it.connect() as client:
                await hello(client)
                await say(client, {"type": "open"})
                name = (await hear(client, "ack"))["stream"]
            while name in it.house.streams:
                await asyncio.sleep(0)
            assert it.house.asked[-1] == ("close", name, "web-1 has left")

    asyncio.run(go())


def test_sessions_whose_time_is_over_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "SWEEP", 0.0)

    async def go() -> None:
        async with served(grace=0.0) as it:
            async with it.connect() as client:
                await hello(client)
                await say(client, {"type": "open"})
                name = (await hear(client, "ack"))["stream"]
                client.transport.abort()
            while name in it.house.streams:
                await asyncio.sleep(0)

    asyncio.run(go())


async def stuck_client(port: int) -> socket.socket:
    """A client that listens to the study and reads nothing but the answer to its handshake."""
    loop, client = asyncio.get_running_loop(), socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    await loop.sock_connect(client, ("127.0.0.1", port))
    await loop.sock_sendall(
        client,
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += await loop.sock_recv(client, 1)
    for text in (b'{"type":"hello","protocol":1}', b'{"type":"listen","stream":"study"}'):
        unmasked = bytes((0x81, 0x80 | len(text))) + bytes(4) + text
        await loop.sock_sendall(client, unmasked)
    return client


def test_a_client_that_reads_nothing_is_let_go_and_another_hears_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server.web.websocket.LINGER", 0.0)

    async def go() -> None:
        async with served(queue=65_536) as it:
            study = it.house.find("study")
            stuck = await stuck_client(it.door.port)
            async with it.connect() as client:
                await hello(client)
                await say(client, LISTEN)
                await hear(client, "state")
                while len(study.listeners) < 2:
                    await asyncio.sleep(0)
                for index in range(study.missing):
                    assert (await hear(client, "bar"))["bar"]["index"] == index
                while it.door._sessions.connected == 2:
                    planned = it.house.plan(study, notes=300)
                    assert (await hear(client, "bar"))["bar"]["index"] == planned.index
                _, _, body = await get(it.page, "/metrics")
                assert b'perpetuo_web_let_go_total{reason="slow"} 1\n' in body
                while len(it.door._server.server_state.connections) > 1:
                    await asyncio.sleep(0)
            stuck.close()

    asyncio.run(go())


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\x00\x01", 1003),
        ("x" * 5000, 1009),
        (["y" * 600, "y" * 600], 1009),
    ],
    ids=["binary", "oversized", "oversized in fragments"],
)
def test_what_is_no_text_or_too_large_ends_the_connection_alone(sent: Any, code: int) -> None:
    async def go() -> None:
        async with served(max_message=1024) as it, it.connect() as other:
            await hello(other)
            await say(other, LISTEN)
            async with it.connect() as client:
                await hello(client)
                await client.send(sent)
                with pytest.raises(ConnectionClosed) as closed:
                    await hear(client, "never")
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == code
                assert closed.value.rcvd.reason
            it.house.plan(it.house.find("study"))
            assert (await hear(other, "bar"))["stream"] == "study"

    asyncio.run(go())


def test_no_utf_8_ends_the_connection_and_garbage_before_the_handshake_harms_nobody() -> None:
    async def go() -> None:
        async with served() as it:
            reader, writer = await asyncio.open_connection("127.0.0.1", it.door.port)
            writer.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n\xff")
            assert (await reader.read()).startswith(b"HTTP/1.1 400")
            writer.close()
            await writer.wait_closed()
            async with it.connect() as client:
                await hello(client)
                await client.send(b"\xff\xfe", text=True)
                with pytest.raises(ConnectionClosed) as closed:
                    await hear(client, "never")
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1007
            assert (await get(it.page, "/health"))[0] == 200

    asyncio.run(go())


def test_many_requests_at_once_are_answered_in_order() -> None:
    async def go() -> None:
        async with served() as it, it.connect() as client:
            await hello(client)
            for number in range(40):
                controls = {"density": 1 + number % 5}
                steer = {"type": "steer", "stream": "study", "controls": controls}
                await say(client, {**steer, "id": number})
            answers = [(await hear(client, "ack"))["id"] for _ in range(40)]
            assert answers == list(range(40))

    asyncio.run(go())


def test_pages_of_other_sites_are_refused_before_they_are_connected() -> None:
    async def go() -> None:
        async with served() as it:
            with pytest.raises(InvalidStatus) as refused:
                await it.connect(origin="https://evil.example")
            assert refused.value.response.status_code == 403
            async with it.connect(origin=it.page.rstrip("/")) as client:
                await hello(client)
            elsewhere = connect(it.socket + "x", compression=None, proxy=None)
            with pytest.raises(InvalidStatus) as lost:
                await elsewhere
            assert lost.value.response.status_code == 404

    asyncio.run(go())


def test_the_token_may_come_in_three_ways() -> None:
    async def go() -> None:
        async with served(token="open-sesame") as it:
            async with it.connect() as client:
                await hello(client, token="open-sesame")
            bearer = {"Authorization": "Bearer open-sesame"}
            async with it.connect(additional_headers=bearer) as client:
                await hello(client)
            query = connect(it.socket + "?token=open-sesame", compression=None, proxy=None)
            async with query as client:
                await hello(client)
            async with it.connect() as client:
                await say(client, {"type": "hello", "protocol": 1})
                assert (await hear(client, "error"))["code"] == "unauthorised"
                with pytest.raises(ConnectionClosed) as closed:
                    await hear(client, "welcome")
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 4003

    asyncio.run(go())


def test_one_client_too_many_is_told_so() -> None:
    async def go() -> None:
        async with served(max_clients=1) as it, it.connect() as client:
            await hello(client)
            async with it.connect() as late:
                assert (await hear(late, "bye"))["code"] == "full"
                with pytest.raises(ConnectionClosed) as closed:
                    await late.recv()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1013

    asyncio.run(go())


def test_who_says_nothing_is_asked_to_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "HELLO_WITHIN", 0.0)

    async def go() -> None:
        async with served() as it, it.connect() as client:
            assert (await hear(client, "bye"))["code"] == "no_hello"

    asyncio.run(go())


def test_who_answers_no_ping_is_let_go() -> None:
    async def go() -> None:
        async with served() as it, it.connect() as client:
            await hello(client)
            (conversation,) = it.door._conversations
            assert isinstance(conversation._line, ClientLine)
            conversation._line.keepalive_timeout()
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1011
            while not it.door._sessions.ends:
                await asyncio.sleep(0)
            assert it.door._sessions.ends == {"no_answer": 1}

    asyncio.run(go())


def test_closing_the_door_says_goodbye_and_cuts_off_who_does_not_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(door_module, "FAREWELL", 0.5)

    async def go() -> None:
        door, house = WebDoor(), WebHouse(microseconds)
        page = await door.open(house, WebSettings(port=0))  # type: ignore[arg-type]
        stuck = await stuck_client(door.port)
        client = await connect(page.replace("http", "ws") + "ws", proxy=None)
        async with asyncio.timeout(PATIENCE):
            await hello(client)
            while not house.find("study").listeners:
                await asyncio.sleep(0)
            for _ in range(100):
                house.plan(house.find("study"), notes=300)
            closing = asyncio.create_task(door.close())
            bye = await hear(client, "bye")
            assert bye["code"] == "shutdown"
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001
            await closing
        stuck.close()
        with pytest.raises(OSError, match=r"refused|Connect"):
            await asyncio.open_connection("127.0.0.1", door.port)

    asyncio.run(go())


def test_http_is_served_on_the_same_port() -> None:
    async def go() -> None:
        async with served() as it:
            status, headers, body = await get(it.page, "/")
            assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
            assert body.startswith(b"<!doctype html>")
            assert (await get(it.page, "/", "HEAD"))[2] == b""
            assert (await get(it.page, "/../door.py"))[0] == 404
            assert (await get(it.page, "/%2e%2e/door.py"))[0] == 404
            assert (await get(it.page, "/api/stations", "POST"))[0] == 405
            assert (await get(it.page, "/ws"))[0] == 426
            assert json.loads((await get(it.page, "/health"))[2]) == {"status": "ok"}

    asyncio.run(go())


def test_a_port_that_is_taken_is_told_with_what_to_do() -> None:
    async def go() -> None:
        async with served() as it:
            with pytest.raises(PortError, match=r"another server may have it.*--port"):
                await WebDoor().open(it.house, WebSettings(port=it.door.port))  # type: ignore[arg-type]
            with pytest.raises(PortError, match=r"web\.host 'no\.such\.invalid'"):
                await WebDoor().open(
                    it.house,  # type: ignore[arg-type]
                    WebSettings(host="no.such.invalid"),
                )

    asyncio.run(go())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: no certificate to test with")
    folder = tmp_path_factory.mktemp("tls")
    key, chain = folder / "key.pem", folder / "certificate.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
        " -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    )
    files = ["-keyout", str(key), "-out", str(chain)]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    return chain, key


def test_a_certificate_makes_it_https_and_wss(certificate: tuple[Path, Path]) -> None:
    chain, key = certificate

    async def go() -> None:
        async with served(tls_certificate=chain, tls_key=key) as it:
            assert it.page.startswith("https://127.0.0.1:")
            trusted = ssl.create_default_context(cafile=chain)
            async with it.connect(ssl=trusted) as client:
                await hello(client)
                await say(client, LISTEN)
                assert (await hear(client, "state"))["stream"] == "study"

    asyncio.run(go())


def test_a_certificate_that_is_none_is_told(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    chain, _ = certificate
    for settings in (
        WebSettings(port=0, tls_certificate=chain, tls_key=chain),
        WebSettings(port=0, tls_certificate=tmp_path / "none", tls_key=chain),
    ):
        with pytest.raises(ConfigError, match=r"tls_certificate .* cannot be used"):
            asyncio.run(WebDoor().open(WebHouse(), settings))  # type: ignore[arg-type]
