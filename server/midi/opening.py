"""The MIDI ports of a configuration, opened when the server starts."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from engine.errors import PortError
from server.configuration.settings import Configuration
from server.midi.output import MidiOutput
from server.midi.settings import PortSettings

log = logging.getLogger("perpetuo.midi")


@dataclass(frozen=True, slots=True)
class OpenedPort:
    """A port of the configuration; no output if it could not be opened, `line` says why."""

    output: MidiOutput | None
    stations: tuple[str, ...]
    offset: int  # microseconds
    line: str  # for the user


def open_ports(configuration: Configuration) -> list[OpenedPort]:
    """Every port that can be had; those that cannot do not keep the server from playing."""
    if not configuration.midi.enabled:
        return []
    first = configuration.stations[0].name
    return [_opened(port, port.stations or (first,)) for port in configuration.midi.ports]


def _opened(port: PortSettings, stations: tuple[str, ...]) -> OpenedPort:
    offset = round(1000 * port.offset)
    try:
        output = MidiOutput(port)
    except PortError as error:
        log.warning("no MIDI for %s: %s", ", ".join(stations), error)
        return OpenedPort(None, stations, offset, f"none: {error}; 'perpetuo doctor' helps")
    clock = ", with clock" if port.clock else ""
    return OpenedPort(output, stations, offset, f"{output.name} plays {', '.join(stations)}{clock}")
