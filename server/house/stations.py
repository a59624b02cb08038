"""Opening the configured stations, each where it was when the server last ran, and noting it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.errors import ConfigError, ControlError, PerpetuoError, StreamError
from engine.files.prompt import Prompt
from server.composing.messages import SnapshotOrder
from server.composing.messages import SnapshotReport as KeptReport
from server.house.disk_writer import DiskWriter
from server.house.house import House
from server.house.place_recovery import salvaged
from server.house.places import PlaceStore, StationPlace, encoded, same_configuration
from server.house.requests import StopRequest
from server.house.resume_state import ResumeState
from server.house.settings import StationSettings
from server.house.stream import STOPPED, Stream

log = logging.getLogger("perpetuo.house")

SAVE_WITHIN = 3.0  # seconds that saving may take when the server ends
KEEP_WITHIN = 10.0  # and while it runs
NOTED_WITHIN = 0.25  # seconds until an acknowledgement says that a change is not on disk yet


class StationKeeper:
    """The stations of a configuration in a house, and their places on disk. `logs` is the
    folder of the control logs, where a place is looked for that is damaged."""

    def __init__(
        self,
        house: House,
        places: PlaceStore,
        settings: tuple[StationSettings, ...],
        model: str,
        logs: Path | None = None,
    ) -> None:
        self.house, self.places, self.settings, self.model = house, places, settings, model
        self._logs = logs
        self._by_name = {station.name: station for station in settings}
        self._writer = DiskWriter()
        self._noted: dict[str, tuple[int, int, str]] = {}  # what was given to the writer last
        self._is_broken = False
        house.saver = self.save

    async def open(self) -> None:
        for station in self.settings:
            stream, goes_on = await self._open(station)
            stream.title = station.title or station.name
            if station.start == "stopped" and not goes_on:
                await self.house.steer(stream, StopRequest(by="configuration"))

    async def _open(self, station: StationSettings) -> tuple[Stream, bool]:
        """The station's stream, and whether it goes on where it was."""
        configured = self._configured(station)
        place = self._place(station, configured)
        if place is not None and same_configuration(place, configured):
            try:
                return await self._go_on(station, place), True
            except (PerpetuoError, ValueError) as error:
                log.warning("%s begins anew: %s", station.name, error)
        seed = station.seed
        if seed is None and place is not None:
            seed = place.seed  # drawn once, then kept
        try:
            stream = await self.house.add_station(
                station.name,
                preset=station.preset,
                seed=seed,
                controls=station.controls,
                model=station.model,
            )
        except ControlError as error:
            raise ConfigError(f"station '{station.name}': {error}") from error
        return stream, False

    def _place(
        self, station: StationSettings, configured: Mapping[str, Any]
    ) -> StationPlace | None:
        """Where the station was; of a damaged note, what snapshot and log still tell."""
        try:
            return self.places.take(station.name)
        except StreamError as error:
            found = salvaged(station.name, self.places.directory, self._logs, configured)
            how = f"it goes on at bar {found.bar}" if found else "it begins anew"
            log.error("where %s was is not known: %s; %s", station.name, error, how)
            self.house.counters.troubles += 1
            return found

    async def _go_on(self, station: StationSettings, place: StationPlace) -> Stream:
        stream = await self.house.add_station(
            station.name,
            preset=place.preset,
            seed=place.seed,
            controls=place.begun_with,
            model=place.model,
            prompt=Prompt.read(place.prompt) if place.prompt else None,
            kept=place.kept,
            bar=place.bar,
            usual_model=station.model or self.model,
            asked=station.controls,
        )
        log.info("%s goes on at bar %d", station.name, place.bar)
        if place.state == STOPPED:
            await self.house.steer(stream, StopRequest(by="the last run"))
        return stream

    def _configured(self, station: StationSettings) -> Mapping[str, Any]:
        """What makes a station another one: changed in the file, it begins anew."""
        return {
            "preset": station.preset,
            "seed": station.seed,
            "model": station.model or self.model,
            "controls": dict(station.controls),
        }

    # -- noting ----------------------------------------------------------------------------------

    def shelve(self) -> None:
        """Have it noted where every station is, if that has changed since the last time."""
        now = self.house.now()
        for station in self.settings:
            stream = self.house.streams.get(station.name)
            if stream is None:
                continue
            state = (stream.epoch, stream.resting_bar(now), stream.state)
            if self._noted.get(stream.name) != state:
                self._put(stream, now)

    async def save(self, stream: Stream) -> bool:
        """Have it noted now where a station is, its changes included; whether it was in time."""
        noted = self._put(stream, self.house.now())
        if noted is None:
            return False
        try:
            async with asyncio.timeout(NOTED_WITHIN):
                await asyncio.shield(noted)
        except (TimeoutError, PerpetuoError):
            return False
        return True

    def _put(self, stream: Stream, now: int) -> asyncio.Future[None] | None:
        station = self._by_name.get(stream.name)
        if station is None:
            return None
        try:
            data = encoded(stream, self._configured(station), now)
        except PerpetuoError as error:
            self._broken(error)
            return None
        state = (stream.epoch, stream.resting_bar(now), stream.state)
        self._noted[stream.name] = state
        noted = self._writer.put(self.places.path(stream.name), data)
        noted.add_done_callback(lambda done: self._was_noted(stream.name, state, done))
        return noted

    def _was_noted(
        self, name: str, state: tuple[int, int, str], done: asyncio.Future[None]
    ) -> None:
        error = None if done.cancelled() else done.exception()
        if error is None:
            self._is_broken = False
            return
        if self._noted.get(name) == state:
            del self._noted[name]  # tried again
        self._broken(error)

    def _broken(self, error: BaseException) -> None:
        self.house.counters.troubles += 1
        if not self._is_broken:
            log.warning("where the stations are cannot be noted: %s", error)
        self._is_broken = True

    # -- saving ----------------------------------------------------------------------------------

    async def keep(self, stream: Stream) -> ResumeState:
        """Have a stream saved now; StreamError if composing does not answer."""
        number = stream.number
        try:
            async with asyncio.timeout(KEEP_WITHIN):
                await self.house.composing.ask(
                    SnapshotOrder(0, number), KeptReport
                )  # its report is taken down
        except TimeoutError:
            raise StreamError(f"{stream.name} could not be saved: composing does not answer") from (
                None
            )
        if stream.number != number:
            raise StreamError(f"{stream.name} has begun anew while it was saved")
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
        self._noted.clear()
        self.shelve()
        await self._writer.close()
