"""What the process that makes sound does: takes orders, and makes each station's next block when it
is due. One thread; the server paces nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from time import process_time

import msgspec

from server.audio.encoders import Encoder, encoder
from server.audio.format import SECOND
from server.audio.hls import HELD
from server.audio.master import Master
from server.audio.messages import (
    BarOrder,
    BeginOrder,
    EncodeOrder,
    EndOrder,
    MoveOrder,
    NameOrder,
    Order,
    Report,
    SoundLoadReport,
    SoundSettings,
    StationSoundLoad,
    TurnOrder,
)
from server.audio.server_connection import SoundServerConnection
from server.audio.settings import HLS, MP3, OPUS
from server.audio.sounding import Sounding
from server.audio.synth import FluidSynth
from server.base.clock import Clock, seconds_until
from server.base.machine import resident_memory

log = logging.getLogger("perpetuo.audio")

IDLE = 1.0  # seconds between two reports of load, and that it waits at most


class SoundProcess:
    """`run` it until the line ends."""

    def __init__(self, connection: SoundServerConnection, settings: SoundSettings) -> None:
        """AudioError if the SoundFont or a library cannot be used."""
        self._connection, self._settings = connection, settings
        self._clock = Clock(settings.speed, settings.origin)
        for form in (MP3, OPUS):
            self._encoder(form)
        # The first one is ready before anybody listens, and shows that the SoundFont is sound.
        self._spare: FluidSynth | None = FluidSynth(Path(settings.soundfont))
        self._synths: dict[str, FluidSynth] = {}
        self._sounding: dict[str, Sounding] = {}
        self._past: dict[str, StationSoundLoad] = {}  # of stations that are not rendered now
        self._next_load = self._clock() + SECOND
        self._used = process_time()

    def run(self) -> None:
        while self._connection.is_open:
            for order in self._connection.listen(self._wait()):
                for report in self._obey(order):
                    self._connection.report(report)
            now = self._clock()
            for sounding in self._sounding.values():
                if sounding.due <= now:
                    for report in sounding.make(now):
                        self._connection.report(report)
            if now >= self._next_load:
                self._connection.report(self._load(now))

    def _wait(self) -> float:
        dues = [sounding.due for sounding in self._sounding.values()]
        return min(seconds_until(min([*dues, self._next_load]), self._clock), IDLE)

    def _obey(self, order: Order) -> Iterator[Report]:
        if isinstance(order, BeginOrder):
            self._begin(order)
            return
        sounding = self._sounding.get(order.station)
        if sounding is None:
            return  # it ended a moment ago
        match order:
            case EndOrder():
                self._end(sounding)
            case EncodeOrder(_, form, True):
                yield from sounding.encode(form, HELD if form == HLS else self._settings.held)
            case EncodeOrder(_, form, False):
                sounding.leave(form)
            case BarOrder() | MoveOrder() | TurnOrder() | NameOrder():
                sounding.tell(order)

    def _begin(self, order: BeginOrder) -> None:
        name, settings = order.station, self._settings
        if name in self._sounding:
            return
        synth, self._spare = self._spare or FluidSynth(Path(settings.soundfont)), None
        past = self._past.get(name)
        master = Master(settings.loudness)
        if past is not None:
            master.gain = past.gain
        self._synths[name] = synth
        held = max(settings.held, HELD)
        begun = Sounding(name, synth, master, self._encoder, order.at, held)
        if past is not None:
            begun.seconds, begun.underruns = past.seconds, past.underruns
        self._sounding[name] = begun

    def _encoder(self, form: str) -> Encoder:
        return encoder(form, self._settings)

    def _end(self, sounding: Sounding) -> None:
        name = sounding.station
        del self._sounding[name]
        self._past[name] = msgspec.structs.replace(sounding.load(), loudness=None)
        self._synths.pop(name).close()

    def _load(self, now: int) -> SoundLoadReport:
        used = process_time()
        busy, self._used = used - self._used, used
        self._next_load = now + SECOND
        stations = {name: one.load() for name, one in self._sounding.items()}
        return SoundLoadReport({**self._past, **stations}, busy, resident_memory())
