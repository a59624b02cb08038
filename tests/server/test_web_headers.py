"""Every answer over HTTP has the same headers: a real door, with sound, asked for everything."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.routing import Route

from server.audio.door import AudioDoor
from server.audio.messages import ChunkReport, EncoderReport
from server.web.answers import SECURITY
from server.web.door import WebDoor
from server.web.settings import WebSettings
from server.web.site import page_files, page_folder
from tests.server.radio import FakeLink, Time, opened, time

__all__ = ["time"]

PAGE_OF = "https://radio.example"  # whose pages may read what is answered
HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
METHODS = ("GET", "HEAD", "OPTIONS", "POST")


class Asked:
    """A door, and what it answers to bytes."""

    def __init__(self, door: WebDoor, client: FakeLink) -> None:
        self.door, self.client = door, client

    async def head(self, request: bytes) -> tuple[int, list[tuple[str, str]]]:
        """Status and headers of the first answer, which may be one without end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.door.port)
        try:
            writer.write(request)
            async with asyncio.timeout(10):
                head = await reader.readuntil(b"\r\n\r\n")
        finally:
            writer.transport.abort()
        first, *lines = head.decode("latin-1").strip().split("\r\n")
        pairs = (line.partition(": ")[::2] for line in lines)
        return int(first.split()[1]), [(name.lower(), value) for name, value in pairs]

    async def is_headed(self, status: int, request: bytes) -> None:
        answered, headers = await self.head(request)
        assert answered == status, request
        for name, value in SECURITY:
            values = [told for key, told in headers if key == name.decode()]
            assert values == [value.decode()], request


@asynccontextmanager
async def open_door(tmp_path: Path, **settings: str) -> AsyncIterator[Asked]:
    """Of which the sound of `study` is made already."""
    radio, client, house = opened(formats=("mp3", "opus", "hls"))
    soundfont = tmp_path / "x.sf2"
    soundfont.write_bytes(b"instruments")
    radio.playlist("study")
    client.report(EncoderReport("study", "hls", b"head", 0))
    for number in range(4):
        client.report(ChunkReport("study", "hls", bytes([number]), "", 4.0))
    door = WebDoor()
    asked = WebSettings(port=0, origins=(PAGE_OF,), **settings)  # type: ignore[arg-type]
    await door.open(house, asked, sound=AudioDoor(radio, soundfont))  # type: ignore[arg-type]
    try:
        yield Asked(door, client)
    finally:
        radio.cut_all()
        await door.close()


def request(path: str, method: str = "GET", **headers: str) -> bytes:
    named = {"Host": "localhost", **{k.replace("_", "-"): v for k, v in headers.items()}}
    lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in named.items()), "", ""]
    return "\r\n".join(lines).encode()


def handshake(path: str = "/ws", **headers: str) -> bytes:
    return request(path, **{**HANDSHAKE, **headers})


def paths(door: WebDoor) -> Iterator[str]:
    for route in door.routes:
        assert isinstance(route, Route)
        for value in ("study", "none", "study.mp3", "study.opus", "study.m3u8", "study/1.m4s"):
            yield route.path.partition("{")[0] + (value if "{" in route.path else "")
    yield from page_files(page_folder())
    yield "/nothing"


@pytest.mark.parametrize("settings", [{}, {"token": "open-sesame"}], ids=["open", "with a token"])
def test_every_route_has_them_in_every_method(
    settings: dict[str, str], time: Time, tmp_path: Path
) -> None:
    async def go() -> None:
        async with open_door(tmp_path, **settings) as it:
            walked = dict.fromkeys(paths(it.door))
            assert {"/health", "/soundfont.sf2", "/stream/study.mp3", "/", "/ws"} <= walked.keys()
            seen = set()
            for asked in (request(path, method) for path in walked for method in METHODS):
                status, _ = await it.head(asked)
                await it.is_headed(status, asked)
                seen.add(status)
            assert seen >= {200, 204, 404, 405, 426} | ({401} if settings else set())

    asyncio.run(go())


def test_what_is_refused_has_them(time: Time, tmp_path: Path) -> None:
    async def go() -> None:
        async with open_door(tmp_path) as it:
            await it.is_headed(400, b"\x16\x03\x01 no HTTP\r\n\r\n")
            await it.is_headed(413, request("/health", Content_Length="5"))
            await it.is_headed(421, request("/health", Host="evil.example"))
            it.client.trouble = "there is no FluidSynth"
            await it.is_headed(503, request("/stream/study.mp3"))
            it.door.connections._most = -1
            await it.is_headed(503, request("/"))
            await it.is_headed(503, request("/stream/study.mp3"))
            await it.is_headed(503, handshake())

    asyncio.run(go())


def test_websockets_that_are_refused_have_them(time: Time, tmp_path: Path) -> None:
    async def go() -> None:
        async with open_door(tmp_path) as it:
            await it.is_headed(404, handshake("/elsewhere"))
            await it.is_headed(403, handshake(Origin="https://evil.example"))
            await it.is_headed(421, handshake(Host="evil.example"))
            await it.is_headed(413, handshake(Content_Length="5"))
            await it.is_headed(400, handshake(**{"Sec-WebSocket-Version": "12"}))
            many = {f"X-{number}": "x" for number in range(500)}
            await it.is_headed(400, handshake(**many))
            status, _ = await it.head(handshake())
            assert status == 101

    asyncio.run(go())


def test_a_fault_of_ours_has_them_and_is_logged(
    time: Time, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def go() -> None:
        async with open_door(tmp_path) as it:
            it.door._sessions.house.status = None  # type: ignore[assignment,method-assign]
            await it.is_headed(500, request("/health"))

    asyncio.run(go())
    (logged,) = (record for record in caplog.records if record.levelno >= logging.ERROR)
    assert logged.exc_info


@pytest.mark.parametrize("path", ["/", "/health", "/stream/study.mp3", "/soundfont.sf2", "/no"])
def test_named_sites_may_read_every_answer(path: str, time: Time, tmp_path: Path) -> None:
    async def go() -> None:
        async with open_door(tmp_path) as it:
            for method in METHODS:
                _, headers = await it.head(request(path, method, Origin=PAGE_OF))
                assert ("access-control-allow-origin", PAGE_OF) in headers
                assert ("vary", "origin") in headers
                _, headers = await it.head(request(path, method, Origin="https://evil.example"))
                assert not any(name.startswith("access-control") for name, _ in headers)

    asyncio.run(go())
