"""A whole running server: its parts are opened in order, and closed in the other order."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from common.errors import OutputError, PerpetuoError
from common.folder_lock import FolderLock
from engine.library.presets import load_presets
from server.audio.service import SoundService
from server.base.clock import Clock, monotonic_us
from server.base.machine import cores
from server.composing.messages import ComposerSettings
from server.composing.pool import ComposerPool
from server.configuration.settings import Configuration
from server.house.events import NEEDED_BEFORE
from server.house.house import House, HouseRules
from server.house.log_writer import ControlLogWriter, LogRules
from server.house.places import PlaceStore
from server.house.stations import StationKeeper
from server.house.stream import SEALED_BEFORE, Stream
from server.midi.output import OpenedPort, open_ports
from server.osc.door import OscDoor
from server.osc.metrics import osc_metrics
from server.osc.query import describe
from server.osc.settings import PORT as OSC_PORT
from server.osc.settings import OscSettings
from server.playing.dispatch import PortReport
from server.playing.metrics import player_metrics
from server.playing.player import Player, PlayingStreams, prefer_the_player
from server.serving.background import BackgroundTasks
from server.serving.supervision import Supervision
from server.web.door import WebDoor
from server.web.listening import look_for_room
from server.web.site import OscQuery

log = logging.getLogger("perpetuo.server")

TO_COMPOSE_ANEW = 20_000  # microseconds that are left for it where the horizon is short
MOST_STREAMS = 4096  # beyond which no machine is asked to go


@dataclass(frozen=True, slots=True)
class OpenedServer:
    """What a user wants to know once the server plays."""

    page: str
    others: tuple[str, ...]  # addresses of the page for other machines
    openness: str  # what everybody in the network may do, "" if nobody is let in so
    model: str
    speed: float
    stations: tuple[str, ...]
    osc: str
    midi: tuple[str, ...]  # a line each: what is open, or why not and what to do
    sound: str


class Server:
    """One server: `open`, and in the end `close`."""

    def __init__(self, configuration: Configuration, speed: float = 1.0) -> None:
        """`speed`: how many times as fast as time everything runs, for soak tests."""
        self.configuration = configuration
        self.clock = Clock(speed, monotonic_us())
        self._stack = AsyncExitStack()
        self.background = BackgroundTasks()
        self._is_open = False

    async def open(self) -> OpenedServer:
        """Open everything; a PerpetuoError, and all is closed again, if something cannot be."""
        try:
            return await self._open()
        except BaseException:
            await self.close()
            raise

    async def _open(self) -> OpenedServer:
        configuration, stack = self.configuration, self._stack
        folders = _folders(configuration)
        stack.callback(_claimed(configuration.state_folder).release)
        if configuration.web.enabled:
            look_for_room(configuration.web)
        prefer_the_player()
        settings = _settings(configuration, folders.streams, self.clock)
        most = configuration.composers or cores()
        self.pool = ComposerPool(settings, most)
        stack.push_async_callback(self.pool.close)
        ready = await self.pool.start()
        self.house = House(
            self.pool, _rules(configuration), load_presets(configuration.presets), self.clock
        )
        self.house.styles = ready.styles
        pool, house = self.pool, self.house
        pool.on_report, pool.on_lost = house.composing.take, house.lost
        pool.on_ready = house.composing_is_back
        stack.callback(self.house.composing.time.watch.close)
        titles = {one.name: one.title or one.name for one in configuration.stations}
        self.sound = SoundService(
            self.house, configuration.audio, configuration.web, titles, self.clock
        )
        self.sound.start()
        stack.push_async_callback(self.sound.close)
        places = PlaceStore(folders.streams)
        self.stations = StationKeeper(
            self.house, places, configuration.stations, configuration.model, folders.logs
        )
        self.player = Player(self._port_turned, self.clock)
        self.player.start()
        stack.callback(self.player.close)
        midi = open_ports(configuration.midi, configuration.stations[0].name)
        osc = await self._open_osc()
        self._listen(midi, osc, folders.logs)
        await self.stations.open()
        stack.push_async_callback(self._say_goodbye)
        await self.sound.ready()
        page, others, openness = await self._open_web(osc)
        self.sound.open()
        self._keep_house()
        self._is_open = True
        return OpenedServer(
            page,
            others,
            openness,
            ready.model,
            ready.speed,
            tuple(map(self._called, self.house.stations.values())),
            _osc_line(osc, configuration.osc),
            tuple(port.line for port in midi),
            self.sound.line,
        )

    def _called(self, station: Stream) -> str:
        """A station's name, and its model if that is another than the server's."""
        own = station.model != self.configuration.model
        return f"{station.name} (model {station.model_name})" if own else station.name

    async def _open_osc(self) -> OscDoor | None:
        settings = self.configuration.osc
        if not settings.enabled:
            return None
        door = OscDoor()
        await door.open(self.house, settings, reload=self.reload)
        self._stack.push_async_callback(door.close)
        return door

    async def _open_web(self, osc: OscDoor | None) -> tuple[str, tuple[str, ...], str]:
        settings = self.configuration.web
        if not settings.enabled:
            return "switched off in the configuration", (), ""
        rows = player_metrics(self.player)
        if osc is not None:
            rows += osc_metrics(osc.counts, osc.note_counts)
        watched = Supervision(
            lambda: {**self.pool.conditions, **self.sound.conditions}, self.background
        )
        rows += (*self.sound.metrics, *watched.metrics())
        door, query = WebDoor(), self._osc_query(osc)
        address = await door.open(
            self.house, settings, rows, query, self.sound.door, watched.health
        )
        self._stack.push_async_callback(door.close)
        self._stack.callback(self.sound.cut_all)  # first, or the door would wait for them
        return address, door.others, door.openness

    def _osc_query(self, osc: OscDoor | None) -> OscQuery:
        if osc is None:
            return lambda path, attribute: None
        host, port = osc.address
        return lambda path, attribute: describe(self.house, path, attribute, host=host, port=port)

    def _listen(self, midi: Sequence[OpenedPort], osc: OscDoor | None, logs: Path) -> None:
        """Have every station played, and written down."""

        def attach(stream: Stream) -> None:
            for port in midi:
                if stream.name in port.stations:
                    self.player.add(stream.name, [port.output], port.offset)
            if osc is not None:
                self.player.add(stream.name, [osc.output(stream)])

        self.house.newcomers.append(PlayingStreams(self.player, attach))
        rules = LogRules(logs, self.configuration.logs.max_bytes, self.configuration.logs.keep)
        self.log_writer = ControlLogWriter(
            rules, self.house.now, self.house.counters, self.stations.keep
        )
        self.house.observers.append(self.log_writer)
        self._stack.callback(self.log_writer.close)

    # -- while it runs ---------------------------------------------------------------------------

    def reload(self) -> None:
        """Read the presets again; a PerpetuoError, and the old ones stay, if one is wrong."""
        self.house.presets = load_presets(self.configuration.presets)
        log.info("%d presets were read again", len(self.house.presets))

    def reload_or_say(self) -> None:
        if not self._is_open:
            return  # they are being read
        try:
            self.reload()
        except PerpetuoError as error:
            log.error("the presets stay as they were: %s", error)

    def _port_turned(self, report: PortReport) -> None:
        """Called by the player's threads; what there is to say, the player has logged."""

    def _keep_house(self) -> None:
        """What is done every second. Each by itself: a full disk or a process that does not answer
        holds up no other. (Processes are watched by those who started them.)"""
        self.background.begin("streams", self.house.tick)
        self.background.begin("composing", self.pool.tick)
        self.background.begin("places", self.stations.shelve)
        self.background.begin("sound", self.sound.tick)
        self.background.begin("logs", self.log_writer.tick)

    async def _say_goodbye(self) -> None:
        """Save where every station is, then end them."""
        await self.background.close()
        await self.house.steering.close()
        await self.stations.close()
        for stream in list(self.house.streams.values()):
            await self.house.close(stream, "the server ends")

    async def close(self) -> None:
        """End every note and every stream, save, and close everything."""
        await self._stack.aclose()


@dataclass(frozen=True, slots=True)
class _Folders:
    streams: Path  # snapshots and places
    logs: Path


def _folders(configuration: Configuration) -> _Folders:
    """The folders of the server's memory, made if they are not there."""
    folders = _Folders(configuration.state_folder / "streams", configuration.log_folder)
    for folder in (folders.streams, folders.logs):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unusable(folder, error) from error
    return folders


def _unusable(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        f"the folder {folder} cannot be made or used ({error.strerror}): choose another with"
        " 'state' in the configuration or --state"
    )


def _claimed(folder: Path) -> FolderLock:
    try:
        return FolderLock(
            folder,
            "server",
            "give this one a folder of its own with 'state' in the configuration or --state",
        )
    except OSError as error:
        raise _unusable(folder, error) from error


def _settings(configuration: Configuration, streams: Path, clock: Clock) -> ComposerSettings:
    return ComposerSettings(
        model=configuration.model,
        device=configuration.device,
        threads=configuration.threads,
        lookahead=configuration.lookahead,
        horizon=1000 * configuration.horizon,
        most=len(configuration.stations) + (configuration.max_streams or MOST_STREAMS),
        directory=str(streams),
        keep_every=configuration.snapshot_bars,
        speed=clock.speed,
        origin=clock.origin,
    )


def _rules(configuration: Configuration) -> HouseRules:
    horizon = 1000 * configuration.horizon
    # Whoever is sent bars ahead is sent them once.
    ahead = 1000 * configuration.osc.ahead if configuration.osc.enabled else 0
    return HouseRules(
        horizon,
        max(NEEDED_BEFORE, min(SEALED_BEFORE, horizon - TO_COMPOSE_ANEW), ahead),
        configuration.max_streams,
        round(1e6 * configuration.web.idle_seconds),
        configuration.model,
    )


def _osc_line(door: OscDoor | None, settings: OscSettings) -> str:
    if door is None:
        return "switched off in the configuration"
    host, port = door.address
    other = (
        f"port {OSC_PORT} is taken, so it " if settings.port is None and port != OSC_PORT else ""
    )
    return f"{other}listens on {host} port {port}"
