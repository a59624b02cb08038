"""A connection that records what it is told, and a client of the protocol core on it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from server.web.conversation import Conversation
from server.web.incoming import AnyRequest
from server.web.outgoing import decode
from server.web.request_handling import carry_out
from server.web.session import Session
from server.web.sessions import Sessions, Visitor
from server.web.settings import WebSettings
from server.web.terms import ENDS, ERRORS
from tests.server.web_house import WebHouse


async def answered(sessions: Sessions, session: Session, request: AnyRequest) -> None:
    """Carry out a request, and wait for its answer."""
    answer = await carry_out(sessions, session, request)
    if answer is not None:
        await answer


class RecordingLine:
    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        self.closed: tuple[int, str] | None = None
        self.waiting = 0

    def say(self, message: bytes) -> None:
        assert self.closed is None, "nothing is said on a closed line"
        decode(message)
        self.said.append(json.loads(message))
        known = {"error": ERRORS, "bye": ENDS}.get(self.said[-1]["type"])
        assert known is None or self.said[-1]["code"] in known

    def leave(self, code: int, reason: str) -> None:
        self.closed = (code, reason)


class Talk:
    """One connection to the core: say something, take what came back."""

    def __init__(self, sessions: Sessions, visitor: Visitor | None = None) -> None:
        self.sessions = sessions
        self.line = RecordingLine()
        self.visitor = visitor or Visitor("127.0.0.1", is_local=True)
        self.conversation = Conversation(sessions, self.visitor, self.line)

    def say(self, message: Any) -> list[dict[str, Any]]:
        """What is said until the message is carried out."""
        text = message if isinstance(message, str) else json.dumps(message)
        request = self.conversation.feed(text)
        if request is not None:
            session = self.conversation.session
            assert session is not None
            asyncio.run(answered(self.sessions, session, request))
        return self.take()

    def take(self) -> list[dict[str, Any]]:
        said, self.line.said = self.line.said, []
        return said

    def hello(self, **more: Any) -> dict[str, Any]:
        """Greet; the welcome. What follows it stays to be taken."""
        welcome, *rest = self.say({"type": "hello", "protocol": 1, **more})
        self.line.said = rest
        return welcome

    def cut(self, code: int = 1006) -> Any:
        return self.conversation.cut(code)


def talking(
    house: WebHouse | None = None, visitor: Visitor | None = None, **settings: Any
) -> tuple[WebHouse, Talk]:
    """A house and a client that was welcomed by it."""
    house = house or WebHouse()
    talk = Talk(Sessions(house, WebSettings(**settings)), visitor)  # type: ignore[arg-type]
    assert talk.hello()["type"] == "welcome"
    return house, talk


def types(messages: list[dict[str, Any]]) -> list[str]:
    return [message["type"] for message in messages]
