"""Many composers over one network, stepped together.

The ensemble is told the time (microseconds of the caller's monotonic clock) and never looks at a
clock itself. Those streams whose composed music ends first are on the rows of one pool
(`engine.ensemble.row_scheduler`), and one call of the network serves them all. Rows do not disturb
each other, so a stream sounds the same alone and among hundreds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from common.errors import CapacityError, PlanError
from engine.composing.composer import Composer, PlanOverrides
from engine.composing.following import refuse_plan, refuse_unfollowed, without_unfollowed
from engine.composing.primer import Primer
from engine.composing.setting import setting_of
from engine.controls.controls import Controls
from engine.controls.values import Json
from engine.ensemble.isolation import Failure, stepped
from engine.ensemble.row_scheduler import RowScheduler
from engine.ensemble.stream_clock import EXPECTED_DEMAND, StreamClock
from engine.files.control_log import LoggedChange
from engine.music.bars import Bar
from engine.network.runtime import Network, Pool

# Streams that are stepped together at most. With more of them, more notes a second may be composed;
# with fewer, a step is shorter and a performer is answered sooner.
MOST_ROWS = 256
# Bars beyond the lookahead that a stream composes when another one has to compose anyway: a row
# that sits out costs as much as one that takes part.
COMPANY = 1
# A bar that a performer waits for and that is due within so many microseconds is composed by
# itself: a step of few rows is over soon. If more streams than a few are in that case, they go
# together.
HURRY, MOST_HURRIED = 300_000, 3
# Share of the measured speed that may be promised: the rest is for rewinds and rough weather.
PROMISED = 0.85


class ComposedBar(NamedTuple):
    """A finished bar of a stream and the time at which its first tick is due."""

    stream: int
    bar: Bar
    due: int


class Ensemble:
    """Streams named by number. Use from one thread."""

    def __init__(
        self,
        network: Network,
        *,
        lookahead: int = 4,
        horizon: int = 150_000,
        most: int = 1024,
        rows: int = MOST_ROWS,
    ) -> None:
        """`lookahead` in bars beyond the one that sounds; `horizon` in microseconds: bars due
        within it are committed; `most` streams at once, `rows` of them together."""
        self.network, self.lookahead, self.most = network, lookahead, most
        self.horizon = horizon
        self.rows = min(rows, most)
        self.members: dict[int, StreamClock] = {}
        self.speed = 0.0  # steps a second, as measured by the caller
        self.computed = 0  # rows that the last step computed, those that sat out included
        self.failed: list[Failure] = []  # since `take_failed`
        self.elsewhere = 0.0  # share of the caller's time that other work than this takes
        self._seating: RowScheduler | None = None  # memory is taken when somebody comes

    # -- coming and going ------------------------------------------------------------------------

    def join(
        self,
        stream: int,
        seed: int,
        start: int,
        controls: Controls | None = None,
        *,
        number: int | None = None,
        primer: Primer | None = None,
    ) -> Composer:
        """Begin a stream whose first bar is due at `start`; CapacityError if it cannot be kept up
        beside the others, and nothing is changed. `number` is the stream's number in all that it
        draws, `stream` itself if none is given."""
        self._admit(stream)
        self._admit_speed()
        drawn = stream if number is None else number
        composer = Composer(self.network, self._room.pool, seed, drawn, controls, primer)
        self._add(StreamClock(stream, composer, start))
        return composer

    def resume(
        self,
        stream: int,
        composer_on: Callable[[Pool], Composer],
        bar: int,
        start: int,
        changes: Sequence[LoggedChange] = (),
        revisions: Mapping[int, int] | None = None,
    ) -> Controls:
        """Take up a stream that was composed before: as `composer_on` makes it on a row, from a
        snapshot or from its beginning. It composes silently up to `bar`, which is due at `start`,
        under the changes that were made since, and goes on as if it had never stopped.

        Returns the controls after all of them. `revisions` are those of bars that listeners hold:
        these bars get higher ones. A stream that was carried before is not refused for speed.
        Whatever `composer_on` raises, and ControlError or PlanError for a change, leave all as it
        was.
        """
        self._admit(stream)
        composer = composer_on(self._room.pool)
        try:
            script = [change for change in changes if change.bar >= composer.next_bar]
            controls = _after(composer, script)
            for index, revision in (revisions or {}).items():
                composer.revisions[index] = max(composer.revisions.get(index, -1), revision)
            # Places that were leapt over are not composed: it goes on after them.
            leapt_to = [change.to for change in script if change.to is not None]
            first = max(bar, composer.next_bar, *leapt_to)
            self._add(StreamClock(stream, composer, start, first, script))
        except Exception:
            composer.close()
            raise
        return controls

    def _add(self, member: StreamClock) -> None:
        self.members[member.stream] = member
        self._room.enter(member)

    def leave(self, stream: int) -> None:
        self._room.leave(self.members.pop(stream))

    def _admit(self, stream: int) -> None:
        if stream in self.members:
            raise CapacityError(f"stream {stream} exists already: choose another number")
        if len(self.members) >= self.most:
            raise CapacityError(f"all {self.most} streams are taken: try again when one has ended")

    def _admit_speed(self) -> None:
        wanted, promised = self.demand + EXPECTED_DEMAND, PROMISED * self.speed
        if self.speed and wanted > promised - self.elsewhere * self.speed:
            raise CapacityError(
                f"{len(self.members)} streams take {self.demand:.0f} of the {promised:.0f} notes "
                "a second that this machine can promise: try again when one has ended"
            )

    @property
    def _room(self) -> RowScheduler:
        if self._seating is None:
            pool = self.network.pool(self.rows + 1)
            self._seating = RowScheduler(pool, self.rows, self.lookahead, self.horizon)
        return self._seating

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
        plan: PlanOverrides | None = None,
        *,
        by_preset: bool = False,
    ) -> int:
        """Steer a stream; returns the first bar that is composed under the change. What the model
        does not follow is refused, by a ControlError or PlanError; of a preset it is left out."""
        member = self.members[stream]
        assert not member.is_catching_up, "its script comes first"
        controls = self._followed(member.composer, controls or {}, by_preset=by_preset)
        refuse_plan(member.composer.spec, plan or {})
        member.pass_time(now, self.horizon)
        first = member.composer.change(controls, plan)
        member.awaited = first
        member.forget_revised()
        self._room.look_again(member)
        return first

    def _followed(
        self, composer: Composer, controls: Mapping[str, Json], *, by_preset: bool
    ) -> Mapping[str, Json]:
        spec, changed = composer.spec, composer.controls.with_values(controls)
        if not by_preset:
            refuse_unfollowed(spec, composer.table, changed, controls.keys())
            return controls
        _, left_out = without_unfollowed(spec, changed)
        return {name: None if name in left_out else value for name, value in controls.items()}

    def due_of(self, stream: int, bar: int) -> int:
        """When a bar is due, from the one that sounds to the one after the one under way."""
        return self.members[stream].due_of(bar)

    def shift(self, stream: int, bar: int, later: int) -> None:
        """All bars of a stream from `bar` on are due later by so many microseconds."""
        member = self.members[stream]
        member.shift(bar, later)
        self._room.look_again(member)

    def look_ahead(self, bars: int) -> None:
        """Compose so many bars beyond the one that sounds from now on. What is composed already
        stays."""
        self.lookahead = bars
        if self._seating is not None:
            self._seating.lookahead = bars
            for member in self.members.values():
                self._seating.look_again(member)

    def rest(self, stream: int, bar: int) -> None:
        """A stream rests in this bar; see `StreamClock.rest`."""
        member = self.members[stream]
        member.rest(bar)
        self._room.look_again(member)

    def go_on(self, stream: int, bar: int, due: int, tick: int) -> int | None:
        """The next bar that is wanted of a stream is `bar`, due at `due`; see
        `StreamClock.go_on`."""
        member = self.members[stream]
        under_way = member.go_on(bar, due, tick)
        self._room.look_again(member)
        return under_way

    # -- composing ---------------------------------------------------------------------------------

    def step(self, now: int) -> tuple[list[ComposedBar], int]:
        """One step of the network for the streams that are most in need.

        Returns the bars that it finished and how many streams took part: none and 0 if all are
        well ahead. (A bar in which nothing more begins is finished without taking part.)
        """
        done: list[ComposedBar] = []
        taking_part = self._run(self._ready(now, done))
        for member in taking_part:
            member.steps += 1
            try:
                bar = member.composer.absorb()
                if bar is not None:
                    _finish(member, bar, done)
            except Exception as error:
                self.let_go(member.stream, error)
        return done, len(taking_part)

    def _run(self, members: list[StreamClock]) -> list[StreamClock]:
        """Have the network compute a step of these streams; those of which it did."""
        rows = [member.composer.row for member in members]
        self.computed, refused = stepped(self._room.pool, rows) if rows else (0, {})
        for member, row in zip(members, rows, strict=True) if refused else ():
            if row in refused:
                self.let_go(member.stream, refused[row])
        return [m for m in members if m.stream in self.members] if refused else members

    def let_go(self, stream: int, error: Exception) -> None:
        """A stream that cannot be composed on leaves; others are undisturbed."""
        self.failed.append(Failure(self.members[stream], error))
        self.leave(stream)

    def take_failed(self) -> list[Failure]:
        """Those that had to be let go since the last call; to be asked for after a step."""
        failed, self.failed = self.failed, []
        return failed

    @property
    def due(self) -> int:
        """When the composed music of any stream that may compose ends first; far off if none."""
        return self._room.due

    @property
    def wakes(self) -> int:
        """When there may be something to compose again after `step` found nothing."""
        return self._room.wakes

    def _ready(self, now: int, done: list[ComposedBar]) -> list[StreamClock]:
        """Who takes part in a step, their rows filled for it. Bars in which nothing more begins
        are finished on the way and put into `done`."""
        in_rows = self._room.settle(now)
        if not any(member.is_needy(self.lookahead) for member in in_rows):
            return []
        hurried = [member for member in in_rows if member.is_awaited_by(now + HURRY)]
        if 0 < len(hurried) <= MOST_HURRIED:
            return self._filled([min(hurried, key=lambda member: member.due)], done)
        beyond = self.lookahead + COMPANY
        return self._filled([m for m in in_rows if m.is_needy(beyond)], done)

    def _filled(self, members: list[StreamClock], done: list[ComposedBar]) -> list[StreamClock]:
        """Those of them that take part in a step."""
        filled: list[StreamClock] = []
        for member in members:
            try:
                if _fill(member, done):
                    filled.append(member)
            except Exception as error:
                self.let_go(member.stream, error)
        return filled


def _fill(member: StreamClock, done: list[ComposedBar]) -> bool:
    """Prepare a stream for a step, unless its bar is done without one."""
    composer = member.composer
    while not composer.is_under_way:
        was_silent = member.is_silent
        bar = composer.finished()
        if bar is None:
            break
        _finish(member, bar, done)
        if not was_silent:
            return False
    composer.prepare()
    return True


def _finish(member: StreamClock, bar: Bar, done: list[ComposedBar]) -> None:
    due = member.add(bar)
    if due is not None:
        done.append(ComposedBar(member.stream, bar, due))


def _after(composer: Composer, script: Sequence[LoggedChange]) -> Controls:
    """The controls after all changes, each of which is checked."""
    controls = composer.controls
    for change in script:
        if change.to is not None and change.to <= change.bar:
            raise PlanError(f"bar {change.bar} cannot become bar {change.to}: numbers only rise")
        controls = controls.with_values(change.set)
        setting = setting_of(controls, composer.spec, composer.table, 0.0)
        for bar, columns in change.plan.items():
            setting.asked(0, tuple(columns.items()))
            if bar < change.bar:
                raise PlanError(f"bar {bar} was planned at bar {change.bar}, when it was over")
    return controls
