"""HTTP Live Streaming (RFC 8216): the playlist of a station and the segments that it names.

Segments are plain files to whoever fetches them, so that a CDN may stand in between. No clock here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from math import ceil
from typing import NamedTuple

SEGMENT_SECONDS = 4.0
# Seconds of sound that are made at once when nobody listened before.
HELD = 3.5 * SEGMENT_SECONDS
WINDOW = 6  # segments that the playlist names
KEPT = 2 * WINDOW  # segments that may still be fetched
ENOUGH = 3  # segments from which on players begin
# A segment ends with a whole frame of AAC, at most so much after it is full.
TARGET = ceil(SEGMENT_SECONDS + 0.1)


class HlsSegment(NamedTuple):
    number: int
    part: int  # which beginning of the encoder it belongs to, from 1
    seconds: float
    data: bytes


class Playlist:
    """`sent` counts bytes, for metrics."""

    def __init__(self, name: str) -> None:
        self.name, self.sent = name, 0
        self.ready = asyncio.Event()  # a player can begin
        self._heads: dict[int, bytes] = {}
        self._segments: deque[HlsSegment] = deque(maxlen=KEPT)
        self._part = self._number = 0
        self._is_made = False

    def begin(self, head: bytes) -> None:
        """An encoder begins; what follows has this initialisation segment."""
        self._is_made = True
        self._part += 1
        self._heads[self._part] = head

    def append(self, data: bytes, seconds: float) -> None:
        """What was on its way when the encoder ended is left out."""
        if not self._is_made:
            return
        self._number += 1
        self._segments.append(HlsSegment(self._number, self._part, seconds, data))
        used = {segment.part for segment in self._segments}
        self._heads = {p: head for p, head in self._heads.items() if p in used or p == self._part}
        if len(self._segments) >= ENOUGH:
            self.ready.set()

    def stop(self) -> None:
        """The encoder ends: what was made is too old for whoever comes."""
        self._is_made = False
        self._segments.clear()
        self.ready.clear()

    def text(self, query: str = "") -> str:
        """The playlist; `query` ("" or "?token=…") is added to what it names."""
        shown = list(self._segments)[-WINDOW:]
        lines = ["#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{TARGET}"]
        if shown:
            lines.append(f"#EXT-X-MEDIA-SEQUENCE:{shown[0].number}")
            lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{shown[0].part}")
        part = 0
        for segment in shown:
            if segment.part != part:
                lines += ["#EXT-X-DISCONTINUITY"] if part else []
                lines.append(f'#EXT-X-MAP:URI="{self.name}/{segment.part}.mp4{query}"')
                part = segment.part
            lines += [f"#EXTINF:{segment.seconds:.5f},", f"{self.name}/{segment.number}.m4s{query}"]
        return "\n".join([*lines, ""])

    def file(self, name: str) -> bytes | None:
        """What the playlist names, as long as it is kept."""
        number, _, kind = name.partition(".")
        if not number.isdecimal() or len(number) > 12:
            return None
        found = None
        if kind == "mp4":
            found = self._heads.get(int(number))
        elif kind == "m4s":
            wanted = int(number)
            found = next((s.data for s in self._segments if s.number == wanted), None)
        self.sent += len(found or b"")
        return found
