"""Sound over HTTP: endless streams, HLS, and the SoundFont for the page.

    /stream/STATION.mp3     MP3, with titles for players that ask for them
    /stream/STATION.opus    Opus in Ogg
    /stream/STATION.m3u8    HLS; its segments are /stream/STATION/…
    /soundfont.sf2          the instruments

Endless streams are written to the connection itself: through plain ASGI each listener would need a
task of its own for every piece, and to send to one that takes nothing would wait for ever.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from common.errors import AudioError, CapacityError, PerpetuoError, StreamError
from common.files import SOUNDFONT as SOUNDFONT_FILE
from common.files import open_file
from server.audio.icy import INTERVAL, Interleaver
from server.audio.radio import Radio
from server.audio.reply import FRESH, Header, Reply, Send
from server.audio.settings import HLS, MP3, OPUS
from server.base.privacy import without_folders
from server.web.admission import Scope, header, query
from server.web.line import TRANSPORT
from server.web.settings import WebSettings

SOUNDFONT = "/soundfont.sf2"
STREAMS = "/stream/"
PIECE = 1 << 17  # bytes of a SoundFont that are read and sent at once
PLAYLIST_WITHIN = 10.0  # seconds that the first segments may take
_TYPES = {MP3: b"audio/mpeg", OPUS: b"audio/ogg"}
_SUFFIXES = {MP3: MP3, OPUS: OPUS, HLS: "m3u8"}
_TOKEN = "this server asks for its token: add ?token=TOKEN to the address"

Receive = Callable[[], Awaitable[Any]]


class StreamTransport(Protocol):
    """What is used of a connection; all of it returns at once."""

    def write(self, data: bytes) -> None: ...

    def get_write_buffer_size(self) -> int: ...

    def abort(self) -> None: ...


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

    def __init__(
        self,
        radio: Radio | None,
        soundfont: Path | None,
        settings: WebSettings,
        trouble: str = "",
    ) -> None:
        self._radio, self._soundfont = radio, soundfont
        self._settings, self._trouble = settings, trouble

    @property
    def places(self) -> int:
        """Most listeners at a time."""
        return self._radio.settings.max_listeners if self._radio else 0

    def takes(self, path: str) -> bool:
        return path == SOUNDFONT or path.startswith(STREAMS)

    def offers(self, station: str) -> dict[str, str]:
        """Paths of a station's streams, by form."""
        forms = self._radio.offers(station) if self._radio else ()
        return {form: f"{STREAMS}{station}.{_SUFFIXES[form]}" for form in forms}

    async def answer(self, scope: Scope, receive: Receive, send: Send, may_enter: bool) -> None:
        """`may_enter`: whether the token that was shown, if any, lets in."""
        reply = Reply(scope, send, self._settings)
        if scope["method"] not in ("GET", "HEAD"):
            allowed = (b"allow", b"GET, HEAD")
            await reply.refuse(405, "method", "only GET and HEAD are done here", [allowed])
        elif scope["path"] != SOUNDFONT and not may_enter:
            asked = (b"www-authenticate", b'Bearer realm="perpetuo"')
            await reply.refuse(401, "unauthorised", _TOKEN, [asked])
        else:
            try:
                await self._send(reply, receive)
            except AudioError as error:
                await reply.refuse(503, "no_audio", without_folders(str(error)))
            except CapacityError as error:
                await reply.refuse(503, "full", str(error))
            except StreamError as error:
                await reply.refuse(404, "not_found", str(error))

    async def _send(self, reply: Reply, receive: Receive) -> None:
        """What is asked for; an error if there is no such thing, or it cannot be had now."""
        if reply.scope["path"] == SOUNDFONT and self._soundfont is not None:
            await _send_soundfont(self._soundfont, reply)
        elif self._radio is None:
            raise AudioError(self._trouble)
        else:
            await self._send_stream(self._radio, reply, receive)

    async def _send_stream(self, radio: Radio, reply: Reply, receive: Receive) -> None:
        radio.look_at_trouble()
        asked = reply.scope["path"].removeprefix(STREAMS)
        folder, _, file = asked.partition("/")
        station, _, suffix = asked.rpartition(".")
        form = next((one for one in radio.offers(station) if _SUFFIXES[one] == suffix), None)
        if form == HLS:
            await _send_playlist(radio, station, reply)
        elif form is not None:
            await _send_endless(radio, station, form, reply, receive)
        elif HLS in radio.offers(folder) and file:
            await _send_segment(radio, folder, file, reply)
        else:
            raise StreamError(f"there is no stream at {reply.scope['path'][:80]}")


async def _send_endless(
    radio: Radio, station: str, form: str, reply: Reply, receive: Receive
) -> None:
    radio.look_for_room()
    titles = Interleaver() if header(reply.scope, b"icy-metadata") == "1" else None
    headers = [(b"content-type", _TYPES[form]), FRESH]
    if form == MP3:
        headers += _icy_headers(radio, station, titles)
    if reply.is_head:
        await reply.only_head(headers)
        return
    transport: StreamTransport = reply.scope["state"][TRANSPORT]
    transport.write(reply.endless(headers))
    client = reply.scope.get("client") or ("somebody",)
    with radio.joined(
        station, form, HttpListener(client[0], transport, titles if form == MP3 else None)
    ):
        while (await receive())["type"] != "http.disconnect":
            pass


def _icy_headers(radio: Radio, station: str, titles: Interleaver | None) -> list[Header]:
    # Headers are lines of latin-1; the titles in the stream are not bound by that.
    name = radio.stations[station].title.encode("latin-1", "replace")
    headers = [(b"icy-name", b" ".join(name.split()))]
    headers.append((b"icy-br", b"%d" % radio.settings.mp3_bitrate))
    return [*headers, (b"icy-metaint", b"%d" % INTERVAL)] if titles else headers


async def _send_playlist(radio: Radio, station: str, reply: Reply) -> None:
    playlist = radio.playlist(station)
    try:
        async with asyncio.timeout(PLAYLIST_WITHIN):
            await playlist.ready.wait()
    except TimeoutError:
        raise AudioError("there is no sound yet: try again in a moment") from None
    token = query(reply.scope).get("token", "")
    text = playlist.text(f"?token={quote(token)}" if token else "")
    kind = (b"content-type", b"application/vnd.apple.mpegurl")
    cached = (b"cache-control", b"max-age=1")
    await reply.whole(200, [kind, cached], text.encode())


async def _send_segment(radio: Radio, station: str, file: str, reply: Reply) -> None:
    data = radio.stations[station].playlist.file(file)
    if data is None:
        raise StreamError("this segment is not kept any more: fetch the playlist anew")
    kind = (b"content-type", b"video/mp4" if file.endswith("mp4") else b"video/iso.segment")
    cached = (b"cache-control", b"public, max-age=3600, immutable")
    await reply.whole(200, [kind, cached], data)


async def _send_soundfont(path: Path, reply: Reply) -> None:
    """Piece by piece: all of it at once would hold up the event loop, and fill its memory."""
    try:
        file = await asyncio.to_thread(open_file, path, SOUNDFONT_FILE)
    except PerpetuoError as error:  # which names the path, and that is not for everybody
        raise AudioError("the SoundFont cannot be read") from error
    with file:
        about = os.fstat(file.fileno())
        tag = f'"{about.st_mtime_ns:x}-{about.st_size:x}"'
        headers = [(b"etag", tag.encode()), (b"cache-control", b"public, max-age=3600")]
        headers.append((b"content-type", b"application/octet-stream"))
        if header(reply.scope, b"if-none-match") == tag:
            await reply.whole(304, headers[:2])
            return

        async def pieces() -> AsyncIterator[bytes]:
            while piece := await asyncio.to_thread(file.read, PIECE):
                yield piece

        await reply.pieces(headers, about.st_size, pieces())
