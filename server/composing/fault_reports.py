"""What goes wrong beside the music is said, once until it works again, and ends nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable

from common.errors import PerpetuoError, StreamError
from server.composing.messages import TroubleReport
from server.composing.server_connection import ServerConnection

log = logging.getLogger("perpetuo.composing")


class FaultReports:
    """Does what belongs to no single stream."""

    def __init__(self, line: ServerConnection) -> None:
        self._line = line
        self._broken: set[str] = set()

    def do(self, name: str, work: Callable[[], None]) -> bool:
        """Whether it went well."""
        try:
            work()
        except Exception as error:
            if name not in self._broken:
                self._broken.add(name)
                log.exception("%s went wrong; the music goes on", name)
                self._line.report(TroubleReport(0, f"{name} went wrong: {spoken(error)}"))
            return False
        self._broken.discard(name)
        return True


def spoken(error: Exception) -> PerpetuoError:
    """An error as a user is told it."""
    if isinstance(error, PerpetuoError):
        return error
    return StreamError(f"a fault of ours: {error!r}; see the server's log")
