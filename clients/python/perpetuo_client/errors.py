"""What can go wrong, by what a program can do about it. Messages are sentences for the user."""

from __future__ import annotations


class ClientError(Exception):
    """The root of everything that this package raises on purpose."""


class Disconnected(ClientError):
    """The server could not be reached, or the connection was cut and not taken up again."""


class ProtocolError(ClientError):
    """The server said something that the protocol does not know."""


class PortError(ClientError):
    """A MIDI port could not be opened, or is gone."""


class StreamEnded(ClientError):
    """The stream has come to its end: nothing more is heard and nothing can be steered."""


class Refused(ClientError):
    """The server refused a request and says why; nothing was changed.

    `code` is the protocol's word for the reason.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
