"""Bars, notes, the clock: plain values of the Python client."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from perpetuo_client.bars import Pedal, bar_from
from perpetuo_client.clock import DRIFT, ClockSample, ServerClock
from perpetuo_client.errors import ProtocolError

from tests.clients.client_bars import bar, note, plain


def test_a_bar_is_read_from_its_json_and_unknown_fields_are_passed_over() -> None:
    sent = bar(3, note(60, tie=1), note(64, shift=-300), late=True, pedals=(Pedal(1, 5, 91),))
    read = bar_from(plain(sent) | {"colour": "blue"}, due=sent.due, epoch=0)
    assert read == sent
    assert (read.length, read.end, read.bpm) == (2_000_000, 8_000_000, 120)
    assert read.span_of(read.pedals[0]) == (read.due + 5 * 500_000 // 24, read.end)
    assert (read.notes[0].goes_on, read.notes[0].goes_on_from_before) == (True, False)


def test_a_server_of_before_pedals_sends_none() -> None:
    told = plain(bar(3))
    del told["pedals"]
    assert bar_from(told, due=6_000_000, epoch=0) == bar(3)


@pytest.mark.parametrize(
    "broken",
    [{"index": None}, {"notes": [[1, 2]]}, {"tempo": "fast"}, {"notes": 7}, {"pedals": [[1]]}],
)
def test_a_bar_that_cannot_be_read_is_an_error_of_the_protocol(broken: dict[str, object]) -> None:
    with pytest.raises(ProtocolError, match="cannot be read"):
        bar_from(plain(bar()) | broken, due=0, epoch=0)


@given(
    ahead=st.integers(-(10**12), 10**12),
    trips=st.lists(st.tuples(st.integers(0, 90_000), st.integers(0, 90_000)), min_size=1),
)
def test_the_clock_is_never_wronger_than_its_least_round_trip_allows(
    ahead: int, trips: list[tuple[int, int]]
) -> None:
    clock, now = ServerClock(), 0
    for there, back in trips:
        clock.add(ClockSample(now, now + there + ahead, now + there + back))
        now += there + back + 1000
    passed = DRIFT * now
    least = min(there + back for there, back in trips[-64:])
    assert abs(clock.offset - ahead) <= least / 2 + passed + 1
    assert clock.to_local(clock.to_server(12345)) == 12345


def test_an_old_ping_gives_way_when_clocks_could_have_drifted_apart() -> None:
    clock = ServerClock()
    assert not clock.is_set
    clock.add(ClockSample(0, 1000, 100))
    clock.add(ClockSample(1_000_000, 1_001_000, 1_000_400))
    assert clock.round_trip == 100
    clock.add(ClockSample(10_000_000, 10_001_000, 10_000_400))
    assert clock.round_trip == 400


def test_a_ping_that_contradicts_the_others_tells_of_another_server() -> None:
    clock = ServerClock()
    clock.add(ClockSample(0, 1000, 10))
    clock.add(ClockSample(20, 5_000_000, 900))
    assert clock.offset == 5_000_000 - 460
