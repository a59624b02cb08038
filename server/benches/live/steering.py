"""From hand to ear: how soon control changes at random moments are answered and heard."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from common.errors import StreamError
from engine.music.time import quarters_per_minute
from server.base.clock import monotonic_us
from server.benches.live.bar_ledger import percentiles
from server.benches.live.judging import AcknowledgedChange, ArrivedBar, JudgedChanges, heard, judge
from server.benches.live.served import Served, Setup
from server.benches.live.streams import Tell
from server.benches.live.visit import PATIENCE, TimedBar, Visit
from server.web.outgoing import Ack, ErrorMessage

PAUSE = 0.2  # seconds on average between two changes
AFTERWARDS = 3.0  # seconds in which the last change is heard
# Microseconds a quarter: 200 quarters a minute at first, a little faster with every change. A bar
# of 2/4 lasts 0.4 to 0.6 seconds.
SLOWEST, STEP = 300_000, 25
MOST_CHANGES = 4000  # each has a tempo of its own
METRE = "2/4"
# What is turned beside the tempo that marks the change.
TURNED: dict[str, Callable[[random.Random], Any]] = {
    "density": lambda chance: round(chance.uniform(1, 6), 2),
    "register": lambda chance: round(chance.uniform(48, 76), 1),
    "dynamics": lambda chance: round(chance.uniform(30, 100)),
    "polyphony": lambda chance: round(chance.uniform(1, 5), 1),
    "articulation": lambda chance: round(chance.uniform(0.3, 1.3), 2),
    "key": lambda chance: chance.choice(("C major", "A minor", "Eb major", "F# minor")),
    "variety": lambda chance: round(chance.random(), 2),
    "temperature": lambda chance: {"all": round(chance.uniform(0.8, 1.2), 2)},
    "swing": lambda chance: round(chance.random(), 2),
}


@dataclass(frozen=True, slots=True)
class SteeringFigures:
    """Times in milliseconds: median, 99th percentile, greatest; of `margin` the least, 1st
    percentile and median."""

    changes: int
    judged: int
    kept: int  # heard in the first bar whose line was 200 ms away or more
    told_true: int  # heard from the very bar that the acknowledgement named
    in_time: int  # the bar came before its line
    ack: tuple[float | None, ...]
    to_ear: tuple[float | None, ...]
    margin: tuple[float | None, ...]
    errors: tuple[str, ...]


def quarter_of(change: int) -> int:
    """Microseconds a quarter under a change; -1 is what the stream begins with."""
    return SLOWEST - STEP * (change + 1)


def change_of(quarter: int) -> int:
    return (SLOWEST - quarter) // STEP - 1


def turned(change: int, chance: random.Random) -> dict[str, Any]:
    """The controls of a change."""
    name = chance.choice(sorted(TURNED))
    return {"tempo": quarters_per_minute(quarter_of(change)), name: TURNED[name](chance)}


class SteeringClient:
    """Steers one own stream and notes what it hears."""

    def __init__(self, visit: Visit, stream: str, seed: int) -> None:
        self._visit, self._stream = visit, stream
        self._chance = random.Random(seed)
        self._asked: dict[int, tuple[int, int]] = {}  # request: change, and when it was sent
        self.sent: dict[int, AcknowledgedChange] = {}
        self.arrivals: list[ArrivedBar] = []
        self.errors: list[str] = []

    async def turn(self, changes: int, tell: Tell) -> None:
        """Make so many changes; returns when the last one has been heard."""
        hearing = asyncio.create_task(self._hear())
        await asyncio.sleep(AFTERWARDS)
        for change in range(changes):
            await asyncio.sleep(self._chance.uniform(0, 2 * PAUSE))
            controls = turned(change, self._chance)
            at = monotonic_us()
            id = await self._visit.say("steer", stream=self._stream, controls=controls)
            self._asked[id] = (change, at)
            tell(f"change {change + 1} of {changes}")
            if hearing.done():
                break
        await asyncio.sleep(AFTERWARDS)
        hearing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await hearing

    async def _hear(self) -> None:
        while True:
            message = await self._visit.hear()
            if isinstance(message, TimedBar):
                bar = message.arrival
                change = change_of(message.tempo)
                self.arrivals.append(ArrivedBar(bar.bar, bar.revision, bar.due, bar.at, change))
                continue
            match message.content:
                case Ack(id=int(id), bar=int(bar_index)) if id in self._asked:
                    change, at = self._asked[id]
                    self.sent[change] = AcknowledgedChange(at, message.at, bar_index)
                case ErrorMessage(message=text):
                    self.errors.append(text)


def figures_of(hand: SteeringClient, changes: int) -> SteeringFigures:
    bars = heard(hand.arrivals)
    verdicts = (judge(change, sent, bars) for change, sent in hand.sent.items())
    judged: list[JudgedChanges] = [verdict for verdict in verdicts if verdict is not None]
    acks = [(sent.acknowledged - sent.at) / 1e3 for sent in hand.sent.values()]
    return SteeringFigures(
        changes,
        len(judged),
        sum(one.kept for one in judged),
        sum(one.told_true for one in judged),
        sum(one.margin >= 0 for one in judged),
        tuple(percentiles(acks, 50, 99, 100)),
        tuple(percentiles([one.to_ear / 1e3 for one in judged], 50, 99, 100)),
        tuple(percentiles([one.margin / 1e3 for one in judged], 0, 1, 50)),
        tuple(dict.fromkeys(hand.errors))[:5],
    )


async def _turn(address: str, changes: int, seed: int, tell: Tell) -> SteeringClient:
    visit = await Visit.begin(address)
    try:
        controls = {"tempo": quarters_per_minute(quarter_of(-1)), "metre": METRE}
        answer = await visit.answer(await visit.say("open", seed=seed, controls=controls))
        if isinstance(answer, ErrorMessage):
            raise StreamError(answer.message)
        hand = SteeringClient(visit, answer.stream, seed)
        await asyncio.wait_for(hand.turn(changes, tell), PATIENCE + 2 * changes)
        return hand
    finally:
        await visit.end()


def measure_steering(setup: Setup, changes: int, seed: int, tell: Tell) -> SteeringFigures:
    """Turn the controls of one stream so many times."""
    with Served(setup) as server:
        hand = asyncio.run(_turn(server.socket, changes, seed, tell))
    return figures_of(hand, changes)
