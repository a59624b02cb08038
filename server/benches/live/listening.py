"""What it takes to be heard: one station's sound, then as many listeners as a radio has."""

from __future__ import annotations

import time
from dataclasses import dataclass

from common.errors import AudioError
from server.benches.live.client_processes import ClientProcess
from server.benches.live.listening_clients import HeardCounts, ListeningPlan, PlayingCounts
from server.benches.live.processes import cpu_seconds, makers_of_sound, memory
from server.benches.live.served import MANY, NO_MIDI, STATION, Served, Setup
from server.benches.live.streams import Tell

KBPS = 128
PATH = f"/stream/{STATION}.mp3"
PAST = 8.0  # seconds that the station has played before somebody listens
SETTLED = 6.0  # seconds of listening before anything is counted
ALONE = 20.0  # seconds at most for which one listener is measured
SOUNDING = f"""
[[station]]
name = "{STATION}"
preset = "study"
seed = 1

[audio]
formats = ["mp3"]
mp3_bitrate = {KBPS}
max_listeners = {MANY}
"""


@dataclass(frozen=True, slots=True)
class AudioFigures:
    """Shares of a core; times in milliseconds: median, 99th percentile, greatest."""

    listeners: int
    seconds: float
    making: float  # of the process that makes sound: one station, one encoder
    serving_one: float  # of the server itself, with one listener
    serving_all: float
    first_cold: float | None  # to the first listener of a station that nobody heard
    first: tuple[float | None, ...]  # to all the others, while they came
    playing: int  # listeners that had sound when all had come
    heard: HeardCounts
    underruns: int
    let_go: int
    making_bytes: int

    @property
    def more(self) -> float:
        """What the listeners but one take."""
        return self.serving_all - self.serving_one

    @property
    def holds(self) -> bool:
        whole = self.playing == self.heard.listeners == self.listeners
        return whole and not (self.heard.dropouts or self.underruns or self.let_go)


class ListenersProcess(ClientProcess):
    """The process of the listeners; it ends with the block."""

    def __init__(self, address: str, hearing: ListeningPlan) -> None:
        super().__init__("server.benches.live.listening_clients", address, hearing)

    def playing(self) -> PlayingCounts:
        """Wait until all of them play, or patience ends."""
        return self.read(PlayingCounts)

    def count(self) -> None:
        self.say(b"count\n")

    def end(self) -> HeardCounts:
        self.say(b"end\n")
        return self.read(HeardCounts)


def measure_audio(setup: Setup, listeners: int, seconds: float, tell: Tell) -> AudioFigures:
    """Have one listener hear a station, then so many for so long."""
    setup = setup._replace(configuration=SOUNDING + NO_MIDI)
    with Served(setup) as server:
        makers = makers_of_sound(server.pid)
        if not server.metrics()["perpetuo_audio_up"] or not makers:
            why = next((line for line in server.complaints() if "no sound" in line), "")
            raise AudioError(f"there is no sound to measure: {why.rpartition('no sound: ')[2]}")
        tell("a station plays that nobody hears")
        time.sleep(PAST)
        with ListenersProcess(server.page, ListeningPlan(PATH, 1, KBPS)) as audience:
            tell("one listener")
            first = audience.playing()
            time.sleep(SETTLED)
            one, making = _shares(server.pid, makers[0], min(ALONE, seconds))
            audience.end()
        with ListenersProcess(server.page, ListeningPlan(PATH, listeners, KBPS)) as audience:
            tell(f"{listeners} listeners come")
            playing = audience.playing()
            time.sleep(SETTLED)
            before = server.metrics()
            audience.count()
            tell(f"{listeners} listeners for {seconds:g} s")
            everybody, _ = _shares(server.pid, makers[0], seconds)
            heard = audience.end()
        after = server.metrics()
        taken = memory(makers[0]).resident
    return AudioFigures(
        listeners,
        seconds,
        making,
        one,
        everybody,
        first.first[-1],
        playing.first,
        playing.listeners,
        heard,
        _grown(before, after, f'perpetuo_audio_underruns_total{{station="{STATION}"}}'),
        _grown(before, after, f'perpetuo_audio_let_go_total{{stream="{STATION}.mp3"}}'),
        taken,
    )


def _shares(server: int, maker: int, seconds: float) -> tuple[float, float]:
    """Shares of a core that two processes take for so long."""
    begun, used = time.monotonic(), (cpu_seconds(server), cpu_seconds(maker))
    time.sleep(seconds)
    lasted = time.monotonic() - begun
    return (cpu_seconds(server) - used[0]) / lasted, (cpu_seconds(maker) - used[1]) / lasted


def _grown(before: dict[str, float], after: dict[str, float], name: str) -> int:
    return round(after.get(name, 0.0) - before.get(name, 0.0))
