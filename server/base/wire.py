"""The bar as it travels: from the composing process to the server, and on to every client.

Plain values only. Times within a bar are ticks, 24 to a quarter note; `shift` and the tempo are
microseconds. Parts are counted from 1, 8 is percussion. docs/protocol.md describes the same in
words, and the JSON schema there is generated from these classes.
"""

from __future__ import annotations

import msgspec

from engine.music.time import Timeline, duration


class WireNote(msgspec.Struct, frozen=True, array_like=True):
    """A note, as an array of seven numbers."""

    part: int  # 1 … 8
    pitch: int
    velocity: int
    tick: int  # since the bar line
    length: int  # in ticks; may reach beyond the bar
    shift: int  # microseconds by which it is played later (or earlier) than its tick
    tie: int  # 1: goes on in the next bar (no note-off here); 2: goes on from the last one; 3: both


class WireBar(msgspec.Struct, frozen=True):
    """One composed bar, as it sounds; a higher revision replaces what a listener holds."""

    index: int  # from 0
    revision: int
    tick: int  # ticks of the stream at the bar line
    ticks: int  # its length
    metre: str  # "4/4"
    tempo: int  # microseconds a quarter
    key: str  # as it sounds, "A minor"
    chords: tuple[str, str]  # of its halves, as they sound: "Am"; "" where none is planned
    section: str  # of the form, "" outside one
    echo: int  # the bar that it takes up again, -1: none
    programs: tuple[int, ...]  # General MIDI programs by part, from 0
    notes: tuple[WireNote, ...]
    late: bool = False  # made from bars before it, because the composed one was not there in time

    @property
    def length(self) -> int:
        """Microseconds."""
        return duration(self.ticks, self.tempo)

    def timeline(self, due: int) -> Timeline:
        """Its tempo over the ticks of the stream, if its bar line sounds at `due`."""
        return Timeline(self.tempo, self.tick, due)

    def onset_of(self, note: WireNote) -> int:
        """Microseconds from the bar line to a note, shifted as it is: perhaps negative."""
        return duration(note.tick, self.tempo) + note.shift

    @property
    def early(self) -> int:
        """By how many microseconds its first note comes before the bar line."""
        return max(0, -min(map(self.onset_of, self.notes), default=0))


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(WireBar)


def encode_bar(bar: WireBar) -> bytes:
    return _encoder.encode(bar)


def decode_bar(data: bytes) -> WireBar:
    return _decoder.decode(data)
