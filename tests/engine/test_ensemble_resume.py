"""A stream taken up again in an ensemble goes on as if it had never stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import CapacityError, ControlError, PlanError, SnapshotError
from engine.composing.composer import Composer
from engine.composing.snapshot import restore, save
from engine.ensemble.ensemble import PROMISED, Ensemble
from engine.ensemble.stream_clock import EXPECTED_DEMAND, SECOND
from engine.files.control_log import LoggedChange
from engine.music.bars import Bar
from engine.network.runtime import Network, Pool
from tests.bundles import NETWORKS, tiny
from tests.engine.sessions import CHANGES, as_heard
from tests.fakes import TableNetwork

TABLE = TableNetwork(haste=0.8)
STEP = SECOND // 2


@dataclass
class Listener:
    """Runs one stream in an ensemble and holds what was heard of it last, and when."""

    ensemble: Ensemble
    now: int = 0
    bars: dict[int, Bar] = field(default_factory=dict)
    dues: dict[int, int] = field(default_factory=dict)
    log: list[LoggedChange] = field(default_factory=list)

    def run(self, until: int, calls: int = 1 << 30) -> None:
        """Compose up to a time; after so many steps break off, in the middle of a bar."""
        while self.now < until:
            while calls:
                done, count = self.ensemble.step(self.now)
                for stream, bar, due in done:
                    if stream == 0:
                        assert bar.revision > self.revisions.get(bar.index, -1)
                        self.bars[bar.index], self.dues[bar.index] = bar, due
                if not (done or count):
                    break
                calls -= 1
            self.now += STEP

    def change(self, values: dict[str, Any], ahead: int = 0) -> None:
        member = self.ensemble.members[0]
        member.pass_time(self.now, self.ensemble.horizon)
        plan = {member.composer.first_open + ahead: {"chord": 5}} if ahead else {}
        bar = self.ensemble.change(0, self.now, values, plan)
        self.log.append(LoggedChange(bar, values, plan))

    @property
    def revisions(self) -> dict[int, int]:
        return {index: bar.revision for index, bar in self.bars.items()}

    @property
    def playing(self) -> int:
        return max((index for index, due in self.dues.items() if due <= self.now), default=0)


def taking_up(data: bytes, network: Network | TableNetwork) -> Callable[[Pool], Composer]:
    return lambda pool: restore(data, network, pool)


STEERING = st.lists(
    st.tuples(st.integers(1, 6), st.sampled_from(CHANGES), st.integers(0, 2)), max_size=3
)


@pytest.mark.parametrize("kind", NETWORKS)
@given(before=STEERING, after=STEERING, broken=st.integers(0, 60), lookahead=st.integers(1, 4))
@settings(max_examples=15)
def test_it_goes_on_identically_under_changes_before_and_after_the_snapshot(
    kind: str, before: Any, after: Any, broken: int, lookahead: int
) -> None:
    network = tiny(kind)
    first = Listener(Ensemble(network, lookahead=lookahead, rows=2))
    first.ensemble.join(0, 11, 0)
    first.ensemble.join(1, 12, 300_000)
    for steps, values, ahead in before:
        first.run(first.now + steps * STEP)
        first.change(values, ahead)
    first.run(first.now + 4 * STEP, calls=30 + broken)
    composer = first.ensemble.members[0].composer
    if composer.first_open > composer.next_bar:
        return
    data, opening = save(composer), composer.first_open
    for steps, values, ahead in after:
        first.run(first.now + steps * STEP, calls=200)
        first.change(values, ahead)
    first.run(first.now + STEP, calls=broken)

    # The process dies here. The uninterrupted stream goes on for comparison.
    bar = max(first.playing + 1, opening)
    second = Listener(Ensemble(network, lookahead=lookahead, rows=2), now=first.now)
    second.bars = {index: kept for index, kept in first.bars.items() if index >= bar}
    due = first.ensemble.members[0].dues.get(bar)
    first.run(first.now + 20 * SECOND)
    due = first.dues[bar] if due is None else due
    second.ensemble.join(1, 12, 300_000)
    controls = second.ensemble.resume(
        0,
        taking_up(data, network),
        bar,
        due,
        [change for change in first.log if change.bar >= opening],
        second.revisions,
    )
    assert controls == first.ensemble.members[0].composer.controls
    second.run(first.now)
    assert not second.ensemble.members[0].is_catching_up
    assert min(second.dues) == bar
    shared = second.dues.keys() & first.bars.keys()  # one may be a bar ahead of the other
    assert shared
    for index in shared:
        assert as_heard(second.bars[index]) == as_heard(first.bars[index])
        assert second.dues[index] == first.dues[index]
    assert max(second.dues) >= max(index for index, at in first.dues.items() if at <= first.now)


def test_without_a_snapshot_it_begins_anew_and_comes_to_the_same_bar() -> None:
    first = Listener(Ensemble(TABLE))
    first.ensemble.join(7, 1, 0)
    first.ensemble.join(0, 5, 0, number=3)
    first.run(3 * SECOND)
    first.change({"density": 6, "tempo": 90})
    first.run(30 * SECOND)
    second = Listener(Ensemble(TABLE), now=first.now)
    bar = first.playing + 1
    second.ensemble.resume(
        0, lambda pool: Composer(TABLE, pool, 5, 3), bar, first.dues[bar], first.log
    )
    first.run(60 * SECOND)
    second.run(60 * SECOND)
    assert {i: as_heard(b) for i, b in second.bars.items()} == {
        i: as_heard(b) for i, b in first.bars.items() if i >= bar
    }


def test_silent_bars_are_not_handed_out_and_come_before_all_else() -> None:
    ensemble = Ensemble(TABLE, lookahead=2)
    ensemble.join(1, 1, 10 * SECOND)
    ensemble.resume(0, lambda pool: Composer(TABLE, pool, 5), 9, 4 * SECOND)
    member = ensemble.members[0]
    seen = []
    while ensemble.step(0)[1]:
        seen.append((member.composer.next_bar, member.is_catching_up, member.due))
    assert {due for bar, _, due in seen if bar <= 9} == {4 * SECOND}
    assert all(catching == (bar < 9) for bar, catching, _ in seen)
    assert seen[-1][0] == 12
    assert ensemble.change(0, 0) == 9


def test_a_stream_that_was_carried_before_is_not_refused_for_speed_but_for_number() -> None:
    ensemble = Ensemble(TABLE, most=2)
    ensemble.measured(10, 1.0)
    with pytest.raises(CapacityError, match=f"of the {10 * PROMISED:.0f} notes"):
        ensemble.join(0, 1, 0)
    for stream in (0, 1):
        ensemble.resume(stream, lambda pool: Composer(TABLE, pool, 5), 1, 0)
    with pytest.raises(CapacityError, match="all 2 streams are taken"):
        ensemble.resume(2, lambda pool: Composer(TABLE, pool, 5), 1, 0)


def test_other_work_takes_its_share_of_what_may_be_promised() -> None:
    ensemble = Ensemble(TABLE)
    ensemble.measured(100, 1.0)
    free = PROMISED - EXPECTED_DEMAND / 100
    ensemble.elsewhere = free + 0.01
    with pytest.raises(CapacityError):
        ensemble.join(0, 1, 0)
    ensemble.elsewhere = free - 0.01
    ensemble.join(0, 1, 0)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (LoggedChange(3, {"densty": 1}), ControlError),
        (LoggedChange(3, {"style": {"baroque": 1}}), ControlError),
        (LoggedChange(3, {}, {4: {"chord": 9999}}), PlanError),
        (LoggedChange(3, {}, {2: {"chord": 5}}), PlanError),
    ],
)
def test_a_log_that_cannot_be_followed_is_refused_and_takes_no_row(
    change: LoggedChange, error: type[Exception]
) -> None:
    network = tiny("lstm")
    ensemble = Ensemble(network, rows=1)
    with pytest.raises(error):
        ensemble.resume(0, lambda pool: Composer(network, pool, 5), 6, 0, [change])
    with pytest.raises(SnapshotError):
        ensemble.resume(0, taking_up(b"nothing", network), 6, 0)
    assert not ensemble.members
    pool = ensemble.join(0, 1, 0).pool
    assert pool.has_place  # one row more than there are streams, for whoever comes next
    pool.acquire()
    assert not pool.has_place


@given(later=st.integers(-SECOND, 600 * SECOND), bar=st.integers(0, 6), at=st.integers(1, 6))
@settings(max_examples=30)
def test_a_shift_moves_when_bars_are_due_and_nothing_else(later: int, bar: int, at: int) -> None:
    moved, still = (Listener(Ensemble(TABLE, lookahead=3)) for _ in range(2))
    for listener in (moved, still):
        listener.ensemble.join(0, 4, SECOND)
        listener.run(at * STEP)
    member = moved.ensemble.members[0]
    before, edge = dict(member.dues), min(bar, member.composer.next_bar)
    moved.ensemble.shift(0, bar, later)
    assert member.dues == {i: due + later * (i >= edge) for i, due in before.items()}
    # From there on one bar follows the other as ever.
    moved.now += max(later, 0)
    for listener in (moved, still):
        listener.run(listener.now + 12 * SECOND)
    new = [i for i in moved.dues if i >= max(before)]
    assert new
    for index in new:
        length = moved.dues[index] - moved.dues.get(index - 1, 0)
        if index > max(before):
            if index in still.dues:  # else it has not come so far
                assert length == still.dues[index] - still.dues[index - 1]
        else:
            assert moved.dues[index] == before[index] + later
    shared = moved.bars.keys() & still.bars.keys()
    assert all(moved.bars[index] == still.bars[index] for index in shared)


def test_the_ensemble_tells_when_it_has_work_again() -> None:
    ensemble = Ensemble(TABLE, lookahead=2)
    assert ensemble.wakes > 1 << 60
    ensemble.join(0, 1, SECOND)
    for _ in range(30):
        now = ensemble.wakes
        while any(ensemble.step(now)):
            pass
        # Nothing before, something then.
        assert ensemble.step(ensemble.wakes - 1) == ([], 0)
        assert now < ensemble.wakes < 1 << 60
    assert ensemble.members[0].composer.next_bar > 10


def test_when_the_bar_after_the_one_under_way_is_due_is_known() -> None:
    ensemble = Ensemble(TABLE, lookahead=2)
    ensemble.join(0, 1, SECOND)
    member = ensemble.members[0]
    while ensemble.step(0)[1]:
        expected = ensemble.due_of(0, member.composer.next_bar + 1)
        before = member.composer.next_bar
    while not ensemble.step(20 * SECOND)[0]:
        pass
    assert before == member.composer.next_bar - 1
    assert member.due == expected
