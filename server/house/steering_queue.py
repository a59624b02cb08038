"""What waits to be done to one stream, in order. Pure: no loop, no tasks.

Changes of controls that wait one after the other are carried out together: a fader that sends a
hundred values a second has the music composed anew as often as can be followed, and its last value
always counts.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from common.errors import StreamError
from server.house.requests import ChangeRequest, RequestDone, StreamRequest

MAX_GROUPS = 64  # things to be done to one stream
MAX_QUEUED = 1024  # requests, those that are carried out together included


@dataclass(frozen=True, slots=True, eq=False)
class QueuedRequest:
    """A request, when it was posted (seconds of any steady clock), and who waits for it."""

    request: StreamRequest
    posted: float
    answer: asyncio.Future[RequestDone]

    def refuse(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)

    def carried(self, carried: RequestDone) -> None:
        if not self.answer.done():  # whoever asked may be gone
            self.answer.set_result(carried)


Group = list[QueuedRequest]


class SteeringQueue:
    """Groups of requests that are carried out together, oldest first."""

    def __init__(self) -> None:
        self._groups: deque[Group] = deque()

    def __len__(self) -> int:
        """How many requests wait."""
        return sum(map(len, self._groups))

    def put(self, queued: QueuedRequest) -> None:
        """StreamError if too much waits already."""
        last = self._groups[-1] if self._groups else None
        together = last is not None and _is_fader(queued) and all(map(_is_fader, last))
        if len(self) >= MAX_QUEUED or (not together and len(self._groups) >= MAX_GROUPS):
            raise StreamError(f"{len(self)} things wait to be done to this stream: try again later")
        if together and last is not None:
            last.append(queued)
        else:
            self._groups.append([queued])

    def take(self) -> Group:
        return self._groups.popleft()

    def put_back(self, group: Group) -> None:
        """What could not be carried out yet is first again."""
        self._groups.appendleft(group)

    def expire(self, before: float) -> list[QueuedRequest]:
        """Take out whatever was posted before this time."""
        gone = [queued for group in self._groups for queued in group if queued.posted < before]
        kept = ([one for one in group if one.posted >= before] for group in self._groups)
        self._groups = deque(group for group in kept if group)
        return gone

    def empty(self) -> list[QueuedRequest]:
        queued_requests = [queued for group in self._groups for queued in group]
        self._groups.clear()
        return queued_requests


def _is_fader(queued: QueuedRequest) -> bool:
    """Whether it can be carried out with others of its kind. A plan is refused as a whole, and
    so goes alone."""
    return isinstance(queued.request, ChangeRequest) and not queued.request.plan
