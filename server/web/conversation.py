"""One connection from its first message to its last: what the protocol asks of a client.

Feed it what arrives; it answers over the line, and hands back what the house must carry out. No
sockets, no loop, no clock.
"""

from __future__ import annotations

import logging
from typing import Annotated

import msgspec
from msgspec import Meta

from server.web.incoming import AnyRequest, FromClient, Hello, Ping, decode_request
from server.web.outgoing import ErrorMessage, Pong, encode
from server.web.session import MAX_WAITING, ClientConnection, Session, part
from server.web.sessions import Sessions, Visitor
from server.web.terms import ENDS, MAX_INTEGER, PROTOCOL

log = logging.getLogger("perpetuo.web")

# Ends that come from below, without a `bye`, by their close code.
_UNSAID = {ENDS[end][0]: end for end in ("too_large", "no_answer")}
FLOOD = 5  # seconds of the allowed rate that may be dropped before the client is let go


class _Identified(msgspec.Struct):
    id: Annotated[int, Meta(ge=0, le=MAX_INTEGER)] | None = None


_identify = msgspec.json.Decoder(_Identified).decode


class Allowance:
    """Messages that may come now: refilled with time up to those of one second."""

    def __init__(self, rate: int, now: int) -> None:
        self._rate, self._left, self._at = rate, float(rate), now
        self._dropped = 0

    def take(self, now: int) -> bool:
        refilled = self._left + (now - self._at) * self._rate / 1_000_000
        self._left, self._at = min(refilled, float(self._rate)), now
        if self._left < 1:
            self._dropped += 1
            return False
        if self._left > self._rate / 2:
            self._dropped = 0
        self._left -= 1
        return True

    @property
    def first_dropped(self) -> bool:
        """Whether the last message is the first of those that were dropped: worth an answer."""
        return self._dropped == 1

    @property
    def is_flooded(self) -> bool:
        return self._dropped > self._rate * FLOOD


class Conversation:
    """See the module. `session` is None until the client has said hello."""

    def __init__(self, sessions: Sessions, visitor: Visitor, line: ClientConnection) -> None:
        self.session: Session | None = None
        self.is_over = False
        self._sessions, self._visitor, self._line = sessions, visitor, line
        self._now = sessions.house.now
        self._allowance = Allowance(sessions.settings.rate, self._now())

    def feed(self, text: str) -> AnyRequest | None:
        """Take a message; a request that the house must carry out for the session comes back."""
        if self.is_over:
            return None
        if not self._allowance.take(self._now()):
            self._too_fast(text)
            return None
        try:
            message = decode_request(text)
        except (ValueError, RecursionError) as error:
            self._refuse(_id_of(text), "bad_message", _explained(error))
            return None
        return self._take(message)

    def end(self, end: str) -> None:
        """Close the connection with one of the `ENDS`."""
        if not self.is_over:
            self.is_over = True
            part(self._line, end, self._sessions.ends)

    def hurry(self) -> None:
        """To be called when the time for a hello is up."""
        if self.session is None:
            self.end("no_hello")

    def cut(self, code: int) -> Session | None:
        """The connection is gone; with code 1000 the client wants no more of its session, which
        is handed back for its end."""
        self.is_over = True
        if code in _UNSAID:
            self._sessions.ends[_UNSAID[code]] += 1
        session = self.session
        if session is None or session.line is not self._line:
            return None
        session.detach(self._line)
        return session if code == 1000 else None

    def _take(self, message: FromClient) -> AnyRequest | None:
        session = self.session
        match message:
            case Ping(t=t, event=event):
                # Answered before anything that waits: clocks are compared by it.
                self._line.say(encode(Pong(t=t, time=self._now())))
                if session is not None:
                    session.arrived(event)
            case Hello():
                self._greet(message)
            case _ if session is None:
                self._refuse(message.id, "bad_message", "say hello first")
            case _ if len(session.requests) + session.unanswered >= MAX_WAITING:
                self._refuse(
                    message.id, "too_fast", f"{MAX_WAITING} requests wait already: await an answer"
                )
            case _:
                return message
        return None

    def _greet(self, hello: Hello) -> None:
        if self.session is not None:
            self._refuse(None, "bad_message", "hello was said already on this connection")
        elif hello.protocol != PROTOCOL:
            words = f"this server speaks protocol {PROTOCOL}, not {hello.protocol}"
            self._refuse(None, "version", words)
            self.end("version")
        elif not self._sessions.may_enter(hello.token or self._visitor.token):
            self._refuse(None, "unauthorised", "this server asks for its token: give it in hello")
            self.end("unauthorised")
        else:
            self.session = self._sessions.greet(hello, self._visitor, self._line)

    def _too_fast(self, text: str) -> None:
        if self._allowance.is_flooded:
            log.warning("%s floods the server: let go", self._visitor.address)
            self.end("flood")
        elif self._allowance.first_dropped:
            rate = self._sessions.settings.rate
            words = f"at most {rate} messages a second are read: this one was dropped"
            self._refuse(_id_of(text), "too_fast", words)

    def _refuse(self, id: int | None, code: str, message: str) -> None:
        if self.session is not None and self.session.line is self._line:
            self.session.refuse(id, code, message)
        else:
            self._line.say(encode(ErrorMessage(id=id, code=code, message=message)))


def _id_of(text: str) -> int | None:
    """The id of a message that was not understood otherwise, so that its sender knows."""
    try:
        return _identify(text).id
    except (ValueError, RecursionError):
        return None


def _explained(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "this message is nested too deeply"
    kind = "is not as the protocol has it" if isinstance(error, msgspec.ValidationError) else None
    return f"this message {kind or 'is no JSON'}: {str(error)[:200]}"
