"""Cuts fragmented MP4, as a muxer writes it, into what HLS serves: a head, then segments. Pure."""

from __future__ import annotations

from collections.abc import Iterator

AAC_FRAME = 1024  # samples
_BOX_HEAD = 8  # length and name
_FULL_HEAD = 4  # version and flags


class Fragments:
    """A file that is written to. Each segment is one box `moof` and one `mdat`."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        self._held += data
        return len(data)

    def head(self) -> bytes:
        """The initialisation segment, which the muxer writes first."""
        return self._taken({b"ftyp", b"moov"}) or b""

    def segments(self) -> Iterator[tuple[bytes, int]]:
        """Those that are complete, and how many frames of AAC each holds."""
        while (segment := self._taken({b"moof", b"mdat"})) is not None:
            yield segment, _frames_in(segment)

    def _taken(self, names: set[bytes]) -> bytes | None:
        """The next boxes, one of each name; None as long as they are not complete."""
        position, missing = 0, set(names)
        for name, begin, end in boxes(self._held, 0, len(self._held)):
            assert name in missing, f"a box {name!r} was not expected here ({begin})"
            missing.remove(name)
            position = end
            if not missing:
                found = bytes(self._held[:position])
                del self._held[:position]
                return found
        return None


def boxes(data: bytes | bytearray, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Names of the whole boxes in this range, and where each begins and ends."""
    while begin + _BOX_HEAD <= end:
        length = int.from_bytes(data[begin : begin + 4], "big")
        assert length >= _BOX_HEAD, "boxes of 4 GB and more are none of ours"
        if begin + length > end:
            return
        yield bytes(data[begin + 4 : begin + 8]), begin, begin + length
        begin += length


def _frames_in(segment: bytes) -> int:
    """The sample count of its one track run."""
    begin, end = 0, len(segment)
    for wanted in (b"moof", b"traf", b"trun"):
        begin, end = next(
            (first + _BOX_HEAD, last)
            for name, first, last in boxes(segment, begin, end)
            if name == wanted
        )
    begin += _FULL_HEAD
    return int.from_bytes(segment[begin : begin + 4], "big")
