"""Many composers over one network, stepped together.

The ensemble is told the time (microseconds of the caller's monotonic clock) and never looks at a
clock itself. It steps the pool of that stream whose composed music ends first, and everyone else
there who may compose ahead goes along: one call of the network serves them all. Rows do not
disturb each other, so a stream sounds the same alone and among hundreds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from engine.bars import Bar
from engine.composer import Composer, Hand
from engine.control_values import Json
from engine.controls import Controls
from engine.errors import CapacityError
from engine.runtime import Network, Pool

ROWS_A_POOL = 64
# A stream that nothing is known of yet is taken to need this many steps a second.
EXPECTED_DEMAND = 12.0
# Share of the measured speed that may be promised: the rest is for rewinds and rough weather.
PROMISED = 0.7
_SECOND = 1_000_000


class Composed(NamedTuple):
    """A finished bar of a stream and the time at which its first tick is due."""

    stream: int
    bar: Bar
    due: int


class Member:
    """One stream of an ensemble: its composer and when its bars are due."""

    def __init__(self, composer: Composer, start: int) -> None:
        self.composer = composer
        self.dues = {composer.next_bar: start}
        self.steps = 0
        self.played = 0  # microseconds of music composed so far, rewound bars included

    @property
    def due(self) -> int:
        """When the bar under way is due: how long the composed music lasts."""
        return self.dues[self.composer.next_bar]

    @property
    def demand(self) -> float:
        """Steps a second that this stream takes, as composed so far."""
        if self.played < 4 * _SECOND:
            return EXPECTED_DEMAND
        return self.steps * _SECOND / self.played

    def add(self, bar: Bar) -> int:
        """Note when the following bar is due; returns when this one is."""
        due = self.dues[bar.index]
        length = bar.metre.ticks * bar.microseconds_per_quarter // 24
        self.dues[bar.index + 1] = due + length
        self.played += length
        return due

    def commit(self, horizon: int) -> None:
        """Fix the bars that are due up to `horizon`, and forget when they were."""
        reached = [bar for bar, due in self.dues.items() if due <= horizon]
        if not reached:
            return
        self.composer.commit(max(reached) + 1)
        for bar in reached:
            if bar < self.composer.committed - 1 and bar < self.composer.next_bar:
                del self.dues[bar]

    def playing(self, now: int) -> int:
        """The bar that sounds, or the first one if none does yet."""
        return max((b for b, due in self.dues.items() if due <= now), default=min(self.dues))


class Ensemble:
    """Streams named by number. Use from one thread."""

    def __init__(
        self,
        network: Network,
        *,
        lookahead: int = 4,
        horizon: int = 150_000,
        most: int = 1024,
        rows_a_pool: int = ROWS_A_POOL,
    ) -> None:
        """`lookahead` in bars beyond the one that sounds; `horizon` in microseconds: bars due
        within it are committed; `most` streams at once."""
        self.network, self.lookahead, self.horizon, self.most = network, lookahead, horizon, most
        self.rows_a_pool = rows_a_pool
        self.members: dict[int, Member] = {}
        self.speed = 0.0  # steps a second, as measured by the caller
        self._pools: list[Pool] = []

    # -- coming and going ------------------------------------------------------------------------

    def join(
        self, stream: int, seed: int, start: int, controls: Controls | None = None
    ) -> Composer:
        """Begin a stream whose first bar is due at `start`; CapacityError if it cannot be kept up
        beside the others, and nothing is changed."""
        if stream in self.members:
            raise CapacityError(f"stream {stream} exists already: choose another number")
        self._admit()
        composer = Composer(self.network, self._pool(), seed, stream, controls)
        self.members[stream] = Member(composer, start)
        return composer

    def leave(self, stream: int) -> None:
        self.members.pop(stream).composer.close()

    def _admit(self) -> None:
        count = len(self.members)
        if count >= self.most:
            raise CapacityError(f"all {self.most} streams are taken: try again when one has ended")
        wanted = self.demand + EXPECTED_DEMAND
        if self.speed and wanted > PROMISED * self.speed:
            raise CapacityError(
                f"{count} streams take {self.demand:.0f} of the {PROMISED * self.speed:.0f} notes "
                "a second that this machine can promise: try again when one has ended"
            )

    def _pool(self) -> Pool:
        for pool in self._pools:
            if pool.has_place:
                return pool
        room = self.most - len(self._pools) * self.rows_a_pool
        self._pools.append(self.network.pool(min(self.rows_a_pool, max(room, 1))))
        return self._pools[-1]

    @property
    def demand(self) -> float:
        """Steps a second that all streams together take."""
        return sum(member.demand for member in self.members.values())

    def measured(self, steps: int, seconds: float) -> None:
        """Tell how long `steps` took while there was work: admission goes by it."""
        if seconds > 0:
            latest = steps / seconds
            self.speed = latest if not self.speed else 0.9 * self.speed + 0.1 * latest

    # -- steering ----------------------------------------------------------------------------------

    def change(
        self,
        stream: int,
        now: int,
        controls: Mapping[str, Json] | None = None,
        plan: Hand | None = None,
    ) -> int:
        """Steer a stream; returns the first bar that is composed under the change."""
        member = self.members[stream]
        member.commit(now + self.horizon)
        first = member.composer.change(controls, plan)
        for bar in [b for b in member.dues if b > member.composer.next_bar]:
            del member.dues[bar]
        return first

    # -- composing ---------------------------------------------------------------------------------

    def needy(self, now: int) -> list[Member]:
        """The streams that may compose, the one whose music ends first in front."""
        found = []
        for member in self.members.values():
            member.commit(now + self.horizon)
            ahead = member.composer.next_bar - member.playing(now)
            if ahead <= self.lookahead and (member.composer.has_room or ahead <= 1):
                found.append(member)
        return sorted(found, key=lambda member: member.due)

    def step(self, now: int) -> tuple[list[Composed], int]:
        """One step of the network for the pool that is most in need.

        Returns the bars that it finished and how many streams took part; 0 if all are well ahead.
        """
        done: list[Composed] = []
        needy = self.needy(now)
        if not needy:
            return done, 0
        pool = needy[0].composer.pool
        taking_part = []
        for member in needy:
            if member.composer.pool is not pool:
                continue
            bar = member.composer.finished()
            if bar is None:
                member.composer.prepare()
                taking_part.append(member)
            else:
                done.append(self._composed(member, bar))
        if taking_part:
            pool.run([member.composer.row for member in taking_part])
        for member in taking_part:
            member.steps += 1
            bar = member.composer.absorb()
            if bar is not None:
                done.append(self._composed(member, bar))
        return done, len(taking_part)

    def _composed(self, member: Member, bar: Bar) -> Composed:
        return Composed(member.composer.stream, bar, member.add(bar))
