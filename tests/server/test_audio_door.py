"""The door asks for tokens, names origins, and says in words what is not to be had."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Router

from server.audio import door as door_module
from server.audio.door import PIECE, AudioDoor
from server.audio.messages import ChunkReport, EncoderReport
from server.web.answers import TRANSPORT, Headed
from server.web.settings import WebSettings
from tests.server.radio import FakeLink, Time, opened, time

__all__ = ["time"]


class Connection:
    """What an endless answer is written to."""

    def __init__(self) -> None:
        self.written = b""
        self.is_cut = False

    def write(self, data: bytes) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        self.is_cut = True


class Asked:
    """A request, and what became of it."""

    def __init__(self, path: str, method: str = "GET", query: str = "", **headers: str) -> None:
        self.connection = Connection()
        self.gone = asyncio.Event()
        self.sent: list[dict[str, Any]] = []
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in named.items()],
            "client": ("192.0.2.7", 1234),
            "state": {TRANSPORT: self.connection},
        }

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["error"]["code"])


def door(soundfont: Path | None = None, **settings: Any) -> tuple[AudioDoor, FakeLink]:
    radio, client, _ = opened(**settings)
    return AudioDoor(radio, soundfont), client


async def ask(door: AudioDoor, asked: Asked, may_enter: bool = True) -> None:
    router = Router(door.routes(lambda request: may_enter))
    settings = WebSettings(origins=("https://a.example",))
    await Headed(router, settings)(asked.scope, asked.receive, asked.send)


def answered(door: AudioDoor, asked: Asked, may_enter: bool = True) -> Asked:
    asyncio.run(ask(door, asked, may_enter))
    return asked


def test_streams_ask_for_the_token_and_the_soundfont_does_not(time: Time, tmp_path: Path) -> None:
    path = tmp_path / "x.sf2"
    path.write_bytes(b"instruments" * PIECE)
    it, _ = door(path)
    for asked in ("/stream/study.mp3", "/stream/study.m3u8", "/stream/study/1.m4s"):
        refused = answered(it, Asked(asked), may_enter=False)
        assert (refused.status, refused.code) == (401, "unauthorised")
        assert "www-authenticate" in refused.headers
    given = answered(it, Asked("/soundfont.sf2"), may_enter=False)
    assert given.status == 200
    assert given.body == path.read_bytes()
    assert max(len(message.get("body", b"")) for message in given.sent[1:]) <= PIECE
    assert int(given.headers["content-length"]) == path.stat().st_size


def test_named_sites_may_read_what_is_answered(time: Time, tmp_path: Path) -> None:
    path = tmp_path / "x.sf2"
    path.write_bytes(b"x")
    it, _ = door(path)
    named = answered(it, Asked("/soundfont.sf2", Origin="https://a.example"))
    assert named.headers["access-control-allow-origin"] == "https://a.example"
    other = answered(it, Asked("/soundfont.sf2", Origin="https://b.example"))
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("path", ["/stream/study.mp3", "/stream/study.m3u8", "/soundfont.sf2"])
def test_where_there_is_no_sound_it_says_why(path: str) -> None:
    it = AudioDoor(None, None, "sound is switched off")
    refused = answered(it, Asked(path))
    assert (refused.status, refused.code) == (503, "no_audio")
    assert b"sound is switched off" in refused.body
    assert it.offers("study") == {}


def test_trouble_and_fullness_are_told_in_words(time: Time) -> None:
    it, client = door(max_listeners=1, formats=("mp3", "hls"))

    async def go() -> None:
        first, second = Asked("/stream/study.mp3"), Asked("/stream/study.mp3")
        hearing = asyncio.create_task(ask(it, first))
        await asyncio.sleep(0)
        await ask(it, second)
        assert (second.status, second.code) == (503, "full")
        first.gone.set()
        await hearing

    asyncio.run(go())
    client.trouble = "sound needs FluidSynth"
    for path in ("/stream/study.mp3", "/stream/study.m3u8"):
        refused = answered(it, Asked(path))
        assert (refused.status, refused.code) == (503, "no_audio")
        assert b"sound needs FluidSynth" in refused.body


def test_an_endless_answer_is_written_to_the_connection(time: Time) -> None:
    it, client = door()

    async def go() -> None:
        asked = Asked("/stream/study.mp3", Icy_MetaData="1")
        hearing = asyncio.create_task(ask(it, asked))
        await asyncio.sleep(0)
        client.report(EncoderReport("study", "mp3", b"", 0))
        client.report(ChunkReport("study", "mp3", b"sound", "A", 0.2))
        head, _, body = asked.connection.written.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        assert lines[0] == "HTTP/1.1 200 OK"
        assert {"connection: close", "content-type: audio/mpeg", "icy-name: A quiet room"} <= set(
            lines
        )
        assert "icy-metaint: 16000" in lines
        assert body == b"sound"
        asked.gone.set()
        await hearing
        assert asked.sent == []
        client.report(ChunkReport("study", "mp3", b"more", "A", 0.2))
        assert asked.connection.written.endswith(b"sound")

    asyncio.run(go())


def test_a_playlist_waits_for_its_first_segments_and_keeps_the_token(
    time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    it, client = door(formats=("hls",))

    async def go() -> None:
        asked = Asked("/stream/study.m3u8", query="token=abc%26def")
        waiting = asyncio.create_task(ask(it, asked))
        await asyncio.sleep(0)
        client.report(EncoderReport("study", "hls", b"head", 0))
        for number in range(3):
            assert not waiting.done()
            client.report(ChunkReport("study", "hls", bytes([number]), "", 4.0))
        await waiting
        assert asked.headers["content-type"] == "application/vnd.apple.mpegurl"
        assert "study/3.m4s?token=abc%26def" in asked.body.decode().splitlines()
        segment = Asked("/stream/study/3.m4s")
        await ask(it, segment)
        assert segment.body == b"\2"
        assert "immutable" in segment.headers["cache-control"]

    asyncio.run(go())
    monkeypatch.setattr(door_module, "PLAYLIST_WITHIN", 0.01)
    assert answered(it, Asked("/stream/dance.m3u8")).code == "no_audio"


def test_only_what_is_offered_is_there(time: Time) -> None:
    it, _ = door(formats=("opus",), stations=("dance",))
    assert it.offers("dance") == {"opus": "/stream/dance.opus"}
    assert it.offers("study") == {}
    for path in ("/stream/study.opus", "/stream/dance.mp3", "/stream/dance.m3u8"):
        assert answered(it, Asked(path)).code == "not_found"
