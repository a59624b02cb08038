"""How soon a server plays, what memory it takes, and whether that grows."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from common.errors import StreamError
from server.benches.live.served import NO_MIDI, STATION, Served, Setup
from server.benches.live.streams import Tell
from server.benches.live.strike_lateness import planned_notes
from server.benches.live.visit import PATIENCE, Visit
from server.web.outgoing import BarMessage

STARTS = 3
PLAYED = 10.0  # seconds after which the memory of one stream is read
NOTES_WITHIN = 30.0  # seconds until the first note at the latest
SPEED = 20.0
EVERY = 1.0  # seconds between two looks at the memory
FIRST, LAST = (0.1, 0.2), (0.9, 1.0)  # shares of the time whose medians are compared
STATIONS = f"""
[[station]]
name = "{STATION}"
preset = "study"
seed = 1
"""


@dataclass(frozen=True, slots=True)
class StartFigures:
    """Seconds from the start of the process to what is named; the slowest of the starts. Memory
    in bytes: `proportional` shares out what both processes have in common."""

    starts: int
    page: float
    first_bar: float
    first_note: float
    serving_bytes: int
    composing_bytes: int
    proportional_bytes: int


@dataclass(frozen=True, slots=True)
class SoakFigures:
    """One stream, so many times as fast as time. Resident bytes of both processes near the
    beginning and at the end, medians over a tenth of the time."""

    seconds: float
    speed: float
    bars: int
    late_bars: int
    serving_early: int
    serving_late: int
    composing_early: int
    composing_late: int

    @property
    def grown(self) -> int:
        late = self.serving_late + self.composing_late
        return late - self.serving_early - self.composing_early


def measure_start(setup: Setup, tell: Tell) -> StartFigures:
    """Start a server with one station several times."""
    setup = setup._replace(configuration=STATIONS + NO_MIDI)
    page = bar = note = 0.0
    for number in range(STARTS):
        tell(f"start {number + 1} of {STARTS}")
        with Served(setup) as server:
            first_bar, first_note = asyncio.run(_first(server.socket))
            page = max(page, (server.ready - server.started) / 1e6)
            bar = max(bar, (first_bar - server.started) / 1e6)
            note = max(note, (first_note - server.started) / 1e6)
            if number == STARTS - 1:
                tell(f"one stream plays for {PLAYED:g} s")
                time.sleep(PLAYED)
                serving, composing = server.memory()
    return StartFigures(
        STARTS,
        page,
        bar,
        note,
        serving.resident,
        composing.resident,
        serving.proportional + composing.proportional,
    )


async def _first(address: str) -> tuple[int, int]:
    """When the station's first bar and its first note were due."""
    visit = await Visit.begin(address)
    bars: dict[int, BarMessage] = {}
    try:
        await visit.answer(await visit.say("listen", stream=STATION, past=8))
        async with asyncio.timeout(NOTES_WITHIN):
            while True:
                message = await visit.hear_whole()
                if isinstance(message, BarMessage):
                    bars[message.bar.index] = message
                    if 0 in bars and (notes := planned_notes(bars.values())):
                        return bars[0].due, min(note.at for note in notes)
    except TimeoutError:
        raise StreamError("the station has played no note") from None
    finally:
        await visit.end()


def measure_soak(setup: Setup, seconds: float, tell: Tell, speed: float = SPEED) -> SoakFigures:
    """Let a server with one station and one listener run so many times as fast as time."""
    words = ("--speed", f"{speed:g}")
    samples: list[tuple[int, int]] = []
    with Served(setup._replace(configuration=STATIONS + NO_MIDI, words=words)) as server:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            tell(f"soaking at {speed:g} times the speed, {left:.0f} s left")
            asyncio.run(_listen(server.socket, min(EVERY, left)))
            serving, composing = server.memory()
            samples.append((serving.resident, composing.resident))
        metrics = server.metrics()
    early, late = (_medians(samples, *span) for span in (FIRST, LAST))
    return SoakFigures(
        seconds,
        speed,
        round(metrics["perpetuo_bars_total"]),
        round(metrics["perpetuo_bars_late_total"]),
        early[0],
        late[0],
        early[1],
        late[1],
    )


async def _listen(address: str, seconds: float) -> None:
    """Come, listen for a while, and go: what visitors leave behind would show."""
    visit = await Visit.begin(address)
    try:
        await asyncio.wait_for(visit.answer(await visit.say("listen", stream=STATION)), PATIENCE)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    await visit.hear()
    finally:
        await visit.end()


def _medians(samples: Sequence[tuple[int, int]], first: float, last: float) -> tuple[int, int]:
    """Of the samples between two shares of the time, of which there is one at least."""
    begin = min(int(first * len(samples)), len(samples) - 1)
    chosen = samples[begin : max(begin + 1, int(last * len(samples)))]
    serving, composing = zip(*chosen, strict=True)
    return round(median(serving)), round(median(composing))
