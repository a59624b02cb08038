"""All sessions of a server: greeted, taken up again after a cut, ended."""

from __future__ import annotations

import hmac
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from engine.controls.reference import describe
from engine.controls.table import ROLES
from engine.music.score import PARTS
from engine.music.time import TICKS_PER_QUARTER
from server.base.distribution import version
from server.web.incoming import Hello
from server.web.outgoing import Capabilities, ControlRow, Limits, StationRow, Welcome, encode
from server.web.session import ClientConnection, Session
from server.web.settings import EVERYONE, NOBODY, TOKEN, WebSettings
from server.web.stream_messages import StreamMessages, preset_row, station_row
from server.web.terms import PROTOCOL

if TYPE_CHECKING:
    from server.house.house import House
    from server.house.stream import Stream


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who connects: network address, whether from this machine, and the token shown, if any."""

    address: str
    is_local: bool
    token: str = ""


class Sessions:
    """See the module; one for each server."""

    def __init__(self, house: House, settings: WebSettings) -> None:
        self.house, self.settings = house, settings
        # Paths of a station's sound by form, once there is any.
        self.streams_of: Callable[[str], Mapping[str, str]] = lambda station: {}
        self._messages = StreamMessages()
        self._by_key: dict[str, Session] = {}
        self._count = 0
        self.ends: Counter[str] = Counter()  # connections that the server closed, by code

    def __len__(self) -> int:
        return len(self._by_key)

    @property
    def connected(self) -> int:
        return sum(session.line is not None for session in self._by_key.values())

    # -- rights ----------------------------------------------------------------------------------

    def has_token(self, token: str) -> bool:
        wanted = self.settings.token
        return wanted is not None and hmac.compare_digest(token.encode(), wanted.encode())

    def may_enter(self, token: str) -> bool:
        """Whether who shows this token ("": none) may listen and open streams."""
        if self.settings.token is None:
            return True
        if not token:
            return self.settings.enter == EVERYONE
        return self.has_token(token)

    def _steers_stations(self, visitor: Visitor, token: str) -> bool:
        if self.settings.steer_stations == TOKEN:
            return visitor.is_local if self.settings.token is None else self.has_token(token)
        return self.settings.steer_stations != NOBODY

    def may_steer(self, session: Session, stream: Stream) -> bool:
        return session.steers_stations if stream.is_station else stream.name in session.own

    # -- coming and going ------------------------------------------------------------------------

    def greet(self, hello: Hello, visitor: Visitor, line: ClientConnection) -> Session:
        """The session of a client that said hello; it is welcomed, and told what it missed."""
        known = self._by_key.get(hello.resume.session) if hello.resume else None
        session = known or self._begin(visitor)
        session.steers_stations = self._steers_stations(visitor, hello.token or visitor.token)
        session.attach(line)
        resumed = bool(known and hello.resume and known.resume(hello.resume.event))
        line.say(encode(self._welcome(session, resumed)))
        session.go_on(resumed)
        return session

    def _begin(self, visitor: Visitor) -> Session:
        if len(self._by_key) >= 2 * self.settings.max_clients:
            cut = (s for s in self._by_key.values() if s.cut_at is not None)
            self.end(min(cut, key=lambda session: session.cut_at or 0))
        self._count += 1
        session = Session(
            self.house,
            self._messages,
            self.ends,
            key=secrets.token_urlsafe(16),
            name=f"web-{self._count}",
            address=visitor.address,
            queue=self.settings.queue,
            grace=int(self.settings.grace * 1_000_000),
        )
        self._by_key[session.key] = session
        return session

    def end(self, session: Session) -> list[Stream]:
        """Forget a session; the own streams that nobody hears any more, for the house to close."""
        self._by_key.pop(session.key, None)
        session.is_over = True
        for stream in tuple(session.listening.values()):
            session.unlisten(stream)
        session.requests.clear()
        own = [self.house.streams[name] for name in session.own if name in self.house.streams]
        return [stream for stream in own if not stream.listeners]

    def overdue(self) -> list[Session]:
        """Sessions whose client has been away for too long."""
        since = self.house.now() - int(self.settings.grace * 1_000_000)
        return [s for s in self._by_key.values() if s.cut_at is not None and s.cut_at < since]

    def own_streams(self, address: str) -> int:
        """How many own streams clients of one address have or are beginning."""
        return sum(
            len(self._own(session)) + session.opening
            for session in self._by_key.values()
            if session.address == address
        )

    def _own(self, session: Session) -> set[str]:
        """Its own streams; those that ended while it did not listen are forgotten."""
        session.own &= self.house.streams.keys()
        return session.own

    # -- what this server can --------------------------------------------------------------------

    def station_rows(self) -> tuple[StationRow, ...]:
        """The stations, in short, in the order of the configuration."""
        stations = self.house.stations.values()
        return tuple(station_row(stream, self.streams_of(stream.name)) for stream in stations)

    def _welcome(self, session: Session, resumed: bool) -> Welcome:
        return Welcome(
            protocol=PROTOCOL,
            server=version(),
            session=session.key,
            you=session.name,
            resumed=resumed,
            listening=tuple(session.listening),
            own=tuple(sorted(self._own(session))),
            time=self.house.now(),
            capabilities=self._capabilities(session),
        )

    def _capabilities(self, session: Session) -> Capabilities:
        stations = self.house.stations.values()
        styles = {style: None for stream in stations for style in stream.styles}
        settings = self.settings
        return Capabilities(
            controls=_controls(),
            roles=ROLES,
            parts=PARTS,
            ticks=TICKS_PER_QUARTER,
            styles=tuple(styles),
            models=tuple(self.house.models()),
            stations=self.station_rows(),
            presets=tuple(map(preset_row, self.house.presets.values())),
            may_steer_stations=session.steers_stations,
            horizon=self.house.rules.sealed,
            limits=Limits(
                message=settings.max_message,
                rate=settings.rate,
                own_streams=settings.max_own_streams,
                grace=settings.grace,
            ),
        )


@cache
def _controls() -> tuple[ControlRow, ...]:
    return msgspec.convert(describe(), tuple[ControlRow, ...])
