"""The MIDI ports of a configuration, opened when the server starts."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from server.midi.output import MidiOutput
from server.midi.settings import MidiSettings, PortSettings

log = logging.getLogger("perpetuo.midi")


@dataclass(frozen=True, slots=True)
class OpenedPort:
    """A port of the configuration; if it is not there yet, it is played into once it is."""

    output: MidiOutput
    stations: tuple[str, ...]
    offset: int  # microseconds
    line: str  # for the user


def open_ports(settings: MidiSettings, first: str) -> list[OpenedPort]:
    """Every port; those that cannot be had now do not keep the server from playing. A port for
    which no station is named plays the `first`."""
    if not settings.enabled:
        return []
    return [_opened(port, port.stations or (first,)) for port in settings.ports]


def _opened(port: PortSettings, stations: tuple[str, ...]) -> OpenedPort:
    output = MidiOutput(port)
    clock = ", with clock" if port.clock else ""
    line = f"{output.name} plays {', '.join(stations)}{clock}"
    if output.trouble:
        log.warning("no MIDI for %s: %s", ", ".join(stations), output.trouble)
        line = f"not yet: {output.trouble}; 'perpetuo doctor' helps, it is tried every second"
    return OpenedPort(output, stations, round(1000 * port.offset), line)
