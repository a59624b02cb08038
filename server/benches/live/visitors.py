"""`python -m server.benches.live.visitors ADDRESS ERRAND`: many clients in one process.

Each opens an own stream, listens, and steers once in a while. What stands on standard input, a
word a line, leads them: `count` begins the counting, `end` ends everything. On standard output
comes a line of JSON when all streams are open, and one with what was counted.
"""

from __future__ import annotations

import asyncio
import gc
import random
import sys
from collections import Counter
from typing import Any

import msgspec

from common.errors import PerpetuoError, StreamError
from server.base.clock import monotonic_us
from server.benches.live.bar_ledger import Ledger, percentiles
from server.benches.live.visit import TimedBar, TimedMessage, Visit
from server.web.listening import allow_files
from server.web.outgoing import Ack, Bye, ErrorMessage

RETRY = 2.0  # seconds until a stream that was refused is asked for again
PING_EVERY = 10.0  # seconds, as docs/protocol.md asks of clients
# What a hand turns: around what the preset `study` has, so that the music stays as much.
STEERED = {
    "density": (1.5, 2.5),
    "register": (58.0, 68.0),
    "dynamics": (35.0, 65.0),
    "articulation": (0.8, 1.3),
    "tempo": (66.0, 78.0),
}


class VisitPlan(msgspec.Struct, frozen=True):
    """What the visitors do. Seconds; `rate` is how many streams are opened in one."""

    streams: int
    rate: float
    preset: str | None = "study"
    controls: dict[str, Any] = {}
    steer_every: float = 60.0
    patience: float = 60.0  # for the last stream to be let in, when all have been asked for
    seed: int = 1


class OpenedCounts(msgspec.Struct, frozen=True):
    """How the opening went. `refusals` counts each time; `reason` is that of the last one."""

    streams: int
    refusals: int
    reason: str


class VisitCounts(msgspec.Struct, frozen=True):
    """What all of them together saw from `count` to `end`. Times in milliseconds."""

    found: dict[str, int]
    silent: int  # streams whose music had stopped at the end
    margins: tuple[float | None, ...]  # least, 1st percentile, median, of bars before they are due
    steered: int
    acks: tuple[float | None, ...]  # median, 99th percentile, greatest
    errors: dict[str, int]


class Visitors:
    """All of them."""

    def __init__(self, address: str, plan: VisitPlan) -> None:
        self.address, self.plan = address, plan
        self.ledgers: list[Ledger] = []
        self.refusals, self.reason = 0, ""
        self.acks: list[int] = []
        self.steered = 0
        self.errors: Counter[str] = Counter()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_full = asyncio.Event()
        self._is_closing = False

    async def open(self) -> OpenedCounts:
        """Send everybody in, one after the other; wait until all are served or patience ends."""
        plan = self.plan
        for number in range(plan.streams):
            self._tasks.append(asyncio.create_task(self._visit(number)))
            await asyncio.sleep(1 / plan.rate)
        try:
            await asyncio.wait_for(self._is_full.wait(), plan.patience)
        except TimeoutError:
            self._is_closing = True  # to whoever has not been let in
        gc.collect()
        gc.freeze()
        return OpenedCounts(len(self.ledgers), self.refusals, self.reason)

    def count(self) -> None:
        for ledger in self.ledgers:
            ledger.begin()
        self.acks.clear()
        self.errors.clear()
        self.steered = 0

    async def end(self) -> VisitCounts:
        now = monotonic_us()
        found: Counter[str] = Counter()
        for ledger in self.ledgers:
            found.update(ledger.found)
        margins = [margin / 1e3 for ledger in self.ledgers for margin in ledger.margins]
        counted = VisitCounts(
            dict(found),
            sum(ledger.is_silent(now) for ledger in self.ledgers),
            tuple(percentiles(margins, 0, 1, 50)),
            self.steered,
            tuple(percentiles([ack / 1e3 for ack in self.acks], 50, 99, 100)),
            dict(self.errors),
        )
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return counted

    # -- one of them -----------------------------------------------------------------------------

    async def _visit(self, number: int) -> None:
        try:
            visit = await Visit.begin(self.address)
            try:
                stream = await self._let_in(visit, number)
                if stream:
                    await self._stay(visit, stream, random.Random(f"{self.plan.seed} {number}"))
            finally:
                await visit.end()
        except (PerpetuoError, OSError, TimeoutError) as error:
            self.errors[f"{type(error).__name__}: {error}"[:100]] += 1

    async def _let_in(self, visit: Visit, number: int) -> str:
        """The name of the own stream; "" if there is none to be had."""
        plan = self.plan
        while not self._is_closing:
            id = await visit.say("open", preset=plan.preset, seed=number, controls=plan.controls)
            answer = await visit.answer(id)
            if isinstance(answer, Ack):
                return answer.stream
            if answer.code != "capacity":
                raise StreamError(answer.message)
            self.refusals += 1
            self.reason = answer.message
            await asyncio.sleep(RETRY)
        return ""

    async def _stay(self, visit: Visit, stream: str, chance: random.Random) -> None:
        ledger = Ledger()
        self.ledgers.append(ledger)
        if len(self.ledgers) == self.plan.streams:
            self._is_full.set()
        sent: dict[int, int] = {}
        habits = [self._steer(visit, stream, chance, sent), self._ping(visit, chance)]
        tasks = [asyncio.create_task(habit) for habit in habits]
        try:
            while True:
                heard = await visit.hear()
                if isinstance(heard, TimedBar):
                    ledger.take(heard.arrival)
                else:
                    self._note(heard, sent)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _note(self, heard: TimedMessage, sent: dict[int, int]) -> None:
        match heard.content:
            case Ack(id=int(id)) if id in sent:
                self.acks.append(heard.at - sent.pop(id))
            case ErrorMessage(message=message):
                self.errors[message[:100]] += 1
            case Bye(reason=reason):
                self.errors[f"let go: {reason}"] += 1

    async def _steer(
        self, visit: Visit, stream: str, chance: random.Random, sent: dict[int, int]
    ) -> None:
        every = self.plan.steer_every
        await asyncio.sleep(every * chance.random())
        while True:
            name = chance.choice(sorted(STEERED))
            value = round(chance.uniform(*STEERED[name]), 2)
            at = monotonic_us()
            sent[await visit.say("steer", stream=stream, controls={name: value})] = at
            self.steered += 1
            await asyncio.sleep(every)

    async def _ping(self, visit: Visit, chance: random.Random) -> None:
        await asyncio.sleep(PING_EVERY * chance.random())
        while True:
            await visit.ping()
            await asyncio.sleep(PING_EVERY)


async def _main(address: str, plan: VisitPlan) -> None:
    allow_files(plan.streams + 256)
    words = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(words), sys.stdin)
    visitors = Visitors(address, plan)
    _print(await visitors.open())
    while (word := await words.readline()) and word.strip() != b"end":
        visitors.count()
    _print(await visitors.end())


def _print(found: OpenedCounts | VisitCounts) -> None:
    print(msgspec.json.encode(found).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], msgspec.json.decode(sys.argv[2], type=VisitPlan)))
