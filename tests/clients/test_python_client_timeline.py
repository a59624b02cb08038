"""What a reader of a stream is given, and when: `perpetuo_client.timeline`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from perpetuo_client.bars import Bar
from perpetuo_client.timeline import KEPT, CommittedCursor, PlannedCursor, Timeline

from tests.clients.client_bars import BAR, bar, note

LEAD = 150_000


def filled(*numbers: int) -> Timeline:
    timeline = Timeline()
    for number in numbers:
        timeline.put(bar(number))
    return timeline


def drain(cursor: CommittedCursor | PlannedCursor, now: int) -> list[Bar]:
    found = []
    while isinstance(given := cursor.next(now), Bar):
        found.append(given)
    return found


def indices(bars: list[Bar]) -> list[int]:
    return [bar.index for bar in bars]


def test_a_bar_comes_when_it_is_committed_and_not_before() -> None:
    cursor = CommittedCursor(filled(0, 1), LEAD)
    assert indices(drain(cursor, 0)) == [0]
    assert cursor.next(0) == BAR - LEAD
    assert cursor.next(BAR - LEAD - 1) == BAR - LEAD
    assert indices(drain(cursor, BAR - LEAD)) == [1]
    assert cursor.next(BAR) is None


def test_it_comes_in_its_newest_revision() -> None:
    timeline = filled(0, 1)
    timeline.put(bar(1, note(), revision=2))
    timeline.put(bar(1, revision=1))
    cursor = CommittedCursor(timeline, LEAD)
    assert [b.revision for b in drain(cursor, BAR)] == [2]


def test_a_late_joiner_begins_with_the_bar_that_sounds() -> None:
    cursor = CommittedCursor(filled(*range(20)), LEAD)
    assert indices(drain(cursor, 10 * BAR + 7)) == [10]


@given(
    arrivals=st.permutations(range(8)),
    steps=st.lists(st.integers(0, 2 * BAR), min_size=8, max_size=8),
    again=st.lists(st.integers(0, 7)),
)
def test_whatever_is_resent_a_reader_gets_no_bar_twice_and_none_out_of_order(
    arrivals: list[int], steps: list[int], again: list[int]
) -> None:
    timeline, now = Timeline(), 0
    cursor, given_bars = CommittedCursor(timeline, LEAD), []
    for arrived, step in zip(arrivals, steps, strict=True):
        timeline.put(bar(arrived))
        given_bars += drain(cursor, now)
        now += step
    for index in again:
        timeline.put(bar(index))
        given_bars += drain(cursor, now)
    seen = indices(given_bars)
    assert seen == sorted(set(seen))


@given(cut=st.integers(0, 5), until=st.integers(6, 9))
def test_after_a_cut_the_bars_that_were_missed_come_in_order_without_gap(
    cut: int, until: int
) -> None:
    timeline = filled(*range(cut + 1))
    cursor = CommittedCursor(timeline, LEAD)
    cursor.at = 0
    before = drain(cursor, cut * BAR)
    for index in range(until + 1):
        timeline.put(bar(index))
    assert indices(before + drain(cursor, until * BAR)) == list(range(until + 1))
    assert cursor.missed == 0


def test_bars_that_the_server_has_forgotten_are_counted_as_missed() -> None:
    timeline = filled(0)
    cursor = CommittedCursor(timeline, LEAD)
    drain(cursor, 0)
    timeline.put(bar(4))
    assert indices(drain(cursor, 4 * BAR)) == [4]
    assert cursor.missed == 3


def test_a_stopped_stream_gives_nothing_and_goes_on_with_the_bar_it_stopped_in() -> None:
    timeline = filled(0, 1, 2)
    cursor = CommittedCursor(timeline, LEAD)
    assert indices(drain(cursor, BAR)) == [1]
    timeline.turn("stopped", 0, "stopped by someone")
    assert timeline.stops == 1
    assert cursor.next(9 * BAR) is None
    timeline.move(1, 5 * BAR)
    timeline.turn("playing", 0, "continued by someone")
    assert cursor.next(5 * BAR) == 6 * BAR - LEAD
    again = drain(cursor, 6 * BAR)
    assert [(b.index, b.due) for b in again] == [(1, 6 * BAR)]
    assert timeline.stops == 1


@pytest.mark.parametrize("announced", [True, False])
def test_a_new_beginning_voids_the_old_bars_and_begins_with_the_new_ones(announced: bool) -> None:
    timeline = filled(0, 1, 2)
    cursor, planned = CommittedCursor(timeline, LEAD), PlannedCursor(timeline)
    drain(cursor, BAR)
    drain(planned, BAR)
    if announced:
        timeline.turn("playing", 1, "seed 7")
    timeline.put(bar(0, epoch=1, due=2 * BAR))
    timeline.put(bar(3))
    assert timeline.epoch == 1
    assert [(b.epoch, b.index) for b in drain(cursor, 2 * BAR)] == [(1, 0)]
    assert [(b.epoch, b.index) for b in drain(planned, 2 * BAR)] == [(1, 0)]


def test_planned_readers_get_every_revision_once_and_of_several_the_newest() -> None:
    timeline = filled(0, 1)
    cursor = PlannedCursor(timeline)
    assert indices(drain(cursor, 0)) == [0, 1]
    timeline.put(bar(1, revision=1))
    timeline.put(bar(1, revision=2))
    timeline.put(bar(0))
    assert [(b.index, b.revision) for b in drain(cursor, 0)] == [(1, 2)]
    timeline.move(1, 5)
    assert [(b.index, b.due) for b in drain(cursor, 0)] == [(1, BAR + 5)]


def test_memory_is_bounded_whatever_readers_do() -> None:
    timeline = Timeline()
    slow, planned = CommittedCursor(timeline, LEAD), PlannedCursor(timeline)
    for index in range(3 * KEPT):
        timeline.put(bar(index))
        drain(planned, 0)
    assert len(timeline.bars) == KEPT
    assert len(planned.given) <= 2 * KEPT + 1
    slow.at = 0
    assert drain(slow, 3 * KEPT * BAR)[0].index == 2 * KEPT
    assert slow.missed == 2 * KEPT


def test_what_is_told_anew_replaces_what_was_known_and_gives_nothing_twice() -> None:
    timeline = filled(0, 1, 2, 3)
    timeline.put(bar(3, note(), revision=4))
    cursor, planned = CommittedCursor(timeline, LEAD), PlannedCursor(timeline)
    assert indices(drain(cursor, BAR) + drain(planned, BAR)) == [1, 0, 1, 2, 3]
    timeline.expect_all("playing", 0)
    for index in (1, 2, 3):
        timeline.put(bar(index))
    assert [(b.index, b.revision) for b in drain(cursor, 3 * BAR)] == [(2, 0), (3, 0)]
    assert [(b.index, b.revision) for b in drain(planned, 3 * BAR)] == [(3, 0)]


@pytest.mark.parametrize("epoch", [3, 0])
def test_a_server_that_was_started_again_from_its_beginning_is_followed(epoch: int) -> None:
    timeline = Timeline()
    timeline.turn("playing", epoch, "")
    for index in range(90, 95):
        timeline.put(bar(index, epoch=epoch))
    cursor = CommittedCursor(timeline, LEAD)
    drain(cursor, 94 * BAR)
    timeline.expect_all("playing", 0)
    for index in range(4):
        timeline.put(bar(index))
    assert indices(drain(cursor, 2 * BAR)) == [2]
