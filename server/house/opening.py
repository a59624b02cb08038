"""Opening the configured stations, each where it was when the server last ran."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from engine.control_prompt import Prompt
from engine.errors import PerpetuoError
from server.composing.messages import Keep
from server.composing.messages import Kept as KeptReport
from server.configuration.settings import StationSettings
from server.house.house import House
from server.house.shelf import Place, Shelf, same_configuration
from server.house.stream import STOPPED, Kept, Stream

log = logging.getLogger("perpetuo.house")

SAVE_WITHIN = 3.0  # seconds that saving may take when the server ends


class Stations:
    """The stations of a configuration in a house, and their places on the shelf."""

    def __init__(
        self, house: House, shelf: Shelf, settings: tuple[StationSettings, ...], model: str
    ) -> None:
        self.house, self.shelf, self.settings, self.model = house, shelf, settings, model
        self._shelved: dict[str, tuple[int, int, str]] = {}  # what was written last
        self._is_broken = False

    async def open(self) -> None:
        for station in self.settings:
            stream = await self._open(station)
            stream.title = station.title or station.name
            if station.start == "stopped" and stream.epoch == 0:
                await self.house.stop(stream, by="configuration")

    async def _open(self, station: StationSettings) -> Stream:
        place = self.shelf.take(station.name)
        configured = self._configured(station)
        if place is not None and same_configuration(place, configured):
            try:
                return await self._go_on(station, place)
            except (PerpetuoError, ValueError) as error:
                log.warning("%s begins anew: %s", station.name, error)
        seed = station.seed
        if seed is None and place is not None:
            seed = place.seed  # drawn once, then kept
        return await self.house.add_station(
            station.name,
            preset=station.preset,
            seed=seed,
            controls=station.controls,
            model=station.model,
        )

    async def _go_on(self, station: StationSettings, place: Place) -> Stream:
        stream = await self.house.add_station(
            station.name,
            preset=place.preset,
            seed=place.seed,
            controls=place.begun_with,
            model=place.model,
            prompt=Prompt.read(place.prompt) if place.prompt else None,
            kept=place.kept,
            bar=place.bar,
        )
        stream.usual_model = station.model or self.model
        log.info("%s goes on at bar %d", station.name, place.bar)
        if place.state == STOPPED:
            await self.house.stop(stream, by="the last run")
        return stream

    def _configured(self, station: StationSettings) -> Mapping[str, Any]:
        """What makes a station another one: changed in the file, it begins anew."""
        return {
            "preset": station.preset,
            "seed": station.seed,
            "model": station.model or self.model,
            "controls": dict(station.controls),
        }

    def shelve(self) -> None:
        """Note where every station is, if that has changed since the last time."""
        now = self.house.now()
        for station in self.settings:
            stream = self.house.streams.get(station.name)
            if stream is None:
                continue
            state = (stream.epoch, stream.resting_bar(now), stream.state)
            if self._shelved.get(stream.name) != state and self._put(station, stream, now):
                self._shelved[stream.name] = state

    def _put(self, station: StationSettings, stream: Stream, now: int) -> bool:
        try:
            self.shelf.put(stream, self._configured(station), now)
        except (OSError, PerpetuoError) as error:
            self.house.counters.troubles += 1
            if not self._is_broken:
                log.warning("where the stations are cannot be noted: %s", error)
            self._is_broken = True
            return False
        self._is_broken = False
        return True

    async def keep(self, stream: Stream) -> Kept:
        """Have a stream saved now."""
        report = await self.house.desk.ask(Keep(0, stream.number), KeptReport)
        stream.was_kept(report.bar, report.path)
        return stream.kept

    async def _keep_or_say(self, stream: Stream) -> None:
        try:
            async with asyncio.timeout(SAVE_WITHIN):
                await self.keep(stream)
        except PerpetuoError as error:
            log.warning("%s could not be saved: %s", stream.name, error)
        except TimeoutError:
            log.warning("%s could not be saved: composing does not answer", stream.name)

    async def close(self) -> None:
        """Save every station, so that it goes on at this very bar; what cannot be saved in time
        goes on there all the same, once it has been composed again."""
        await asyncio.gather(*map(self._keep_or_say, self.house.stations.values()))
        self._shelved.clear()
        self.shelve()
