"""A client that steers a station at moments that are hard for the server, and what it hears."""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass, field

from server.base.clock import monotonic_us
from server.base.wire import WireBar
from server.benches.live.change_accounts import BarPlace, Known
from server.benches.live.steering import turned
from server.benches.live.streams import Tell
from server.benches.live.visit import PATIENCE, Visit
from server.web.outgoing import Ack, ErrorMessage

NEAR = (160_000, 200_000)  # microseconds before a bar line: hardly enough to compose it anew
NEAR_SHARE = 0.7  # of the changes; the others are made at any time
PAUSE = 0.5  # seconds until one of those, on average


@dataclass(slots=True)
class SentChange:
    """A change: its mark, when it was sent, and how it was acknowledged."""

    mark: int
    at: int
    ack: Ack | None = None
    took: int = 0  # microseconds until it was


@dataclass(slots=True)
class SteeringRecord:
    """What one client of one station did and heard."""

    name: str
    known: Known = field(default_factory=Known)
    turned: dict[int, SentChange] = field(default_factory=dict)  # by the number of the request
    near: int = 0
    errors: list[str] = field(default_factory=list)
    until: int = 0  # when it stopped listening

    @property
    def heard(self) -> dict[BarPlace, WireBar]:
        """What had begun when it stopped listening."""
        return self.known.heard(self.until)


class UnderLoadClient:
    """Steers one station at moments that are hard for the server, and at others."""

    def __init__(self, visit: Visit, name: str, seed: int) -> None:
        self._visit, self._chance = visit, random.Random(f"{seed} {name}")
        self.steering = SteeringRecord(name)

    async def turn(self, changes: int, tell: Tell) -> SteeringRecord:
        """Make so many changes; returns when all of them should have been heard."""
        hearing = asyncio.create_task(self._hear())
        try:
            await self._visit.say("listen", stream=self.steering.name, past=8)
            async with asyncio.timeout(PATIENCE):
                while self.steering.known.next_line(monotonic_us()) is None:
                    await asyncio.sleep(0.05)
            for mark in range(changes):
                await self._wait()
                await self._steer(mark)
                tell(f"{self.steering.name}: change {mark + 1} of {changes}")
                if hearing.done():
                    break
            await self._hear_out()
        finally:
            hearing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await hearing
        return self.steering

    async def _wait(self) -> None:
        """Until just before a bar line, or any time."""
        now = monotonic_us()
        before = round(self._chance.uniform(*NEAR))
        line = self.steering.known.next_line(now + before)
        if line is None or self._chance.random() >= NEAR_SHARE:
            await asyncio.sleep(self._chance.uniform(0, 2 * PAUSE))
            return
        await asyncio.sleep((line - before - now) / 1e6)

    async def _steer(self, mark: int) -> None:
        steering = self.steering
        controls = turned(mark, self._chance)
        at = monotonic_us()
        line = steering.known.next_line(at)
        steering.near += line is not None and NEAR[0] <= line - at <= NEAR[1]
        id = await self._visit.say("steer", stream=steering.name, controls=controls)
        steering.turned[id] = SentChange(mark, at)

    async def _hear_out(self) -> None:
        """Until every answer is there and every announced bar has begun."""
        steering = self.steering
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while steering.known.awaits(monotonic_us()) or sum(
                    one.ack is not None for one in steering.turned.values()
                ) + len(steering.errors) < len(steering.turned):
                    await asyncio.sleep(0.1)
        steering.until = monotonic_us()

    async def _hear(self) -> None:
        steering = self.steering
        while True:
            heard = await self._visit.hear_timed()
            steering.known.take(heard.content, heard.at)
            match heard.content:
                case Ack(id=int(id)) as ack if id in steering.turned:
                    one = steering.turned[id]
                    one.ack, one.took = ack, heard.at - one.at
                case ErrorMessage(message=text):
                    steering.errors.append(text)
