"""The OSC door: one UDP socket for everything that comes in and goes out."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from common.errors import PortError
from server.house.events import ChangePostponed, StateTurned, StreamEvent
from server.osc.receiver import Receiver, is_self
from server.osc.sender import AheadSender, OscOutput, tell_news
from server.osc.settings import PORT, TRIED, OscSettings, OscTarget
from server.osc.subscribers import Address, DatagramSender, OscCounts, Subscribers, Subscription

if TYPE_CHECKING:
    from server.house.house import House
    from server.house.stream import Stream

log = logging.getLogger("perpetuo.osc")

EXPIRE_EVERY = 5.0  # seconds


def _system_clock() -> int:
    """Microseconds since 1970: for timetags only, music goes by the monotonic clock."""
    return time.time_ns() // 1000


class OscDoor:
    """Opened once, closed once, in the event loop's thread.

    Hears every station of the house and plays none by itself: whoever dispatches a station's notes
    is to have `output(stream)` among its outputs.
    """

    def __init__(self) -> None:
        self.counts = OscCounts()  # of the event loop
        self.note_counts = OscCounts()  # of the dispatching thread: what it sent
        self._forerunners: dict[str, AheadSender] = {}

    async def open(
        self,
        house: House,
        settings: OscSettings,
        *,
        reload: Callable[[], object] | None = None,
    ) -> None:
        """PortError if the port cannot be had. `reload` reads the presets again; it is called in
        the event loop and may raise a PerpetuoError."""
        self._house, self._settings = house, settings
        self._loop = asyncio.get_running_loop()
        self._socket = await self._bind(settings)
        self.address: Address = self._socket.getsockname()[:2]
        self._outlet = DatagramSender(self._socket, self.counts)
        self._note_outlet = DatagramSender(self._socket, self.note_counts)
        try:
            targets = [await self._target(target) for target in settings.targets]
        except PortError:
            self._socket.close()
            raise
        known = [target for target in targets if target is not None]
        self._audience = Subscribers(known, settings.max_subscribers)
        self._receiver = Receiver(
            house,
            settings,
            self._audience,
            self._outlet,
            own=self.address,
            timers=self._loop,
            clock=_system_clock,
            reload=reload,
        )
        self._transport, _ = await self._loop.create_datagram_endpoint(
            lambda: self._receiver, sock=self._socket
        )
        house.newcomers.append(self)
        for stream in house.stations.values():
            house.listen(stream, self)
            self._meet(stream)
        self._expiry = self._loop.call_later(EXPIRE_EVERY, self._expire)

    async def close(self) -> None:
        """What is sent after this by the dispatching thread gets lost without harm."""
        self._expiry.cancel()
        self._house.newcomers.remove(self)
        for stream in self._house.stations.values():
            self._house.unlisten(stream, self)
        for ahead_sender in self._forerunners.values():
            ahead_sender.close()
        await self._receiver.close()
        self._transport.close()

    def output(self, stream: Stream) -> OscOutput:
        """What plays a station to those that want it at its due time."""
        return OscOutput(stream, self._audience, self._note_outlet)

    def hear(self, stream: Stream, event: StreamEvent) -> None:
        """A listener of every station."""
        self._meet(stream)
        self._forerunners[stream.name].hear(event)
        tell_news(stream, event, self._audience, self._outlet)
        if isinstance(event, ChangePostponed):
            self._receiver.tell_postponed(stream, event)
        if isinstance(event, StateTurned) and event.state == "ended":
            self._forerunners.pop(stream.name).close()

    def _meet(self, stream: Stream) -> None:
        if stream.name in self._forerunners:
            return
        self._audience.open_for(stream.name)
        self._forerunners[stream.name] = AheadSender(
            self._house,
            stream,
            self._audience,
            self._outlet,
            lead=self._settings.ahead * 1000,
            timers=self._loop,
            clock=_system_clock,
        )

    def _expire(self) -> None:
        self._audience.expire(self._loop.time())
        self._expiry = self._loop.call_later(EXPIRE_EVERY, self._expire)

    async def _bind(self, settings: OscSettings) -> socket.socket:
        """The socket at the port that is named, or at the first free one if none is."""
        host, named = settings.host, settings.port
        ports = range(PORT, PORT + TRIED) if named is None else (named,)
        for port in ports:
            try:
                return await self._bound_to(host, port)
            except (OSError, UnicodeError) as error:
                is_taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
                if not is_taken or port == ports[-1]:
                    raise _unusable(host, port, error) from error
        raise AssertionError("the last port either was bound or raised")

    async def _bound_to(self, host: str, port: int) -> socket.socket:
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = found[0]
        own = socket.socket(family, kind, protocol)
        try:
            own.setblocking(False)
            own.bind(address)
        except OSError:
            own.close()
            raise
        return own

    async def _target(self, target: OscTarget) -> Subscription | None:
        """A target by its number; names are looked up once, as that may take long."""
        try:
            found = await self._loop.getaddrinfo(
                target.host, target.port, family=self._socket.family, type=socket.SOCK_DGRAM
            )
        except (OSError, UnicodeError) as error:
            log.warning("the OSC target %s is left out: %s", target.host, error)
            return None
        address = (str(found[0][4][0]), target.port)
        if is_self(address, self.address):
            raise PortError(
                f"the OSC target {target.host} port {target.port} is this server itself: give the"
                " port on which the other program listens"
            )
        return Subscription(address, target.mode, target.what, target.stations)


def _unusable(host: str, port: int, error: Exception) -> PortError:
    reason = getattr(error, "strerror", None) or error
    return PortError(
        f"OSC cannot listen on {host} port {port} ({reason}): choose another host or port"
        " under [osc]"
    )
