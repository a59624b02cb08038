"""What a server is told about MIDI: the [midi] table of a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.music.score import DRUMS, PARTS
from server.configuration.options import option

# Channels as musicians count them; General MIDI has percussion on the tenth.
CHANNELS = {part: 10 if part - 1 == DRUMS else part for part in range(1, PARTS + 1)}


@dataclass(frozen=True)
class PortSettings:
    """One MIDI output, [[midi.port]]."""

    name: str = option(
        "perpetuo",
        "Name of the port to make, or of an existing one: its beginning or any part of it will do.",
        pattern=r".*\S.*",
        form="a text that is not empty",
    )
    virtual: bool = option(
        True,
        "Make a port that other programs can connect to; false: play into the existing one.",
    )
    stations: tuple[str, ...] = option(
        (), "Names of the stations that it plays; none: the first of the configuration."
    )
    channels: Mapping[int, int] = option(
        {},
        "Channel, 1 to 16, of parts, 1 to 8; parts that are not named keep their own number, and "
        "percussion (part 8) channel 10.",
        low=1,
        high=16,
        form="channels from 1 to 16 by part from 1 to 8, such as { 1 = 3, 8 = 10 }",
    )
    clock: bool = option(False, "Also send MIDI clock, start, stop, continue and song position.")
    offset: float = option(
        0.0, "Milliseconds by which everything is played later (or earlier).", low=-500, high=2000
    )

    def __post_init__(self) -> None:
        for part in self.channels:
            if part not in CHANNELS:
                raise ValueError(f"channels: there is no part {part}, only 1 to {PARTS}")

    def channel_of(self, part: int) -> int:
        """The channel, 1 to 16, of a part, 1 to 8."""
        return self.channels.get(part, CHANNELS[part])


@dataclass(frozen=True)
class MidiSettings:
    """The MIDI outputs of a server."""

    enabled: bool = option(True, "Whether there is MIDI output at all.")
    ports: tuple[PortSettings, ...] = option(
        (PortSettings(),), "The outputs; none given: one virtual port for the first station."
    )
