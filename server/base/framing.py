"""Messages as bytes on the line: msgpack, each preceded by its length. Pure: no socket here."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

LENGTH_BYTES = 4
# A prompt of many notes is the longest message; anything longer is no message of ours.
MAX_MESSAGE = 16 * 2**20

_encoder = msgspec.msgpack.Encoder()

M = TypeVar("M")


class FramingError(Exception):
    """What came is no message: the two ends of the line do not understand each other."""


def encode(message: msgspec.Struct) -> bytes:
    """A message as it goes over the line; LineError if it is longer than the other end takes."""
    content = _encoder.encode(message)
    if len(content) > MAX_MESSAGE:
        raise FramingError(f"a message of {len(content)} bytes is too long: {MAX_MESSAGE} at most")
    return len(content).to_bytes(LENGTH_BYTES, "big") + content


class Frames(Generic[M]):
    """Takes bytes as they arrive, gives whole messages."""

    def __init__(self, decoder: msgspec.msgpack.Decoder[M]) -> None:
        self._decoder = decoder
        self._held = bytearray()

    def feed(self, data: bytes) -> list[M | FramingError]:
        """The messages that are complete with these bytes, in order.

        A FramingError stands for one that was not understood; it is raised if the bytes that follow
        cannot be understood either.
        """
        self._held += data
        messages: list[M | FramingError] = []
        start = 0
        while len(self._held) - start >= LENGTH_BYTES:
            begin = start + LENGTH_BYTES
            length = int.from_bytes(self._held[start:begin], "big")
            if length > MAX_MESSAGE:
                raise FramingError(f"a message of {length} bytes was announced: the line is broken")
            if len(self._held) < begin + length:
                break
            messages.append(self._decoded(bytes(self._held[begin : begin + length])))
            start = begin + length
        del self._held[:start]
        return messages

    def _decoded(self, content: bytes) -> M | FramingError:
        try:
            return self._decoder.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return FramingError(f"a message was not understood: {error}")
