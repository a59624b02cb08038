"""Titles inside a stream of MP3, for players that ask for them (`Icy-MetaData: 1`). Pure."""

from __future__ import annotations

INTERVAL = 16_000  # bytes of sound between two places for a title
_UNIT = 16  # a title takes a multiple of so many bytes
_MOST = 255 * _UNIT


def block(title: str) -> bytes:
    """A place with a title; "" for one where nothing is new."""
    if not title:
        return b"\0"
    plain = title.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}").replace("\n", " ")
    text = f"StreamTitle='{plain[:500]}';".encode()[:_MOST]
    units = -(-len(text) // _UNIT)
    return bytes([units]) + text.ljust(units * _UNIT, b"\0")


class Interleaver:
    """Puts the places into one listener's stream; a title is told when it is new."""

    def __init__(self) -> None:
        self._left = INTERVAL
        self._told = ""

    def mix(self, data: bytes, title: str) -> bytes:
        """The data with its places; `title` is what is heard now."""
        out = []
        while len(data) >= self._left:
            out += [data[: self._left], block(title if title != self._told else "")]
            self._told = title or self._told
            data, self._left = data[self._left :], INTERVAL
        self._left -= len(data)
        return b"".join([*out, data])
