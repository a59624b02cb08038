"""A session: one client, over one connection after the other.

No sockets, no loop, no clock of its own: a `ClientConnection` takes what is sent, the house says
the time."""

from __future__ import annotations

import logging
from collections import Counter, deque
from typing import TYPE_CHECKING, Protocol

from common.words import without_folders
from server.house.events import StateTurned, StreamEvent
from server.web.backlog import Backlog, Body
from server.web.incoming import AnyRequest
from server.web.outgoing import Bye, ErrorMessage, FromServer, encode
from server.web.stream_messages import StreamMessages, bar_body, bars_from, body_of, state_of
from server.web.terms import ENDS

if TYPE_CHECKING:
    from server.house.house import House
    from server.house.stream import Stream

log = logging.getLogger("perpetuo.web")

MAX_WAITING = 64  # requests of one session that wait to be carried out


class ClientConnection(Protocol):
    """A connection to a client. Nothing here blocks or raises."""

    @property
    def waiting(self) -> int:
        """Bytes that the client has not taken yet."""
        ...

    def say(self, message: bytes) -> None: ...

    def leave(self, code: int, reason: str) -> None:
        """Say so and close; in a few seconds at most, whether the client answers or not."""
        ...


def part(line: ClientConnection, end: str, ends: Counter[str]) -> None:
    """Close a connection with one of the `ENDS`, and count it."""
    ends[end] += 1
    code, meaning = ENDS[end]
    reason = meaning.partition(" (")[0].replace("`", "")
    line.say(encode(Bye(code=end, reason=reason)))
    line.leave(code, f"{end}: {reason}")


class Session:
    """Listens to streams for one client; numbers what it is told, and keeps it for a while."""

    def __init__(
        self,
        house: House,
        messages: StreamMessages,
        ends: Counter[str],
        *,
        key: str,
        name: str,
        address: str,
        queue: int,
        grace: int,
    ) -> None:
        self.key, self.name, self.address = key, name, address
        self.steers_stations = False
        self.line: ClientConnection | None = None
        self.cut_at: int | None = None  # when the connection was lost
        self.listening: dict[str, Stream] = {}
        self.own: set[str] = set()
        self.opening = 0  # own streams that are being begun
        self.requests: deque[AnyRequest] = deque()
        self.is_working = False
        self.unanswered = 0  # requests that are being carried out
        self.is_over = False
        self._house, self._messages, self._ends, self._queue = house, messages, ends, queue
        self._backlog = Backlog(grace)

    # -- the connection --------------------------------------------------------------------------

    def attach(self, line: ClientConnection) -> None:
        if self.line is not None:
            part(self.line, "taken_over", self._ends)
        self.line, self.cut_at = line, None

    def detach(self, line: ClientConnection) -> None:
        """The connection is lost, unless another one took over already."""
        if self.line is line:
            self.line, self.cut_at = None, self._house.now()

    def resume(self, event: int) -> bool:
        """Whether everything after that event can be sent again; `go_on` does it."""
        return self._backlog.resume(event)

    def go_on(self, resumed: bool) -> None:
        """After the welcome: send what was missed, or how everything stands."""
        if not resumed:
            for stream in tuple(self.listening.values()):
                self.tell_all(stream)
        self._flush()

    def arrived(self, event: int) -> None:
        self._backlog.arrived(event)

    # -- hearing ----------------------------------------------------------------------------

    def hear(self, stream: Stream, event: StreamEvent) -> None:
        """As a `Listener` of the house."""
        if isinstance(event, StateTurned) and event.state == "ended":
            self.listening.pop(stream.name, None)
            self.own.discard(stream.name)
        body = self._messages.body(stream, event)
        if body:
            self._say(body)

    def tell(self, message: FromServer) -> None:
        self._say(body_of(message))

    def refuse(self, id: int | None, code: str, message: str) -> None:
        self.tell(ErrorMessage(id=id, code=code, message=without_folders(message)))

    def tell_all(self, stream: Stream, past: int = 0) -> None:
        """Its state and planned bars."""
        now = self._house.now()
        bars = bars_from(stream, now, past)
        self.tell(state_of(stream, now, len(bars)))
        for planned in bars:
            self._say(bar_body(stream, planned))

    def listen(self, stream: Stream) -> None:
        self.listening[stream.name] = stream
        self._house.listen(stream, self)

    def unlisten(self, stream: Stream) -> None:
        self.listening.pop(stream.name, None)
        self._house.unlisten(stream, self)

    def _say(self, body: Body) -> None:
        self._backlog.add(body, self._house.now())
        self._flush()

    def _flush(self) -> None:
        line = self.line
        if line is None:
            return
        for message in self._backlog.unsent():
            line.say(message)
        if line.waiting > self._queue:
            log.warning("%s reads too slowly: let go with %d bytes unsent", self.name, line.waiting)
            self.detach(line)
            part(line, "slow", self._ends)
