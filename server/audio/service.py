"""Everything about sound in a running server: the radio, its door, what is sent to Icecast."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import AudioError
from server.audio.door import AudioDoor
from server.audio.icecast import IcecastSource
from server.audio.libraries import soundfont
from server.audio.messages import SoundSettings
from server.audio.metrics import audio_metrics
from server.audio.radio import Radio
from server.audio.settings import AudioSettings
from server.base.clock import Clock
from server.base.metrics import Metric
from server.child.supervised import ChildCondition
from server.web.settings import WebSettings

if TYPE_CHECKING:
    from server.house.house import House

log = logging.getLogger("perpetuo.audio")

NOBODY = "nobody could hear it: the web door is switched off, and there is no [[audio.icecast]]"
OFF = "sound is switched off here: see audio.enabled in the configuration"


class SoundService:
    """`start` it early; `open` it once it is `ready` and the stations play; `tick` once a second,
    and `close`.

    `trouble` says why there is no sound, "" if there is.
    """

    def __init__(
        self,
        house: House,
        settings: AudioSettings,
        web: WebSettings,
        titles: Mapping[str, str],
        clock: Clock,
    ) -> None:
        """`titles` of all stations, by their names."""
        self._settings, self._is_on_the_web = settings, web.enabled
        self.trouble = "" if settings.enabled else OFF
        if not (self.trouble or self._is_on_the_web or settings.icecasts):
            self.trouble = NOBODY
        path = self._soundfont(settings.soundfont)
        self._radio: Radio | None = None
        self._pushes: tuple[IcecastSource, ...] = ()
        self._pushing: list[asyncio.Task[None]] = []
        self._starting: asyncio.Task[None] | None = None
        if not self.trouble:
            process = _process(settings, path, clock)
            self._radio = radio = Radio(house, settings, process, titles)
            first = next(iter(titles))
            self._pushes = tuple(
                IcecastSource(radio, one, one.station or first) for one in settings.icecasts
            )
        self.door = AudioDoor(self._radio, path, self.trouble)
        self.metrics: tuple[Metric, ...] = audio_metrics(self._radio, self._pushes)

    def _soundfont(self, chosen: Path | None) -> Path | None:
        """The page needs one even where the server makes no sound."""
        try:
            return soundfont(chosen)
        except AudioError as error:
            self.trouble = self.trouble or str(error)
            return None

    def start(self) -> None:
        """Have the process started meanwhile."""
        if self._radio is not None:
            self._starting = asyncio.create_task(self._radio.client.start())

    async def ready(self) -> None:
        """Returns when sound can be made, or `trouble` says why it never can; a process that failed
        otherwise is tried again by itself."""
        if self._radio is not None and self._starting is not None:
            await self._starting
            self.trouble = self._radio.trouble
            if self.trouble:
                log.warning("no sound: %s", self.trouble)

    def open(self) -> None:
        """Hear the house, and begin what is made without being asked for."""
        if self._radio is not None and not self.trouble:
            self._radio.open()
            self._pushing = [asyncio.create_task(push.run()) for push in self._pushes]

    def tick(self) -> None:
        if self._radio is not None and not self.trouble:
            self._radio.tick()

    @property
    def conditions(self) -> dict[str, ChildCondition]:
        """Of the process, by what it is called in health and metrics; none where sound is off."""
        return {} if self._radio is None else {"sound": self._radio.client.condition}

    @property
    def line(self) -> str:
        """For the user."""
        if self._radio is None or self.trouble:
            return f"none: {self.trouble}"
        client = self._radio.client
        late = [] if client.is_up else [f"not yet ({client.condition.last_failure})"]
        addresses = [self._addresses(self._radio)] if self._is_on_the_web else []
        return "; ".join([*late, *addresses, *(f"sent to {push.name}" for push in self._pushes)])

    def _addresses(self, radio: Radio) -> str:
        first, *others = self._settings.stations or radio.stations
        paths = ", ".join(self.door.offers(first).values())
        return f"{paths}, and so for {', '.join(others)}" if others else paths

    def cut_all(self) -> None:
        """Have every listener go, and nobody be sent anything more."""
        for task in self._pushing:
            task.cancel()
        if self._radio is not None:
            self._radio.cut_all()

    async def close(self) -> None:
        self.cut_all()
        tasks = [*self._pushing, *filter(None, [self._starting])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._radio is not None:
            await self._radio.client.close()


def _process(settings: AudioSettings, soundfont: Path | None, clock: Clock) -> SoundSettings:
    return SoundSettings(
        soundfont=str(soundfont),
        loudness=settings.loudness,
        held=settings.burst,
        mp3=settings.mp3_bitrate,
        opus=settings.opus_bitrate,
        hls=settings.hls_bitrate,
        speed=clock.speed,
        origin=clock.origin,
    )
