"""OSC 1.0 datagrams: messages, bundles and timetags, to bytes and back.

Single values are read and written by python-osc. Its own walk through messages and bundles is not
used: it never ends on a bundle element of negative size, recurses as deep as a datagram says, and
prints a warning for each unknown type. Here whatever is wrong is one `GarbageError`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from pythonosc.parsing import osc_types

# Of the types that OSC knows, colours, MIDI messages, times and blobs stay bytes.
_LARGEST_SINGLE = float(np.finfo(np.float32).max)
Value = int | float | str | bool | bytes | None

MAX_DATAGRAM = 8192  # bytes that are read of one datagram
MAX_DEPTH = 4  # of bundles inside bundles
MAX_MESSAGES = 128  # in one datagram
IMMEDIATELY = 1  # the timetag

_BUNDLE = b"#bundle\0"
_NTP_OFFSET = 2_208_988_800  # seconds from 1900 to 1970
_ERA = 1 << 32  # seconds after which the count of NTP begins again, in 2036


class GarbageError(Exception):
    """A datagram was no OSC, or more of it than is taken."""


class PacketMessage(NamedTuple):
    address: str
    values: tuple[Value, ...]


class PacketBundle(NamedTuple):
    """Messages that belong together, and when they are to be carried out."""

    timetag: int
    messages: tuple[PacketMessage, ...]


def decode(datagram: bytes) -> tuple[PacketBundle, ...]:
    """What a datagram holds, in its order; bundles in bundles come out flat.

    A bundle inside another one is never due before that one. Raises GarbageError, nothing else.
    """
    if len(datagram) > MAX_DATAGRAM:
        raise GarbageError(f"it has {len(datagram)} bytes, and at most {MAX_DATAGRAM} are read")
    try:
        found = tuple(_walk(datagram, IMMEDIATELY, 0))
    except (osc_types.ParseError, UnicodeDecodeError, OverflowError) as error:
        raise GarbageError("it breaks off, or a text in it is not UTF-8") from error
    if sum(len(timed.messages) for timed in found) > MAX_MESSAGES:
        raise GarbageError(f"at most {MAX_MESSAGES} messages are taken in one datagram")
    return found


def _walk(data: bytes, not_before: int, depth: int) -> Iterator[PacketBundle]:
    if not data.startswith(_BUNDLE):
        yield PacketBundle(not_before, (_message(data),))
        return
    if depth == MAX_DEPTH:
        raise GarbageError(f"bundles are taken {MAX_DEPTH} deep")
    if len(data) < 16:
        raise GarbageError("it is a bundle without a timetag")
    timetag = max(int.from_bytes(data[8:16], "big"), not_before)
    together: list[PacketMessage] = []
    for element in _elements(data):
        if element.startswith(_BUNDLE):
            if together:
                yield PacketBundle(timetag, tuple(together))
                together = []
            yield from _walk(element, timetag, depth + 1)
        else:
            together.append(_message(element))
    if together:
        yield PacketBundle(timetag, tuple(together))


def _elements(bundle: bytes) -> Iterator[bytes]:
    index = 16
    while index < len(bundle):
        size = int.from_bytes(bundle[index : index + 4], "big")
        index += 4
        if size == 0 or size % 4 or index + size > len(bundle):
            raise GarbageError("an element of a bundle has a size that cannot be")
        yield bundle[index : index + size]
        index += size


def _message(data: bytes) -> PacketMessage:
    if not data.startswith(b"/"):
        raise GarbageError("it begins neither with / nor with #bundle")
    address, index = osc_types.get_string(data, 0)
    if index >= len(data):  # old programs leave the types out where there are no values
        return PacketMessage(address, ())
    types, index = osc_types.get_string(data, index)
    if not types.startswith(","):
        raise GarbageError("its types do not begin with a comma")
    values: list[Value] = []
    for queued in types[1:]:
        if queued in _CONSTANTS:
            values.append(_CONSTANTS[queued])
        elif queued in _READERS:
            value, index = _READERS[queued](data, index)
            values.append(value)
        elif queued not in "[]":  # arrays are read as the values in them
            raise GarbageError("it has a value of a type that OSC does not know")
    return PacketMessage(address, tuple(values))


def _single(data: bytes, index: int) -> tuple[float, int]:
    """A number of single precision as the decimal one that was meant: 0.3, not 0.30000001192."""
    value, after = osc_types.get_float(data, index)
    return float(str(np.float32(value))), after


def _bytes_of(size: int) -> Callable[[bytes, int], tuple[bytes, int]]:
    def read(data: bytes, index: int) -> tuple[bytes, int]:
        if index + size > len(data):
            raise GarbageError("it breaks off")
        return data[index : index + size], index + size

    return read


def _blob(data: bytes, index: int) -> tuple[bytes, int]:
    size = int.from_bytes(data[index : index + 4], "big")
    end = index + 4 + size
    if end > len(data):
        raise GarbageError("it breaks off")
    return data[index + 4 : end], end + -size % 4


_CONSTANTS: dict[str, Value] = {"T": True, "F": False, "N": None, "I": True}
_READERS: dict[str, Callable[[bytes, int], tuple[Value, int]]] = {
    "i": osc_types.get_int,
    "h": osc_types.get_int64,
    "f": _single,
    "d": osc_types.get_double,
    "s": osc_types.get_string,
    "S": osc_types.get_string,
    "b": _blob,
    "c": _bytes_of(4),
    "r": _bytes_of(4),
    "m": _bytes_of(4),
    "t": _bytes_of(8),
}


def encode(address: str, *values: Value) -> bytes:
    """One message; floats travel in single precision, which is what most programs read."""
    types, data = ",", b""
    for value in values:
        queued, written = _written(value)
        types += queued
        data += written
    return osc_types.write_string(address) + osc_types.write_string(types) + data


def _written(value: Value) -> tuple[str, bytes]:
    match value:
        case bool():
            return ("T" if value else "F"), b""
        case int() if value.bit_length() < 32:
            return "i", osc_types.write_int(value)
        case int():
            return "h", osc_types.write_int64(value)
        case float():
            return "f", osc_types.write_float(_to_single(value))
        case str():
            return "s", osc_types.write_string(value.replace("\0", ""))
        case bytes():
            return "b", len(value).to_bytes(4, "big") + value + b"\0" * (-len(value) % 4)
    return "N", b""


def _to_single(value: float) -> float:
    """What single precision cannot hold becomes infinite, as in arithmetic."""
    return math.copysign(math.inf, value) if abs(value) > _LARGEST_SINGLE else value


def encode_bundle(timetag: int, *elements: bytes) -> bytes:
    sized = (len(element).to_bytes(4, "big") + element for element in elements)
    return _BUNDLE + timetag.to_bytes(8, "big") + b"".join(sized)


def timetag_of(time: int) -> int:
    """The NTP time of microseconds since 1970."""
    seconds, rest = divmod(time, 1_000_000)
    return ((seconds + _NTP_OFFSET) % _ERA << 32) | (rest << 32) // 1_000_000


def time_of(timetag: int) -> int:
    """Microseconds since 1970 of an NTP time, from 1968 to 2104; 0 means at once."""
    if timetag <= IMMEDIATELY:
        return 0
    seconds, fraction = divmod(timetag, 1 << 32)
    era = _ERA if seconds < 1 << 31 else 0
    return (seconds + era - _NTP_OFFSET) * 1_000_000 + (fraction * 1_000_000 + (1 << 31) >> 32)
