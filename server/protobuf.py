"""Just enough of protobuf's wire format to take an ONNX file apart and put one together.

The onnx package does this too, but it is an extra that a plain install does not have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

Value = int | bytes
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_WIDTHS = {FIXED64: 8, FIXED32: 4}


class Message:
    """One message: its fields in order, each a number, a wire type and a value.

    Numbers of wire type `VARINT` are integers without sign; everything else is kept as bytes.
    """

    def __init__(self, fields: Iterable[tuple[int, int, Value]] = ()) -> None:
        self.fields = list(fields)

    @classmethod
    def parse(cls, data: bytes) -> Message:
        """The message of these bytes; ValueError or IndexError if they are none."""
        return cls(_fields(data))

    def add(self, number: int, value: int | str | bytes | Message) -> Message:
        """Append a field; returns the message itself."""
        if isinstance(value, int):
            self.fields.append((number, VARINT, value))
            return self
        if isinstance(value, Message):
            value = value.to_bytes()
        self.fields.append((number, BYTES, value.encode() if isinstance(value, str) else value))
        return self

    def without(self, *numbers: int) -> Message:
        return Message(field for field in self.fields if field[0] not in numbers)

    def numbers(self, number: int) -> list[int]:
        """All integers of a field, packed ones too."""
        found: list[int] = []
        for value in self._values(number):
            found += [value] if isinstance(value, int) else _varints(value)
        return found

    def chunks(self, number: int) -> list[bytes]:
        return [value for value in self._values(number) if isinstance(value, bytes)]

    def texts(self, number: int) -> list[str]:
        return [chunk.decode() for chunk in self.chunks(number)]

    def text(self, number: int) -> str:
        return next(iter(self.texts(number)), "")

    def messages(self, number: int) -> list[Message]:
        return [Message.parse(chunk) for chunk in self.chunks(number)]

    def _values(self, number: int) -> Iterator[Value]:
        return (value for n, _, value in self.fields if n == number)

    def to_bytes(self) -> bytes:
        parts = []
        for number, wire, value in self.fields:
            parts.append(_varint(number << 3 | wire))
            if isinstance(value, int):
                parts.append(_varint(value))
            else:
                parts += [_varint(len(value)), value] if wire == BYTES else [value]
        return b"".join(parts)


def _fields(data: bytes) -> Iterator[tuple[int, int, Value]]:
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, at = _read_varint(data, at)
            yield number, wire, value
            continue
        if wire == BYTES:
            size, at = _read_varint(data, at)
        elif wire in _WIDTHS:
            size = _WIDTHS[wire]
        else:
            raise ValueError(f"wire type {wire} is not in use")
        if at + size > len(data):
            raise ValueError("a field ends after its message")
        yield number, wire, data[at : at + size]
        at += size


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that begins at a place, and the place after it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _varints(data: bytes) -> list[int]:
    at, found = 0, []
    while at < len(data):
        value, at = _read_varint(data, at)
        found.append(value)
    return found


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
