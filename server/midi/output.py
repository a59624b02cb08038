"""Playing a stream into a MIDI port, and the ports of a configuration."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from common.errors import PortError
from engine.music.score import PARTS
from server.midi.messages import messages, silence
from server.midi.ports import Port, open_existing, open_virtual
from server.midi.settings import MidiSettings, PortSettings
from server.playing.outputs import Event

log = logging.getLogger("perpetuo.midi")


class MidiOutput:
    """An `Output` into one port, a channel a part."""

    def __init__(
        self,
        settings: PortSettings,
        opener: Callable[[str], Port] | None = None,
    ) -> None:
        """Opens the port (by `opener`, if one is given). If it cannot, `trouble` says why, and
        `revive` tries again."""
        self.wants_clock = settings.clock
        self._settings = settings
        self._open = opener or (open_virtual if settings.virtual else open_existing)
        self._port: Port | None = None
        self.name = f"MIDI port {settings.name}"
        self.trouble = self._try()

    def send(self, event: Event, due: int) -> None:
        if self._port is None:
            raise OSError("it was never there")
        for message in messages(event, self._settings.channel_of):
            self._port.send(message)

    def silence(self) -> None:
        if self._port is None:
            return
        channels = (self._settings.channel_of(part) for part in range(1, PARTS + 1))
        try:
            for message in silence(channels):
                self._port.send(message)
        except OSError as error:
            log.debug("%s: not silenced: %s", self.name, error)

    def is_alive(self) -> bool:
        return self._port is not None and self._port.is_alive()

    def revive(self) -> bool:
        if self.is_alive():
            return True
        self.trouble = self._try()
        if self.trouble:
            log.debug("%s: %s", self.name, self.trouble)
        return not self.trouble

    def close(self) -> None:
        if self._port is not None:
            self._port.close()

    def _try(self) -> str:
        """Open the port, in place of the one that there was; the reason if it cannot be."""
        self.close()
        try:
            port = self._open(self._settings.name)
        except PortError as error:
            return str(error)
        self._port = port
        self.name = f"MIDI port {port.name} ({port.api.name})"
        return ""


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
