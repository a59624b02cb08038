"""The stations as sound: what is rendered, in which forms, and who hears it.

In the event loop. The sound itself is made by another process (`server.audio.process`), which is
told what happens to the stations that somebody wants to hear.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from common.errors import AudioError, CapacityError
from server.audio import ogg
from server.audio.client import SoundClient
from server.audio.encoded_stream import EncodedPiece, EncodedStream, SoundListener, no_head
from server.audio.format import SECOND
from server.audio.hls import HELD, Playlist
from server.audio.messages import (
    LAG,
    BarOrder,
    BeginOrder,
    ChunkReport,
    EncodeOrder,
    EncoderReport,
    EndOrder,
    MoveOrder,
    NameOrder,
    Order,
    Report,
    SoundLoadReport,
    SoundReady,
    SoundSettings,
    TurnOrder,
)
from server.audio.settings import HLS, MP3, OPUS, AudioSettings
from server.house.events import (
    BarPlanned,
    BarsMoved,
    ChangeAnnounced,
    Panicked,
    StateTurned,
    StreamEvent,
)
from server.house.stream import STOPPED

if TYPE_CHECKING:
    from server.house.house import House
    from server.house.stream import Stream

log = logging.getLogger("perpetuo.audio")

# Seconds for which a stream that nobody hears any more is still made: players come back.
LINGER = 20.0


@dataclass
class RadioStation:
    """What is made of one station. `wanted` has, by form, when somebody last wanted it."""

    name: str
    title: str
    encoded_streams: Mapping[str, EncodedStream]
    playlist: Playlist
    wanted: dict[str, float] = field(default_factory=dict)
    called: str = ""  # what the process was last told to call it
    epoch: int = -1

    def stop(self, form: str) -> None:
        self.wanted.pop(form, None)
        if form == HLS:
            self.playlist.stop()
        else:
            self.encoded_streams[form].stop()


class Radio:
    """Once `client` is started, `open` it, and `tick` once a second. `titles` has the stations, and
    what people call them."""

    def __init__(
        self,
        house: House,
        settings: AudioSettings,
        process: SoundSettings,
        titles: Mapping[str, str],
    ) -> None:
        self.settings = settings
        self.load = SoundLoadReport({}, 0.0, 0)
        self.client = SoundClient(process, self._take, self._lost)
        self._house = house
        self.stations = {name: self._station(name, title) for name, title in titles.items()}
        self._lost_at: int | None = house.now()  # none is there yet

    def _station(self, name: str, title: str) -> RadioStation:
        rates = {MP3: self.settings.mp3_bitrate, OPUS: self.settings.opus_bitrate}
        encoded_streams = {
            form: EncodedStream(f"{name}.{form}", self.settings.burst, 125 * rate)
            for form, rate in rates.items()
        }
        return RadioStation(name, title, encoded_streams, Playlist(name))

    def open(self) -> None:
        """Hear the house, whose stations are there by now."""
        self._house.observers.append(self)
        self.tick()

    @property
    def trouble(self) -> str:
        """Why no sound can be made here, a sentence."""
        return self.client.trouble

    @property
    def listeners(self) -> int:
        encoded_streams = (
            encoded for one in self.stations.values() for encoded in one.encoded_streams.values()
        )
        return sum(encoded.listeners for encoded in encoded_streams)

    # -- who hears -------------------------------------------------------------------------------

    def offers(self, name: str) -> tuple[str, ...]:
        """The forms in which a station can be heard over HTTP."""
        offered = name in (self.settings.stations or self.stations)
        return self.settings.formats if offered and not self.trouble else ()

    def look_at_trouble(self) -> None:
        """AudioError if no sound can be made."""
        if self.trouble:
            raise AudioError(self.trouble)

    def look_for_room(self) -> None:
        """AudioError if no sound can be made, CapacityError if there are too many listeners."""
        self.look_at_trouble()
        if self.listeners >= self.settings.max_listeners:
            raise CapacityError(
                f"all {self.settings.max_listeners} places are taken: try again in a while"
            )

    @contextmanager
    def joined(self, name: str, form: str, listener: SoundListener) -> Iterator[None]:
        """Have somebody hear a station as long as the block lasts; AudioError if no sound can be
        made."""
        self.look_at_trouble()
        station = self.stations[name]
        self._want(station, form)
        station.encoded_streams[form].join(listener)
        try:
            yield
        finally:
            station.encoded_streams[form].leave(listener)

    def playlist(self, name: str) -> Playlist:
        """The playlist of a station, for somebody who wants it now."""
        self.look_at_trouble()
        self._want(self.stations[name], HLS)
        return self.stations[name].playlist

    def cut_all(self) -> None:
        """Have every listener go: the server ends."""
        for station in self.stations.values():
            for encoded in station.encoded_streams.values():
                encoded.cut_all()

    # -- what is made ----------------------------------------------------------------------------

    def tick(self) -> None:
        """Once a second: end what nobody wants any more."""
        now = monotonic()
        for station in self.stations.values():
            if not self.settings.on_demand:
                for form in self.offers(station.name):
                    self._want(station, form)
            for form, since in tuple(station.wanted.items()):
                if form != HLS and station.encoded_streams[form].listeners:
                    station.wanted[form] = now
                elif now - since > LINGER:
                    station.stop(form)
                    self.client.send(EncodeOrder(station.name, form, False))
                    if not station.wanted:
                        self.client.send(EndOrder(station.name))

    def _want(self, station: RadioStation, form: str) -> None:
        is_made, is_encoded = bool(station.wanted), form in station.wanted
        station.wanted[form] = monotonic()
        if not is_made:
            held = max(self.settings.burst, HELD if form == HLS else 0.0)
            self._begin(station, self._house.now() - LAG - round(held * SECOND))
        if not is_encoded:
            self.client.send(EncodeOrder(station.name, form, True))

    def _begin(self, station: RadioStation, at: int) -> None:
        """Tell the process all that it must know to make a station's sound from this time on."""
        stream = self._house.streams.get(station.name)
        self.client.send(BeginOrder(station.name, at))
        if stream is not None:
            station.epoch, station.called = stream.epoch, ""
            self._call(station, stream, at)
            if stream.state == STOPPED:
                self.client.send(TurnOrder(station.name, at, "stop"))
            for planned in tuple(stream.bars.values()):
                if planned.end > at:
                    self.client.send(_bar(station.name, at, BarPlanned(planned)))

    def _call(self, station: RadioStation, stream: Stream, at: int) -> None:
        """Tell what the stream is called from this time on, if that is new."""
        preset = self._house.presets.get(stream.preset) if stream.preset else None
        called = station.title
        if preset is not None and preset.title != station.title:
            called = f"{station.title} - {preset.title}"
        if called != station.called:
            station.called = called
            self.client.send(NameOrder(station.name, at, called))

    def hear(self, stream: Stream, event: StreamEvent) -> None:
        """A `SoundListener` of the house."""
        station = self.stations.get(stream.name)
        if station is None or not station.wanted:
            return
        now = self._house.now()
        for order in self._orders(station, stream, event, now):
            self.client.send(order)
        if isinstance(event, ChangeAnnounced):
            self._call(station, stream, event.due)
        elif isinstance(event, StateTurned):
            self._call(station, stream, now)

    def _orders(
        self, station: RadioStation, stream: Stream, event: StreamEvent, now: int
    ) -> Iterator[Order]:
        name = station.name
        match event:
            case BarPlanned():
                yield _bar(name, now, event)
            case BarsMoved(bar, later):
                yield MoveOrder(name, now, bar, later)
            case Panicked():
                yield TurnOrder(name, now, "silence")
            case StateTurned(state="playing", epoch=epoch):
                yield TurnOrder(name, now, "go on" if epoch == station.epoch else "anew")
                station.epoch = epoch
            case StateTurned():
                yield TurnOrder(name, now, "stop")

    # -- what the process says -------------------------------------------------------------------

    def _take(self, report: Report) -> None:
        match report:
            case ChunkReport(name, form, data, title, seconds):
                self._append(self.stations[name], form, EncodedPiece(data, title, seconds))
            case EncoderReport(name, form, head, serial):
                self._open(self.stations[name], form, head, serial)
            case SoundLoadReport():
                self.load = report
            case SoundReady():
                self._take_up()

    def _append(self, station: RadioStation, form: str, piece: EncodedPiece) -> None:
        if form == HLS:
            station.playlist.append(piece.data, piece.seconds)
        else:
            station.encoded_streams[form].append(piece)

    def _open(self, station: RadioStation, form: str, head: bytes, serial: int) -> None:
        if form == HLS:
            station.playlist.begin(head)
        elif form == OPUS:
            station.encoded_streams[form].begin(partial(_opus_head, station.title, head, serial))
        else:
            station.encoded_streams[form].begin(no_head)

    def _lost(self) -> None:
        self._lost_at = self._house.now()

    def _take_up(self) -> None:
        """A process is there: it goes on where the one before it ended."""
        if self._lost_at is None:
            return
        for station in self.stations.values():
            if station.wanted:
                self._begin(station, self._lost_at - LAG)
            for form in station.wanted:
                self.client.send(EncodeOrder(station.name, form, True))
        self._lost_at = None


def _bar(name: str, at: int, event: BarPlanned) -> BarOrder:
    planned = event.planned
    return BarOrder(name, at, planned.index, planned.revision, planned.due, planned.encoded)


def _opus_head(station: str, identification: bytes, serial: int, title: str) -> bytes:
    comments = {"TITLE": title or station, "ARTIST": "perpetuo"}
    return ogg.headers(identification, serial, comments)
