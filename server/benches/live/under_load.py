"""Hands that steer stations while other programs take the machine's cores: whether each change is
heard where the server said, and whether the logs give back what was heard."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from engine.library.loading import load_network
from engine.library.models import model_file
from engine.music.time import quarters_per_minute
from server.base.wire import WireBar
from server.benches.live.bar_ledger import percentiles
from server.benches.live.change_accounts import Fate, fate, marks
from server.benches.live.processes import at_once, busy
from server.benches.live.repeating import Compared, compared
from server.benches.live.served import Served, Setup
from server.benches.live.steering import change_of, quarter_of
from server.benches.live.streams import Tell
from server.benches.live.under_load_client import SteeringRecord, UnderLoadClient
from server.benches.live.visit import Visit

LOOPS = 3
STATIONS = 4
SHOWN = 5  # changes that went wrong
# What the server counts, by name here and there.
COUNTED = {
    "made": 'perpetuo_promises_total{became="made"}',
    "kept": 'perpetuo_promises_total{became="kept"}',
    "postponed": 'perpetuo_promises_total{became="postponed"}',
    "outdated bars": "perpetuo_bars_outdated_total",
    "discarded bars": "perpetuo_bars_discarded_total",
    "bridged bars": "perpetuo_bars_late_total",
    "unsaved": "perpetuo_unsaved_total",
}
# What configs/daw.toml has, without its port; four such stations, and shorter bars.
HEAD = """
lookahead = 4
max_streams = 4
"""
STATION = """
[[station]]
name = "{name}"
preset = "quartet"
seed = {seed}
controls = {{ tempo = {tempo}, tempo_drift = 0, humanise_time = 0 }}
"""
TAIL = """
[midi]
enabled = false

[audio]
enabled = false
"""


@dataclass(frozen=True, slots=True)
class UnderLoadFigures:
    """Acknowledgements in milliseconds: median, 99th percentile, greatest. `near` changes were
    sent 160 to 200 ms before a bar line. What is counted in `server` is so since its start."""

    changes: int
    stations: int
    loops: int
    seconds: float
    real_time: bool  # whether the clients had real-time priority
    near: int
    acknowledged: int
    as_announced: int
    postponed: int
    void: int
    unaccounted: int
    unsaved: int  # acknowledged, and said not to be on disk
    ack: tuple[float | None, ...]
    bridged: int  # bars that were heard
    too_late: int  # bars that reached the client when they had begun
    server: dict[str, float]
    repeated: int  # bars that were heard, and compared with what the logs give back
    differences: tuple[str, ...]  # the first one of each station that has any
    astray: tuple[str, ...]  # some of the unaccounted
    errors: tuple[str, ...]

    @property
    def equal(self) -> bool:
        return not self.differences

    @property
    def holds(self) -> bool:
        """Whether every change was acknowledged and heard where it was announced last, and what
        was heard is what is logged."""
        return self.equal and not self.unaccounted and self.acknowledged == self.changes


def mark_of(bar: WireBar) -> int:
    return change_of(bar.tempo)


def account(steering: Sequence[SteeringRecord]) -> tuple[Counter[Fate], list[str]]:
    """What became of each change that was acknowledged, and in words of those that went astray."""
    fates: Counter[Fate] = Counter()
    astray = []
    for one in steering:
        marked = marks(one.heard, mark_of)
        for turn in one.turned.values():
            if turn.ack is None or turn.ack.change is None:
                continue
            places = one.known.announced[turn.ack.change]
            is_void = turn.ack.change in one.known.void
            found = Fate.VOID if is_void else fate(turn.mark, places, marked)
            fates[found] += 1
            if found == Fate.UNACCOUNTED:
                near = {
                    place.bar: marked[place]
                    for place in sorted(marked)
                    if abs(place.bar - places[-1].bar) <= 2
                }
                astray.append(
                    f"{one.name}, change {turn.ack.change} with mark {turn.mark}: announced in "
                    f"{[place.bar for place in places]}, marks by bar {near}"
                )
    return fates, astray


def figures_of(
    steering: Sequence[SteeringRecord],
    compared: Sequence[Compared],
    changes: int,
    seconds: float,
    real_time: bool,
    metrics: dict[str, float],
) -> UnderLoadFigures:
    turns = [turn for one in steering for turn in one.turned.values()]
    acks = [turn.ack for turn in turns if turn.ack is not None]
    fates, astray = account(steering)
    return UnderLoadFigures(
        changes,
        len(steering),
        LOOPS,
        seconds,
        real_time,
        sum(one.near for one in steering),
        len(acks),
        fates[Fate.AS_ANNOUNCED],
        fates[Fate.POSTPONED],
        fates[Fate.VOID],
        fates[Fate.UNACCOUNTED],
        sum(ack.saved is False for ack in acks),
        tuple(percentiles([turn.took / 1e3 for turn in turns if turn.ack], 50, 99, 100)),
        sum(bar.late for one in steering for bar in one.heard.values()),
        sum(one.known.too_late for one in steering),
        {name: metrics[key] for name, key in COUNTED.items()},
        sum(one.bars for one in compared),
        tuple(
            f"{one.name}: {found.difference}"
            for one, found in zip(steering, compared, strict=True)
            if found.difference
        ),
        tuple(astray[:SHOWN]),
        tuple(dict.fromkeys(text for one in steering for text in one.errors))[:SHOWN],
    )


async def _steer(
    address: str, names: Sequence[str], changes: int, seed: int, tell: Tell
) -> list[SteeringRecord]:
    """So many changes, shared out among the stations."""
    visits = [await Visit.begin(address) for _ in names]
    try:
        hands = [
            UnderLoadClient(visit, name, seed) for visit, name in zip(visits, names, strict=True)
        ]
        shares = [len(range(place, changes, len(names))) for place in range(len(names))]
        turning = (hand.turn(share, tell) for hand, share in zip(hands, shares, strict=True))
        return await asyncio.gather(*turning)
    finally:
        for visit in visits:
            await visit.end()


def _configuration(names: Sequence[str]) -> str:
    tempo = quarters_per_minute(quarter_of(-1))
    stations = (
        STATION.format(name=name, seed=seed, tempo=tempo) for seed, name in enumerate(names, 1)
    )
    return HEAD + "".join(stations) + TAIL


def measure_under_load(setup: Setup, changes: int, seed: int, tell: Tell) -> UnderLoadFigures:
    """Turn the controls of stations so many times beside busy loops, and replay what was heard."""
    names = [f"daw-{number}" for number in range(1, min(STATIONS, changes) + 1)]
    setup = setup._replace(configuration=_configuration(names))
    with Served(setup) as server:
        begun = time.monotonic()
        with busy(LOOPS), at_once() as real_time:
            steering = asyncio.run(_steer(server.socket, names, changes, seed, tell))
        seconds = time.monotonic() - begun
        metrics = server.metrics()
        server.end()
        tell("replaying what was heard")
        network = load_network(model_file(setup.model), "cpu", setup.threads)
        found = [
            compared(server.logs, one.name, one.known.heard(one.until), network) for one in steering
        ]
    return figures_of(steering, found, changes, seconds, real_time, metrics)
