"""Playing a stream into a MIDI port."""

from __future__ import annotations

import logging
from collections.abc import Callable

from engine.errors import PortError
from engine.score import PARTS
from server.midi.messages import messages, silence
from server.midi.ports import Port, open_existing, open_virtual
from server.midi.settings import PortSettings
from server.playing.outputs import Event

log = logging.getLogger("perpetuo.midi")


class MidiOutput:
    """An `Output` into one port, a channel a part."""

    def __init__(self, settings: PortSettings, opener: Callable[[str], Port] | None = None) -> None:
        """Opens the port (by `opener`, if one is given); PortError says why it cannot."""
        self.wants_clock = settings.clock
        self._settings = settings
        self._open = opener or (open_virtual if settings.virtual else open_existing)
        self._port = self._open(settings.name)
        self.name = f"MIDI port {self._port.name} ({self._port.api.name})"

    def send(self, event: Event, due: int) -> None:
        for message in messages(event, self._settings.channel_of):
            self._port.send(message)

    def silence(self) -> None:
        channels = (self._settings.channel_of(part) for part in range(1, PARTS + 1))
        try:
            for message in silence(channels):
                self._port.send(message)
        except OSError as error:
            log.debug("%s: not silenced: %s", self.name, error)

    def is_alive(self) -> bool:
        return self._port.is_alive()

    def revive(self) -> bool:
        if self._port.is_alive():
            return True
        try:
            port = self._open(self._settings.name)
        except PortError as error:
            log.debug("%s: %s", self.name, error)
            return False
        self._port.close()
        self._port = port
        return True

    def close(self) -> None:
        self._port.close()
