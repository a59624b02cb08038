"""How late notes leave the server while it composes for many streams."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from common.errors import StreamError
from server.base.clock import monotonic_us
from server.base.machine import cores
from server.benches.live.bar_ledger import percentiles
from server.benches.live.client_processes import VisitorsProcess
from server.benches.live.jack import (
    PERIOD,
    SAMPLES_A_SECOND,
    JackListener,
    JackServer,
    ReceivedNote,
    is_installed,
)
from server.benches.live.processes import busy
from server.benches.live.served import NO_MIDI, STATION, Served, Setup
from server.benches.live.streams import RATE, Tell
from server.benches.live.strike_lateness import StrikeLateness, compare, planned_notes, within
from server.benches.live.visit import PATIENCE, Visit
from server.benches.live.visitors import VisitPlan
from server.web.outgoing import BarMessage

STREAMS = 64  # that keep the composing process busy
PORT = "perpetuo bench"
PLAYING = f"""
[[station]]
name = "{STATION}"
seed = 1
controls = {{ tempo = 120, density = 4, parts = [1, 2, 3], humanise_time = 10 }}
"""
MIDI = f"""
[[midi.port]]
name = "{PORT}"
"""
EDGE = 1_000_000  # microseconds at either end whose notes are not compared
_METRIC = "perpetuo_dispatch_"


@dataclass(frozen=True, slots=True)
class DispatchFigures:
    """Lateness in milliseconds: median, 99th percentile, greatest; `sent` from the due time to
    just before an event is sent, `received` to its coming out of JACK in another process (None:
    not measured, `note` says why), which takes up to `period` by JACK's own nature."""

    loaded: bool  # whether every core had other work to do
    seconds: float
    streams: int
    events: int
    real_time: bool
    sent: tuple[float | None, ...]
    missed: int  # notes that were not struck, as it was too late
    received: tuple[float | None, ...] | None
    received_notes: int
    missing: int  # planned notes that did not come
    period: float
    note: str


def measure_dispatch(
    setup: Setup, seconds: float, loaded: bool, tell: Tell, streams: int = STREAMS
) -> DispatchFigures:
    """A station plays while so many own streams are composed; with `loaded`, every core has
    something else to do as well."""
    name = "every core loaded" if loaded else "alone on the machine"
    tell(f"{name}: opening {streams} streams")
    with contextlib.ExitStack() as stack:
        jack = stack.enter_context(JackServer()) if is_installed() else None
        server = stack.enter_context(Served(_setup(setup, jack)))
        ear = stack.enter_context(JackListener(PORT, jack)) if jack else None
        if streams:
            crowd = stack.enter_context(VisitorsProcess(server.socket, VisitPlan(streams, RATE)))
            streams = crowd.opened().streams
        if loaded:
            stack.enter_context(busy(cores()))
        tell(f"{name}: listening for {seconds:g} s")
        begun = monotonic_us()
        bars = asyncio.run(_listen(server.socket, seconds))
        ended = monotonic_us()
        metrics = server.metrics()
        heard = list(ear.heard) if ear else []
    struck = _received(bars, heard, begun + EDGE, ended - EDGE)
    return _figures(loaded, seconds, streams, metrics, struck, jack is not None)


def _setup(setup: Setup, jack: JackServer | None) -> Setup:
    if jack is None:
        return setup._replace(configuration=PLAYING + NO_MIDI)
    return setup._replace(configuration=PLAYING + MIDI, environment=jack.environment)


async def _listen(address: str, seconds: float) -> list[BarMessage]:
    """The station's bars of so many seconds, each as it was heard."""
    visit = await Visit.begin(address)
    bars: dict[int, BarMessage] = {}

    async def hear() -> None:
        while True:
            message = await visit.hear_whole()
            if isinstance(message, BarMessage):
                bars[message.bar.index] = message

    try:
        await asyncio.wait_for(visit.answer(await visit.say("listen", stream=STATION)), PATIENCE)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(hear(), seconds)
    finally:
        await visit.end()
    if not bars:
        raise StreamError("the station has sent no bar: nothing was played")
    return list(bars.values())


def _received(
    bars: Sequence[BarMessage], heard: Sequence[ReceivedNote], first: int, last: int
) -> StrikeLateness:
    """What was heard of the notes that were planned in the middle of the time."""
    last = min(last, max(message.due for message in bars))
    return compare(within(planned_notes(bars), first, last), heard)


def _figures(
    loaded: bool,
    seconds: float,
    streams: int,
    metrics: dict[str, float],
    struck: StrikeLateness,
    has_jack: bool,
) -> DispatchFigures:
    quantiles = (
        metrics[f'{_METRIC}lateness_microseconds{{quantile="{q}"}}'] for q in ("0.5", "0.99", "1")
    )
    note = "" if has_jack else "JACK (package jackd2) is not installed"
    if has_jack and not struck.lateness:
        note = "nothing came over JACK: the server may play into ALSA here"
    received = percentiles([late / 1e3 for late in struck.lateness], 50, 99, 100)
    return DispatchFigures(
        loaded,
        seconds,
        streams,
        round(metrics[f"{_METRIC}events_total"]),
        bool(metrics[f"{_METRIC}real_time"]),
        tuple(value / 1e3 for value in quantiles),
        round(metrics[f"{_METRIC}missed_notes_total"]),
        None if note else tuple(received),
        len(struck.lateness),
        struck.missing,
        PERIOD / SAMPLES_A_SECOND * 1e3,
        note,
    )
