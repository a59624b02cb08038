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

# Streams that are stepped together at most. Large pools carry more streams; in smaller ones a step
# is shorter, so that a hand is answered sooner.
ROWS_A_POOL = 256
# A stream that nothing is known of yet is taken to need this many steps a second.
EXPECTED_DEMAND = 12.0
# Share of the measured speed that may be promised: the rest is for rewinds and rough weather.
PROMISED = 0.7
_SECOND = 1_000_000
_NEVER = 1 << 62


class Composed(NamedTuple):
    """A finished bar of a stream and the time at which its first tick is due."""

    stream: int
    bar: Bar
    due: int


class Member:
    """One stream of an ensemble: its composer and when its bars are due."""

    def __init__(self, composer: Composer, start: int) -> None:
        self.composer = composer
        self.playing = composer.next_bar  # the bar that sounds, or the first one
        # When bars are due, from the one that sounds to the one under way.
        self.dues = {self.playing: start}
        self.steps = 0
        self.played = 0  # microseconds of music composed so far, rewound bars included
        self._quiet_until = 0  # `pass_time` has nothing to do before

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
        self._quiet_until = 0
        return due

    def pass_time(self, now: int, horizon: int) -> None:
        """Move on to the bar that sounds now, and commit what is due within the horizon."""
        if now < self._quiet_until:
            return
        under_way, committed = self.composer.next_bar, self.composer.committed
        while committed < under_way and self.dues[committed] <= now + horizon:
            committed += 1
        self.composer.commit(committed)
        while self.playing < under_way and self.dues[self.playing + 1] <= now:
            del self.dues[self.playing]
            self.playing += 1
        # Nothing of this changes before then, or before another bar is composed.
        self._quiet_until = _NEVER
        if committed < under_way:
            self._quiet_until = self.dues[committed] - horizon
        if self.playing < under_way:
            self._quiet_until = min(self._quiet_until, self.dues[self.playing + 1])

    def is_needy(self, lookahead: int) -> bool:
        """Whether it may compose: not too far ahead, and never further than it can take back."""
        ahead = self.composer.next_bar - self.playing
        return ahead <= lookahead and (ahead <= 1 or self.composer.has_room)

    def forget_revised(self) -> None:
        """After a rewind, forget when the bars that are composed again were due."""
        for bar in [b for b in self.dues if b > self.composer.next_bar]:
            del self.dues[bar]
        self._quiet_until = 0


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
        self._groups: list[list[Member]] = []  # the streams of each pool

    # -- coming and going ------------------------------------------------------------------------

    def join(
        self, stream: int, seed: int, start: int, controls: Controls | None = None
    ) -> Composer:
        """Begin a stream whose first bar is due at `start`; CapacityError if it cannot be kept up
        beside the others, and nothing is changed."""
        if stream in self.members:
            raise CapacityError(f"stream {stream} exists already: choose another number")
        self._admit()
        pool = self._pool()
        composer = Composer(self.network, pool, seed, stream, controls)
        self.members[stream] = Member(composer, start)
        self._groups[self._pools.index(pool)].append(self.members[stream])
        return composer

    def leave(self, stream: int) -> None:
        member = self.members.pop(stream)
        self._groups[self._pools.index(member.composer.pool)].remove(member)
        member.composer.close()

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
        self._groups.append([])
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
        member.pass_time(now, self.horizon)
        first = member.composer.change(controls, plan)
        member.forget_revised()
        return first

    # -- composing ---------------------------------------------------------------------------------

    def step(self, now: int) -> tuple[list[Composed], int]:
        """One step of the network for the pool that is most in need.

        Returns the bars that it finished and how many streams took part: none and 0 if all are
        well ahead. (A bar in which nothing more begins is finished without taking part.)
        """
        done: list[Composed] = []
        taking_part = self._ready(now, done)
        if taking_part:
            taking_part[0].composer.pool.run([member.composer.row for member in taking_part])
        for member in taking_part:
            member.steps += 1
            bar = member.composer.absorb()
            if bar is not None:
                done.append(self._composed(member, bar))
        return done, len(taking_part)

    def _ready(self, now: int, done: list[Composed]) -> list[Member]:
        """The needy streams of the neediest one's pool, their rows filled for a step. Bars in
        which nothing more begins are finished on the way and put into `done`."""
        for group in sorted(self._groups, key=_first_due):
            ready = []
            for member in group:
                member.pass_time(now, self.horizon)
                if member.is_needy(self.lookahead) and self._fill(member, done):
                    ready.append(member)
            if ready or done:
                return ready
        return []

    def _fill(self, member: Member, done: list[Composed]) -> bool:
        """Prepare a stream for a step, unless its bar is done without one."""
        composer = member.composer
        bar = None if composer.is_under_way else composer.finished()
        if bar is not None:
            done.append(self._composed(member, bar))
            return False
        composer.prepare()
        return True

    def _composed(self, member: Member, bar: Bar) -> Composed:
        return Composed(member.composer.stream, bar, member.add(bar))


def _first_due(group: list[Member]) -> int:
    """When the composed music of a pool's streams ends first."""
    return min((member.due for member in group), default=_NEVER)
