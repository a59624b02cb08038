"""Pages of an Ogg stream that carries Opus (RFC 3533, RFC 7845). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

CAPTURE = b"OggS"
BEGINS, ENDS = 2, 4  # flags of the first and the last page
MOST_SEGMENTS = 255
_POLYNOMIAL = 0x04C11DB7
_VENDOR = b"perpetuo"


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        register = byte << 24
        for _ in range(8):
            register = register << 1 ^ (_POLYNOMIAL if register & 1 << 31 else 0)
        table.append(register & 0xFFFFFFFF)
    return tuple(table)


_TABLE = _table()


def checksum(data: bytes) -> int:
    register = 0
    for byte in data:
        register = (register << 8 & 0xFFFFFFFF) ^ _TABLE[register >> 24 ^ byte]
    return register


def page(
    packets: Sequence[bytes], *, serial: int, number: int, granule: int, flags: int = 0
) -> bytes:
    """One page of whole packets; `granule` is the number of frames up to its end."""
    lacing = b"".join(b"\xff" * (len(p) // 255) + bytes([len(p) % 255]) for p in packets)
    assert len(lacing) <= MOST_SEGMENTS, "more than a page holds"
    head = CAPTURE + bytes([0, flags]) + granule.to_bytes(8, "little")
    head += serial.to_bytes(4, "little") + number.to_bytes(4, "little")
    rest = bytes([len(lacing)]) + lacing + b"".join(packets)
    return head + checksum(head + bytes(4) + rest).to_bytes(4, "little") + rest


def tags(comments: Mapping[str, str]) -> bytes:
    """The packet that names the music."""
    lines = [f"{key}={value}".encode() for key, value in comments.items() if value]
    packet = b"OpusTags" + _counted(_VENDOR) + len(lines).to_bytes(4, "little")
    return packet + b"".join(map(_counted, lines))


def headers(identification: bytes, serial: int, comments: Mapping[str, str]) -> bytes:
    """The two pages that come first; data pages are numbered from 2."""
    first = page([identification], serial=serial, number=0, granule=0, flags=BEGINS)
    return first + page([tags(comments)], serial=serial, number=1, granule=0)


def _counted(data: bytes) -> bytes:
    return len(data).to_bytes(4, "little") + data
