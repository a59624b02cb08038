"""The bar as it travels: from the composing process to the server, and on to every client.

Plain values only. Times within a bar are ticks, 24 to a quarter note; `shift` and the tempo are
microseconds. Parts are counted from 1, 8 is percussion. docs/protocol.md describes the same in
words, and the JSON schema there is generated from these classes.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from engine.music.time import Timeline, duration


class WireNote(msgspec.Struct, frozen=True, array_like=True):
    """A note, as an array of seven numbers."""

    # In an array a name stands nowhere but in the title.
    part: Annotated[int, Meta(title="part", description="1 … 8; 8 is percussion.")]
    pitch: Annotated[int, Meta(title="pitch")]
    velocity: Annotated[int, Meta(title="velocity")]
    tick: Annotated[int, Meta(title="tick", description="Since the bar line.")]
    length: Annotated[int, Meta(title="length", description="In ticks; may reach beyond the bar.")]
    shift: Annotated[
        int,
        Meta(
            title="shift",
            description="Microseconds by which it is played later (or earlier) than its tick.",
        ),
    ]
    tie: Annotated[
        int,
        Meta(
            title="tie",
            description="1: goes on in the next bar (no note-off here);"
            " 2: goes on from the last one; 3: both.",
        ),
    ]


class WirePedal(msgspec.Struct, frozen=True, array_like=True):
    """The sustain pedal of a part is down, as an array of three numbers: controller 64 is sent as
    127, and as 0 at the end. It is up at every bar line."""

    part: Annotated[int, Meta(title="part", description="1 … 7.")]
    tick: Annotated[int, Meta(title="tick", description="Since the bar line.")]
    length: Annotated[int, Meta(title="length", description="In ticks; never beyond the bar.")]


class WireController(msgspec.Struct, frozen=True, array_like=True):
    """A controller of a part that stands at a value in this bar, as an array of three numbers. One
    that is in no list any more goes back to what is usual: 7 to 100, 10 and 73 to 64, 91 to 40."""

    part: Annotated[int, Meta(title="part", description="1 … 8.")]
    number: Annotated[
        int,
        Meta(
            title="number",
            description="7: level, 10: place (64 is the middle), 73: attack, 91: reverb.",
        ),
    ]
    value: Annotated[int, Meta(title="value", description="0 … 127.")]


class WireBar(msgspec.Struct, frozen=True):
    """One composed bar, as it sounds; a higher revision replaces what a listener holds."""

    index: Annotated[int, Meta(description="From 0.")]
    revision: int
    tick: Annotated[int, Meta(description="Ticks of the stream at the bar line.")]
    ticks: Annotated[int, Meta(description="Its length.")]
    metre: Annotated[str, Meta(description="Such as 4/4.")]
    tempo: Annotated[int, Meta(description="Microseconds a quarter.")]
    key: Annotated[str, Meta(description="As it sounds, such as A minor.")]
    chords: Annotated[
        tuple[str, str],
        Meta(description="Heard in its halves, such as Am; empty until the first one is heard."),
    ]
    section: Annotated[str, Meta(description="Of the form, empty outside one.")]
    echo: Annotated[int, Meta(description="The bar that it takes up again, -1: none.")]
    programs: Annotated[tuple[int, ...], Meta(description="General MIDI programs by part, from 0.")]
    notes: tuple[WireNote, ...]
    late: Annotated[
        bool,
        Meta(
            description="Made from bars before it, because the composed one was not there in time."
        ),
    ] = False
    pedals: Annotated[
        tuple[WirePedal, ...],
        Meta(description="When the sustain pedal of a part is down. May be passed over."),
    ] = ()
    controllers: Annotated[
        tuple[WireController, ...],
        Meta(
            description="What is asked for of level, place, attack and reverb of parts, before its"
            " first note. May be passed over."
        ),
    ] = ()

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
