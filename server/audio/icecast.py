"""Sends a station to an Icecast server: connects as a source, tells titles, and connects again."""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
from urllib.parse import quote

from common.errors import PerpetuoError
from server.audio.radio import Radio
from server.audio.settings import MP3, IcecastSettings

log = logging.getLogger("perpetuo.audio")

ANSWER_WITHIN = 10.0  # seconds
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0  # seconds between two attempts
STEADY = 10.0  # seconds after which a connection was a good one
TITLE_EVERY = 5.0  # seconds between two titles at least
_TYPES = {MP3: "audio/mpeg", "opus": "application/ogg"}


class IcecastRefused(Exception):
    """The other side does not take it; the message says why."""


class IcecastSource:
    """A `Listener` of a station that passes all it hears on. `run` it until it is cancelled."""

    def __init__(self, radio: Radio, settings: IcecastSettings, station: str) -> None:
        self.name = f"Icecast {settings.host}:{settings.port}{settings.mount}"
        self.is_up, self.connections, self.failures, self.sent = False, 0, 0, 0
        self._radio, self._settings, self._station = radio, settings, station
        self._writer: asyncio.StreamWriter | None = None
        self._heard = asyncio.Event()  # another title is heard
        self._last = ""
        self._said = ""  # why it was not sent, as it was logged

    @property
    def stream(self) -> str:
        """The name of what it passes on."""
        return f"{self._station}.{self._settings.format}"

    # -- a listener --------------------------------------------------------------------------------

    def write(self, data: bytes, title: str) -> None:
        if self._writer is None or self._writer.is_closing():
            return
        self._writer.write(data)
        self.sent += len(data)
        if title != self._last:
            self._last = title
            self._heard.set()

    @property
    def waiting(self) -> int:
        return self._writer.transport.get_write_buffer_size() if self._writer else 0

    def cut(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()

    # -- its life ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send, and begin again whenever it ends, whatever the reason was."""
        clock, wait = asyncio.get_running_loop().time, FIRST_WAIT
        while True:
            begun = clock()
            try:
                await self._send()
                reason = CLOSED
            except Exception as error:
                reason = _reason(error)
            if self.is_up and clock() - begun >= STEADY:
                wait = FIRST_WAIT
            self.is_up = False
            self.failures += 1
            self._say(reason)
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    def _say(self, reason: str) -> None:
        """Once, until something else happens."""
        if reason != self._said:
            self._said = reason
            log.warning("%s: not sent: %s; tried again for ever", self.name, reason)

    async def _send(self) -> None:
        """One connection, until it ends."""
        reader, self._writer = await self._connect()
        try:
            await self._introduce(reader, self._writer)
            self._last = ""
            with self._radio.joined(self._station, self._settings.format, self):
                self.is_up = True
                self.connections += 1
                self._said = ""
                log.info("%s: %s is sent", self.name, self._station)
                await self._stay(reader)
        finally:
            await _close(self._writer)

    async def _stay(self, reader: asyncio.StreamReader) -> None:
        """Until the other side goes: it says nothing more before."""
        titles = asyncio.create_task(self._tell_titles())
        try:
            while await reader.read(4096):
                pass
        finally:
            titles.cancel()
            await asyncio.gather(titles, return_exceptions=True)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        settings = self._settings
        context = ssl.create_default_context() if settings.tls else None
        async with asyncio.timeout(ANSWER_WITHIN):
            return await asyncio.open_connection(settings.host, settings.port, ssl=context)

    async def _introduce(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        settings = self._settings
        headers = {
            "Content-Type": _TYPES[settings.format],
            "Ice-Name": settings.name or self._radio.stations[self._station].title,
            "Ice-Description": settings.description,
            "Ice-Genre": settings.genre,
            "Ice-URL": settings.url,
            "Ice-Public": str(int(settings.public)),
            "Ice-Bitrate": str(self._bitrate),
            "Expect": "100-continue",
        }
        writer.write(self._request(f"PUT {settings.mount}", headers))
        status = await _status(reader)
        if status == 100:  # it waits for the sound; what is wrong it says at once
            return
        if status != 200:
            raise IcecastRefused(_REASONS.get(status, f"it answers {status}"))

    @property
    def _bitrate(self) -> int:
        settings = self._radio.settings
        is_mp3 = self._settings.format == MP3
        return settings.mp3_bitrate if is_mp3 else settings.opus_bitrate

    def _request(self, what: str, headers: dict[str, str]) -> bytes:
        settings = self._settings
        secret = base64.b64encode(f"{settings.user}:{settings.password}".encode()).decode()
        lines = [
            f"{what} HTTP/1.1",
            f"Host: {settings.host}:{settings.port}",
            f"Authorization: Basic {secret}",
            "User-Agent: perpetuo",
            *(f"{name}: {_one_line(value)}" for name, value in headers.items() if value),
        ]
        return "\r\n".join([*lines, "", ""]).encode()

    async def _tell_titles(self) -> None:
        """Ogg has its titles inside, told when a source connects."""
        while self._settings.format == MP3:
            await self._heard.wait()
            self._heard.clear()
            try:
                await self._tell(self._last)
            except Exception as error:
                log.info("%s: the title was not taken: %s", self.name, _reason(error))
            await asyncio.sleep(TITLE_EVERY)

    async def _tell(self, title: str) -> None:
        mount = quote(self._settings.mount)
        query = f"mode=updinfo&charset=UTF-8&mount={mount}&song={quote(title)}"
        reader, writer = await self._connect()
        try:
            writer.write(self._request(f"GET /admin/metadata?{query}", {"Connection": "close"}))
            status = await _status(reader)
            if status != 200:
                raise IcecastRefused(f"it answers {status}")
        finally:
            await _close(writer)


CLOSED = "it closed the connection"
_REASONS = {
    401: "it refuses the password",
    403: "the mount is taken by another source, or it takes no more of them",
    404: "it is no Icecast",
}


async def _status(reader: asyncio.StreamReader) -> int:
    """Of the head of an answer."""
    async with asyncio.timeout(ANSWER_WITHIN):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError as error:
            raise IcecastRefused("it answers without end") from error
    words = head.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        raise IcecastRefused("it does not speak HTTP")
    return int(words[1])


def _reason(error: Exception) -> str:
    """Why it was not sent, in words."""
    match error:
        case TimeoutError():
            return "it does not answer"
        case asyncio.IncompleteReadError() | ConnectionResetError() | BrokenPipeError():
            return CLOSED
        case OSError() | IcecastRefused() | PerpetuoError():
            return str(error) or type(error).__name__
    log.error("a fault of ours", exc_info=error)
    return f"a fault of ours ({type(error).__name__})"


async def _close(writer: asyncio.StreamWriter) -> None:
    """What the other side does not take in time is thrown away."""
    writer.close()
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            await writer.wait_closed()
    except OSError:  # TimeoutError is one
        writer.transport.abort()


def _one_line(text: str) -> str:
    return " ".join(text.split())
