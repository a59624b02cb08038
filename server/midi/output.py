"""Playing a stream into a MIDI port."""

from __future__ import annotations

import logging
from collections.abc import Callable

from common.errors import PortError
from engine.music.score import PARTS
from server.midi.messages import messages, silence
from server.midi.ports import Port, open_existing, open_virtual
from server.midi.settings import PortSettings
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
