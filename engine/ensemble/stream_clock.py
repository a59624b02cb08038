"""One stream of an ensemble: when its bars are due, and whether it may compose."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from engine.composing.composer import Composer
from engine.files.control_log import LoggedChange
from engine.music.bars import Bar

# A stream that nothing is known of yet is taken to need this many steps a second.
EXPECTED_DEMAND = 12.0
SECOND = 1_000_000
NEVER = 1 << 62


class StreamClock:
    """A composer and its times, in microseconds of the caller's clock.

    One that was taken up again first composes silently up to `first`, the bar that is due at
    `start`, and makes the changes of its `script` at their bars.
    """

    def __init__(
        self,
        stream: int,
        composer: Composer,
        start: int,
        first: int | None = None,
        script: Sequence[LoggedChange] = (),
    ) -> None:
        self.stream, self.composer = stream, composer
        self.first = composer.next_bar if first is None else first
        self.script = deque(script)
        self.playing = self.first  # the bar that sounds, or the first one
        # When bars are due, from the one that sounds to the one under way.
        self.dues = {self.playing: start}
        self.ticket = (
            0  # of its place in a queue of `engine.ensemble.row_scheduler`: others are out of date
        )
        self.steps = 0
        self.played = 0  # microseconds of music composed so far, rewound bars included
        self.due = start  # when the bar under way is due: how long the composed music lasts
        self.awaited = NEVER  # the bar from which on a performer turned something last
        self.is_resting = False  # the bar that sounds goes on sounding, as it were
        self._quiet_until = 0  # `pass_time` has nothing to do before
        self._follow_script()

    def due_of(self, bar: int) -> int:
        """When a bar is due, from the one that sounds to the one after the one under way."""
        if bar in self.dues:
            return self.dues[bar]
        assert bar == self.composer.next_bar + 1, "nobody knows yet when that bar is due"
        return self.due + self.composer.length

    @property
    def is_silent(self) -> bool:
        """Whether the bar under way was heard long ago and is only composed to go on from it."""
        return self.composer.next_bar < self.first

    @property
    def is_catching_up(self) -> bool:
        """Whether it composes what was composed before: no new change may come between."""
        return self.is_silent or bool(self.script)

    @property
    def wakes(self) -> int:
        """When a stream that is well ahead may compose again, as `pass_time` found it last."""
        return self._quiet_until

    @property
    def demand(self) -> float:
        """Steps a second that this stream takes, as composed so far."""
        if self.played < 4 * SECOND:
            return EXPECTED_DEMAND
        return self.steps * SECOND / self.played

    def add(self, bar: Bar) -> int | None:
        """Note when the following bar is due; returns when this one is, None for a silent one."""
        length = bar.length
        self.played += length
        self._quiet_until = 0
        due = self.dues[bar.index] if bar.index >= self.first else None
        if due is not None:
            self.due = self.dues[bar.index + 1] = due + length
        self._follow_script()
        return due

    def _follow_script(self) -> None:
        """Make the changes that belong to the bar under way, as they were made before."""
        composer = self.composer
        if composer.next_bar <= self.first or self.script:
            composer.commit(composer.next_bar)
        while self.script and self.script[0].bar <= composer.next_bar:
            composer.make(self.script.popleft())

    def shift(self, bar: int, later: int) -> None:
        """All bars from `bar` on are due later by so many microseconds (earlier if negative).

        If the music falls short of `bar`, the bar under way stands for it.
        """
        for index in self.dues:
            if index >= min(bar, max(self.dues)):
                self.dues[index] += later
        self.due = self.dues[max(self.dues)]
        self._quiet_until = 0

    def rest(self, bar: int) -> None:
        """No time passes for it: it rests in this bar, which stays as it is, until `go_on`."""
        composer = self.composer
        composer.commit(bar + 1)
        while self.playing < min(bar, composer.next_bar):
            del self.dues[self.playing]
            self.playing += 1
        self.is_resting = True
        self._quiet_until = 0

    def go_on(self, bar: int, due: int, tick: int) -> int | None:
        """The next bar that is wanted is `bar`, due at `due`: those before it were made elsewhere,
        as they were not there in time. If composing is behind, the bar under way is that one: the
        number it had comes back. If it is not, it only learns of the time."""
        assert not self.is_catching_up, "its script comes first"
        self.is_resting = False
        under_way = self.composer.next_bar
        if under_way >= bar:
            held = self.dues.get(bar)
            if held is not None:
                self.shift(bar, due - held)
            return None
        self.composer.leap(bar, tick)
        self.playing, self.dues, self.due = bar, {bar: due}, due
        if under_way <= self.awaited < NEVER:
            self.awaited += bar - under_way
        self._quiet_until = 0
        return under_way

    def pass_time(self, now: int, horizon: int) -> None:
        """Move on to the bar that sounds now, and commit what is due within the horizon."""
        if now < self._quiet_until or self.is_silent:
            return
        if self.is_resting:
            self._quiet_until = NEVER
            return
        under_way, committed = self.composer.next_bar, self.composer.committed
        while committed < under_way and self.dues[committed] <= now + horizon:
            committed += 1
        self.composer.commit(committed)
        while self.playing < under_way and self.dues[self.playing + 1] <= now:
            del self.dues[self.playing]
            self.playing += 1
        # Nothing of this changes before then, or before another bar is composed.
        self._quiet_until = NEVER
        if committed < under_way:
            self._quiet_until = self.dues[committed] - horizon
        if self.playing < under_way:
            self._quiet_until = min(self._quiet_until, self.dues[self.playing + 1])

    def is_needy(self, lookahead: int) -> bool:
        """Whether it may compose: not too far ahead, and never further than it can take back."""
        if self.is_silent:
            return True
        ahead = self.composer.next_bar - self.playing
        return ahead <= lookahead and (ahead <= 1 or self.composer.has_room)

    def is_awaited_by(self, time: int) -> bool:
        """Whether the bar under way is the first under a change, and due before this time."""
        return self.composer.next_bar == self.awaited and self.due < time

    def forget_revised(self) -> None:
        """After a rewind, forget when the bars that are composed again were due."""
        for bar in [b for b in self.dues if b > self.composer.next_bar]:
            del self.dues[bar]
        self.due = self.dues[max(self.dues)]
        self._quiet_until = 0
