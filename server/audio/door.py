"""Sound over HTTP: endless streams, HLS, and the SoundFont for the page.

/stream/STATION.mp3     MP3, with titles for players that ask for them
/stream/STATION.opus    Opus in Ogg
/stream/STATION.m3u8    HLS; its segments are /stream/STATION/…
/soundfont.sf2          the instruments
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from common.errors import AudioError, CapacityError, PerpetuoError, StreamError
from common.files import SOUNDFONT as SOUNDFONT_FILE
from common.files import open_file
from common.words import without_folders
from server.audio.radio import Radio
from server.audio.settings import HLS, MP3, OPUS
from server.web.admission import query
from server.web.answers import FRESH, Endless, StreamTransport, bodiless, failure, token_missing

INTERVAL = 16_000  # bytes of sound between two places for a title
_UNIT = 16  # a title takes a multiple of so many bytes
_MOST = 255 * _UNIT


def block(title: str) -> bytes:
    """A place with a title; "" for one where nothing is new."""
    if not title:
        return b"\0"
    plain = title.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}").replace("\n", " ")
    text = f"StreamTitle='{plain[:500]}';".encode()[:_MOST]
    units = -(-len(text) // _UNIT)
    return bytes([units]) + text.ljust(units * _UNIT, b"\0")


class Interleaver:
    """Puts the places into one listener's stream; a title is told when it is new."""

    def __init__(self) -> None:
        self._left = INTERVAL
        self._told = ""

    def mix(self, data: bytes, title: str) -> bytes:
        """The data with its places; `title` is what is heard now."""
        out = []
        while len(data) >= self._left:
            out += [data[: self._left], block(title if title != self._told else "")]
            self._told = title or self._told
            data, self._left = data[self._left :], INTERVAL
        self._left -= len(data)
        return b"".join([*out, data])


SOUNDFONT = "/soundfont.sf2"
STREAMS = "/stream/"
PIECE = 1 << 17  # bytes of a SoundFont that are read and sent at once
PLAYLIST_WITHIN = 10.0  # seconds that the first segments may take
_TYPES = {MP3: "audio/mpeg", OPUS: "audio/ogg"}
_SUFFIXES = {MP3: MP3, OPUS: OPUS, HLS: "m3u8"}
_TOKEN = "add ?token=TOKEN to the address"

Endpoint = Callable[[Request], Awaitable[Response]]


class HttpListener:
    """A `Listener` over HTTP."""

    def __init__(self, name: str, transport: StreamTransport, titles: Interleaver | None) -> None:
        self.name = name
        self._transport, self._titles = transport, titles

    def write(self, data: bytes, title: str) -> None:
        self._transport.write(self._titles.mix(data, title) if self._titles else data)

    @property
    def waiting(self) -> int:
        return self._transport.get_write_buffer_size()

    def cut(self) -> None:
        self._transport.abort()


class AudioDoor:
    """Answers what is asked at these addresses. Where there is no `radio` or no `soundfont`,
    `trouble` says why."""

    def __init__(self, radio: Radio | None, soundfont: Path | None, trouble: str = "") -> None:
        self._radio, self._soundfont, self._trouble = radio, soundfont, trouble

    @property
    def places(self) -> int:
        """Most listeners at a time."""
        return self._radio.settings.max_listeners if self._radio else 0

    def offers(self, station: str) -> dict[str, str]:
        """Paths of a station's streams, by form."""
        forms = self._radio.offers(station) if self._radio else ()
        return {form: f"{STREAMS}{station}.{_SUFFIXES[form]}" for form in forms}

    def routes(self, may_enter: Callable[[Request], bool]) -> list[Route]:
        """`may_enter`: whether the token that was shown, if any, lets in."""

        async def stream(request: Request) -> Response:
            if not may_enter(request):
                return token_missing(_TOKEN)
            return await self._stream(request)

        return [
            Route(SOUNDFONT, _in_words(self._instruments)),
            Route(STREAMS + "{asked:path}", _in_words(stream)),
        ]

    async def _instruments(self, request: Request) -> Response:
        if self._soundfont is None:
            raise AudioError(self._trouble)
        return await _soundfont(self._soundfont, request)

    async def _stream(self, request: Request) -> Response:
        """What is asked for; an error if there is no such thing, or it cannot be had now."""
        radio = self._radio
        if radio is None:
            raise AudioError(self._trouble)
        radio.look_at_trouble()
        asked: str = request.path_params["asked"]
        folder, _, file = asked.partition("/")
        station, _, suffix = asked.rpartition(".")
        form = next((one for one in radio.offers(station) if _SUFFIXES[one] == suffix), None)
        if form == HLS:
            return await _playlist(radio, station, request)
        if form is not None:
            return _endless(radio, station, form, request)
        if HLS in radio.offers(folder) and file:
            return _segment(radio, folder, file)
        raise StreamError(f"there is no stream at {request.scope['path'][:80]}")


def _in_words(endpoint: Endpoint) -> Endpoint:
    """Errors are answered as such."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except AudioError as error:
            return failure(503, "no_audio", without_folders(str(error)))
        except CapacityError as error:
            return failure(503, "full", str(error))
        except StreamError as error:
            return failure(404, "not_found", str(error))

    return answered


def _endless(radio: Radio, station: str, form: str, request: Request) -> Response:
    radio.look_for_room()
    titles = None
    headers = {"content-type": _TYPES[form], **FRESH}
    if form == MP3:
        titles = Interleaver() if request.headers.get("icy-metadata") == "1" else None
        headers |= _icy_headers(radio, station, titles)
    name = request.client.host if request.client else "somebody"

    @contextmanager
    def joined(transport: StreamTransport) -> Iterator[None]:
        with radio.joined(station, form, HttpListener(name, transport, titles)):
            yield

    return Endless(headers, joined)


def _icy_headers(radio: Radio, station: str, titles: Interleaver | None) -> dict[str, str]:
    # Headers are lines of latin-1; the titles in the stream are not bound by that.
    name = radio.stations[station].title.encode("latin-1", "replace").decode("latin-1")
    headers = {"icy-name": " ".join(name.split()), "icy-br": str(radio.settings.mp3_bitrate)}
    return {**headers, "icy-metaint": str(INTERVAL)} if titles else headers


async def _playlist(radio: Radio, station: str, request: Request) -> Response:
    playlist = radio.playlist(station)
    try:
        async with asyncio.timeout(PLAYLIST_WITHIN):
            await playlist.ready.wait()
    except TimeoutError:
        raise AudioError("there is no sound yet: try again in a moment") from None
    token = query(request).get("token", "")
    text = playlist.text(f"?token={quote(token)}" if token else "")
    return Response(text, 200, {"cache-control": "max-age=1"}, "application/vnd.apple.mpegurl")


def _segment(radio: Radio, station: str, file: str) -> Response:
    data = radio.stations[station].playlist.file(file)
    if data is None:
        raise StreamError("this segment is not kept any more: fetch the playlist anew")
    kind = "video/mp4" if file.endswith("mp4") else "video/iso.segment"
    return Response(data, 200, {"cache-control": "public, max-age=3600, immutable"}, kind)


async def _soundfont(path: Path, request: Request) -> Response:
    try:
        file = await asyncio.to_thread(open_file, path, SOUNDFONT_FILE)
    except PerpetuoError as error:  # which names the path, and that is not for everybody
        raise AudioError("the SoundFont cannot be read") from error
    about = os.fstat(file.fileno())
    tag = f'"{about.st_mtime_ns:x}-{about.st_size:x}"'
    headers = {"etag": tag, "cache-control": "public, max-age=3600"}
    if request.headers.get("if-none-match") == tag:
        file.close()
        return bodiless(304, headers, None)
    return _Pieces(file, {**headers, "content-length": str(about.st_size)})


class _Pieces(Response):
    """A file in pieces: all of it at once would hold up the event loop, and fill its memory."""

    media_type = "application/octet-stream"

    def __init__(self, file: BinaryIO, headers: Mapping[str, str]) -> None:
        super().__init__(headers=headers)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._file:
            head = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(head)
            while scope["method"] == "GET" and (piece := await self._read()):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body"})

    async def _read(self) -> bytes:
        return await asyncio.to_thread(self._file.read, PIECE)
