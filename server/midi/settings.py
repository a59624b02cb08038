"""What a server is told about MIDI: the [midi] table of a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, field

from common.settings import Table
from engine.music.score import DRUMS, PARTS

# Channels as musicians count them; General MIDI has percussion on the tenth.
CHANNELS = {part: 10 if part - 1 == DRUMS else part for part in range(1, PARTS + 1)}


class PortSettings(Table, frozen=True):
    """One MIDI output, [[midi.port]]."""

    name: Annotated[
        str,
        Meta(pattern=r"\A.*\S.*\Z", title="a text that is not empty"),
        "Name of the port to make, or of an existing one: its beginning or any part of it will do.",
    ] = "perpetuo"
    virtual: Annotated[
        bool, "Make a port that other programs can connect to; false: play into the existing one."
    ] = True
    stations: Annotated[
        tuple[str, ...],
        "Names of the stations that it plays; none: the first of the configuration.",
    ] = ()
    channels: Annotated[
        Mapping[int, Annotated[int, Meta(ge=1, le=16)]],
        Meta(title="channels from 1 to 16 by part from 1 to 8, such as { 1 = 3, 8 = 10 }"),
        "Channel, 1 to 16, of parts, 1 to 8; parts that are not named keep their own number, and "
        "percussion (part 8) channel 10.",
    ] = {}
    clock: Annotated[bool, "Also send MIDI clock, start, stop, continue and song position."] = False
    offset: Annotated[
        float,
        Meta(ge=-500, le=2000),
        "Milliseconds by which everything is played later (or earlier).",
    ] = 0.0

    def __post_init__(self) -> None:
        for part in self.channels:
            if part not in CHANNELS:
                raise ValueError(f"channels: there is no part {part}, only 1 to {PARTS}")

    def channel_of(self, part: int) -> int:
        """The channel, 1 to 16, of a part, 1 to 8."""
        return self.channels.get(part, CHANNELS[part])


class MidiSettings(Table, frozen=True):
    """The MIDI outputs of a server."""

    enabled: Annotated[bool, "Whether there is MIDI output at all."] = True
    # None given: one virtual port for the first station.
    ports: tuple[PortSettings, ...] = field(name="port", default=(PortSettings(),))
