"""Laws of many streams over one model."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import CapacityError, ControlError
from engine.composing.composer import Composer
from engine.controls.controls import Controls
from engine.ensemble.ensemble import COMPANY, HURRY, MOST_HURRIED, PROMISED, ComposedBar, Ensemble
from engine.ensemble.stream_clock import EXPECTED_DEMAND
from engine.music.bars import Bar
from engine.network.runtime import Network
from tests.bundles import NETWORKS, tiny
from tests.engine.sessions import as_heard, check_bars, compose, replay
from tests.fakes import TableNetwork

SECOND = 1_000_000
TABLE = TableNetwork(haste=0.8)
Model = Network | TableNetwork


def of(model: Model, **options: int) -> Ensemble:
    return Ensemble(model, **options)


def alone(
    model: Model, seed: int, stream: int, bars: int, controls: Controls | None = None
) -> list[Bar]:
    return compose(Composer(model, model.pool(1), seed, stream, controls), bars)


def settle(ensemble: Ensemble, now: int) -> list[ComposedBar]:
    """All that can be composed at a time."""
    found: list[ComposedBar] = []
    while True:
        done, count = ensemble.step(now)
        found += done
        if not (done or count):
            return found


def by_stream(composed: Iterable[ComposedBar]) -> dict[int, list[ComposedBar]]:
    found: dict[int, list[ComposedBar]] = {}
    for one in composed:
        found.setdefault(one.stream, []).append(one)
    return found


@pytest.mark.parametrize("model", [TABLE, tiny("gpt"), tiny("lstm")], ids=["table", *NETWORKS])
def test_a_stream_sounds_the_same_alone_and_among_others(model: Model) -> None:
    ensemble = of(model, rows=3)
    for stream in range(5):
        ensemble.join(stream, 10 + stream, start=stream * 100_000)
    found: list[ComposedBar] = []
    for now in range(0, 9 * SECOND, SECOND):
        found += settle(ensemble, now)
        if now == 3 * SECOND:
            ensemble.leave(1)
            ensemble.join(7, 99, start=now)
    for stream, composed in by_stream(found).items():
        seed = 99 if stream == 7 else 10 + stream
        bars = [one.bar for one in composed]
        assert bars == alone(model, seed, stream, len(bars))
        assert len(bars) > 3
    assert set(by_stream(found)) == {0, 1, 2, 3, 4, 7}


@given(
    starts=st.lists(st.integers(0, 3 * SECOND), min_size=1, max_size=5),
    times=st.lists(st.integers(0, 2 * SECOND), min_size=1, max_size=6),
    lookahead=st.integers(1, 5),
    tempo=st.sampled_from([61, 100, 240]),
)
@settings(max_examples=25)
def test_bars_are_due_one_after_the_other_and_not_too_far_ahead(
    starts: list[int], times: list[int], lookahead: int, tempo: int
) -> None:
    ensemble = of(TABLE, lookahead=lookahead)
    controls = Controls.from_dict({"tempo": tempo})
    for stream, start in enumerate(starts):
        ensemble.join(stream, stream, start, controls)
    now, found = 0, []
    for wait in times:
        now += wait
        found += settle(ensemble, now)
        for stream, composed in by_stream(found).items():
            due = starts[stream]
            for one in composed:
                assert one.due == due
                due += one.bar.metre.ticks * one.bar.microseconds_per_quarter // 24
            playing = max((one.bar.index for one in composed if one.due <= now), default=0)
            # All that may be composed is composed, and little beyond, in company alone.
            beyond = composed[-1].bar.index - playing - lookahead
            assert 0 <= beyond <= (COMPANY if len(starts) > 1 else 0)
        assert set(by_stream(found)) == set(range(len(starts)))


def test_streams_of_a_pool_compose_together_whenever_their_bars_begin() -> None:
    ensemble = of(TABLE)
    controls = Controls.from_dict({"tempo": 120})  # a bar lasts two seconds
    for stream in range(8):
        ensemble.join(stream, stream, stream * SECOND // 4, controls)
    settle(ensemble, 0)
    steps = rows = 0
    for now in range(2 * SECOND, 60 * SECOND, SECOND // 8):
        while True:
            done, count = ensemble.step(now)
            if not (done or count):
                break
            steps, rows = steps + (count > 0), rows + count
    assert rows > 8 * 0.6 * steps


def test_the_stream_whose_music_ends_first_is_served_first() -> None:
    ensemble = of(TABLE, rows=1)
    for stream, start in enumerate((9 * SECOND, 2 * SECOND, 5 * SECOND)):
        ensemble.join(stream, stream, start)
    served = []
    while True:
        members = ensemble.members
        needy = {s: m.due for s, m in members.items() if m.is_needy(ensemble.lookahead)}
        before = {stream: m.steps for stream, m in members.items()}
        done, count = ensemble.step(0)
        if not needy:
            assert (done, count) == ([], 0)
            break
        moved = {s for s, m in members.items() if m.steps > before[s]} | {c.stream for c in done}
        assert len(moved) == 1  # there is one seat
        assert needy[min(moved)] == min(needy.values())
        served.append(min(moved))
    assert served[0] == 1
    assert set(served) == {0, 1, 2}


def test_who_waits_computes_before_who_is_further_ahead() -> None:
    """With few rows for many streams, no bar is composed later than it is due."""
    ensemble = of(TABLE, rows=2, lookahead=2)
    for stream in range(9):
        ensemble.join(stream, stream, SECOND + stream * 1000, Controls.from_dict({"tempo": 120}))
    for now in range(0, 30 * SECOND, SECOND // 4):
        settle(ensemble, now)
        for member in ensemble.members.values():
            assert member.due > now
        assert sum(not m.composer.lease.is_aside for m in ensemble.members.values()) <= 2


def test_a_row_is_taken_as_soon_as_somebody_leaves() -> None:
    ensemble = of(TABLE, rows=1)
    for stream in range(3):
        ensemble.join(stream, stream, 0)
    ensemble.step(0)
    for stream in range(3):
        ensemble.leave(stream)
        done, count = ensemble.step(0)
        assert (count == 1 or len(done) == 1) == (stream < 2)
    assert ensemble.step(0) == ([], 0)


def test_one_call_of_the_network_serves_all_who_share_a_pool() -> None:
    ensemble = of(TABLE)
    composers = [ensemble.join(stream, stream, 0) for stream in range(4)]
    pool = composers[0].pool
    assert all(composer.pool is pool for composer in composers)
    _, count = ensemble.step(0)
    assert count == 4
    assert pool.calls[-1] == ("run", 0, 1, 2, 3)


def test_a_change_is_heard_at_the_first_bar_that_is_not_due_within_the_horizon() -> None:
    ensemble = of(TABLE, lookahead=4, horizon=150_000)
    start = 10 * SECOND
    ensemble.join(0, 1, start, Controls.from_dict({"tempo": 120}))  # bars of two seconds
    first = settle(ensemble, 0)
    assert [one.bar.index for one in first] == [0, 1, 2, 3, 4]
    now = start + 2 * SECOND - 150_001  # bar 1 is due just beyond the horizon
    settle(ensemble, now)
    assert ensemble.change(0, now, {"metre": "3/4"}) == 1
    again = settle(ensemble, now)
    assert again[0].bar.index == 1
    assert str(again[0].bar.metre) == "3/4"
    assert again[0].due == start + 2 * SECOND
    assert again[1].due == start + 3_500_000
    now += 1
    assert ensemble.change(0, now, {"tempo": 60}) == 2
    later = settle(ensemble, now)
    assert [(one.bar.index, one.due) for one in later[:2]] == [
        (2, start + 3_500_000),
        (3, start + 6_500_000),
    ]
    check_bars([first[0].bar, again[0].bar, *[one.bar for one in later]])


CHANGES: list[dict[str, object]] = [
    {},
    {"density": 6},
    {"metre": "3/4"},
    {"tempo": 170},
    {"chords": "I V"},
]
Moment = tuple[int, int, dict[str, object]]  # a wait, whose change, and what


@pytest.mark.parametrize("model", [TABLE, tiny("gpt"), tiny("lstm")], ids=["table", *NETWORKS])
@given(
    moments=st.lists(
        st.tuples(st.integers(0, 2_500_000), st.integers(0, 3), st.sampled_from(CHANGES)),
        min_size=1,
        max_size=6,
    ),
    rows=st.integers(1, 5),
)
@settings(max_examples=12, deadline=None)
def test_what_was_heard_can_be_replayed_however_few_rows_there_are(
    model: Model, moments: list[Moment], rows: int
) -> None:
    ensemble = of(model, lookahead=3, rows=rows)
    streams = range(4)
    for stream in streams:
        ensemble.join(stream, 5 + stream, 700_000 * stream)
    now, heard, logs = 0, {stream: {} for stream in streams}, {stream: [] for stream in streams}

    def hear() -> None:
        for stream, bar, _ in settle(ensemble, now):
            heard[stream][bar.index] = bar

    for wait, stream, change in moments:
        hear()
        now += wait
        logs[stream].append((ensemble.change(stream, now, change), change, {}))
    hear()
    for stream in streams:
        last = max(ensemble.members[stream].dues) - 1
        alone = Composer(model, model.pool(1), 5 + stream, stream)
        again = replay(alone, logs[stream], last)
        for index, bar in heard[stream].items():
            if index <= last:
                assert as_heard(again[index]) == as_heard(bar)


@pytest.mark.parametrize(
    ("changed", "early", "together"),
    [(1, 0, False), (MOST_HURRIED, 0, False), (MOST_HURRIED + 1, 0, True), (2, SECOND, True)],
)
def test_a_bar_that_a_hand_waits_for_is_composed_by_itself_unless_many_are(
    changed: int, early: int, together: bool
) -> None:
    ensemble = of(TABLE)
    controls = Controls.from_dict({"tempo": 120})  # bars of two seconds
    composers = [ensemble.join(stream, stream, 0, controls) for stream in range(12)]
    now = 2 * SECOND - HURRY + 1 - early
    settle(ensemble, now)
    for stream in range(changed):
        assert ensemble.change(stream, now, {"key": "D"}) == 1
    calls = composers[0].pool.calls
    calls.clear()
    ensemble.step(now)
    ran = next(rows for name, *rows in calls if name == "run")
    assert len(ran) >= changed if together else ran == [composers[0].row]


def test_a_bad_change_is_refused_and_the_stream_goes_on() -> None:
    ensemble = of(TABLE)
    ensemble.join(0, 1, 0)
    settle(ensemble, 0)
    with pytest.raises(ControlError, match="density"):
        ensemble.change(0, 0, {"densty": 3})
    found = settle(ensemble, 20 * SECOND)
    assert [one.bar.index for one in found] == list(range(5, 5 + len(found)))


def test_a_stream_too_many_is_refused_by_number() -> None:
    ensemble = of(TABLE, most=2)
    ensemble.join(0, 1, 0)
    with pytest.raises(CapacityError, match="stream 0 exists already"):
        ensemble.join(0, 2, 0)
    ensemble.join(1, 1, 0)
    with pytest.raises(CapacityError, match="all 2 streams are taken"):
        ensemble.join(2, 1, 0)
    ensemble.leave(0)
    ensemble.join(2, 1, 0)
    assert set(ensemble.members) == {1, 2}


def test_a_stream_that_could_not_be_kept_up_is_refused_with_the_figures() -> None:
    ensemble = of(TABLE)
    ensemble.join(0, 1, 0)
    speed = 2.5 * EXPECTED_DEMAND / PROMISED
    ensemble.measured(100, 100 / speed)
    ensemble.join(1, 1, 0)
    with pytest.raises(CapacityError, match=r"2 streams take 24 of the 30 notes a second"):
        ensemble.join(2, 1, 0)
    assert set(ensemble.members) == {0, 1}
    for _ in range(200):  # measured again, on a quieter machine
        ensemble.measured(1000, 0.1)
    ensemble.join(2, 1, 0)


def test_a_refused_stream_takes_no_place() -> None:
    ensemble = of(TABLE, most=1)
    with pytest.raises(ControlError, match="baroque"):
        ensemble.join(0, 1, 0, Controls.from_dict({"style": {"baroque": 1}}))
    assert not ensemble.members
    ensemble.join(0, 1, 0)


def test_demand_is_measured_from_what_was_composed() -> None:
    ensemble = of(TABLE, lookahead=30)
    ensemble.join(0, 1, 0)
    assert ensemble.demand == EXPECTED_DEMAND
    found = settle(ensemble, 0)
    member = ensemble.members[0]
    seconds = sum(one.bar.metre.ticks * one.bar.microseconds_per_quarter // 24 for one in found)
    assert ensemble.demand == pytest.approx(member.steps * SECOND / seconds)
    assert member.composer.pool.steps[member.composer.row, 0] == member.steps


@pytest.mark.parametrize("rows", [1, 2, 8])
def test_an_ensemble_that_runs_for_long_holds_no_more(rows: int) -> None:
    ensemble = of(TABLE, rows=rows)
    for stream in range(3):
        ensemble.join(stream, stream, 0)
    for now in range(0, 200 * SECOND, 2 * SECOND):
        settle(ensemble, now)
        for member in ensemble.members.values():
            assert len(member.dues) <= ensemble.lookahead + COMPANY + 2
            assert len(member.composer.lines) <= ensemble.lookahead + 2
