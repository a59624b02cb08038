"""What is played and when: every note ends once, nothing is struck twice, every pedal comes up, the
clock is exact."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import floor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.base.wire import WireBar
from server.playing.outputs import (
    BarBegin,
    ClockStart,
    ClockStop,
    ClockTick,
    Event,
    NoteOff,
    NoteOn,
    Program,
    Sustain,
)
from server.playing.schedule import MAX_EARLY, PREPARED, SHORTEST, STALE, Schedule, TimedEvent
from tests.server.bars import bar, streams

BEGIN = 1_000_000
BAR = 1_920_000  # of `bar`, in microseconds
TICK = BAR // 96


HAPPENINGS = ("play", "hang", "stop", "go", "move", "restart", "panic", "now")


def offer(schedule: Schedule, bars: Iterable[WireBar], begin: int = BEGIN) -> int:
    """Plan bars in a row; returns when the last one ends."""
    for planned in bars:
        schedule.offer(planned.index, planned.revision, begin, planned)
        begin += planned.length
    return begin


def play(schedule: Schedule, until: int = 1 << 50, begin: int = 0) -> list[TimedEvent]:
    """Everything up to a time, asked for exactly when it is due."""
    events = schedule.due_events(begin)
    while (due := schedule.next_due()) is not None and due <= until:
        events += schedule.due_events(due)
    return events


def played(bars: Iterable[WireBar], **options: Any) -> list[TimedEvent]:
    schedule = Schedule(**options)
    offer(schedule, bars)
    return play(schedule)


def notes(events: Iterable[TimedEvent]) -> list[tuple[str, int, int]]:
    """("on" or "off", pitch, ticks since the beginning) for bars of `TEMPO`."""
    found = []
    for due, event in events:
        if isinstance(event, NoteOn | NoteOff):
            name = "on" if isinstance(event, NoteOn) else "off"
            found.append((name, event.pitch, (due - BEGIN) // TICK))
    return found


def check_notes(events: Sequence[Event]) -> None:
    """Every note is ended once before it is struck again, and at the end nothing sounds."""
    sounding: set[tuple[int, int]] = set()
    for event in events:
        if isinstance(event, NoteOn):
            assert (event.part, event.pitch) not in sounding
            sounding.add((event.part, event.pitch))
        elif isinstance(event, NoteOff):
            sounding.remove((event.part, event.pitch))
    assert not sounding


def check_pedals(events: Sequence[Event]) -> None:
    """Every pedal that goes down comes up once before it goes down again, and at the end all are
    up."""
    pressed: set[int] = set()
    for event in events:
        if isinstance(event, Sustain) and event.down:
            assert event.part not in pressed
            pressed.add(event.part)
        elif isinstance(event, Sustain):
            pressed.remove(event.part)
    assert not pressed


def pedals(events: Iterable[TimedEvent]) -> list[tuple[int, bool, int]]:
    """(part, whether it goes down, ticks since the beginning) for bars of `TEMPO`."""
    return [
        (event.part, event.down, (due - BEGIN) // TICK)
        for due, event in events
        if isinstance(event, Sustain)
    ]


def check_clock(events: Sequence[Event]) -> None:
    """Ticks come only between start and stop, and count on from where it was started."""
    position: int | None = None
    for event in events:
        if isinstance(event, ClockStart):
            assert position is None
            assert event.position % 6 == 0
            position = event.position
        elif isinstance(event, ClockStop):
            assert position is not None
            position = None
        elif isinstance(event, ClockTick):
            assert event.position == position
            position += 1


# -- laws ------------------------------------------------------------------------------------------


@given(streams())
def test_bars_in_a_row_strike_what_is_written_and_end_all(bars: list[WireBar]) -> None:
    events = played(bars, wants_clock=True)
    assert [due for due, _ in events] == sorted(due for due, _ in events)
    check_notes([event for _, event in events])
    check_pedals([event for _, event in events])
    check_clock([event for _, event in events])
    ticks = [event.position for _, event in events if isinstance(event, ClockTick)]
    assert ticks == list(range(sum(planned.ticks for planned in bars)))
    lines = [(due, event.index) for due, event in events if isinstance(event, BarBegin)]
    begins = [BEGIN + sum(b.length for b in bars[:i]) for i in range(len(bars))]
    assert lines == [(begin, b.index) for begin, b in zip(begins, bars, strict=True)]


@given(streams(), st.data())
def test_whatever_happens_notes_end_once_and_pedals_come_up(
    bars: list[WireBar], data: st.DataObject
) -> None:
    schedule = Schedule(wants_clock=True)
    events: list[TimedEvent] = []
    now = dues = BEGIN - 100_000
    revision = 0
    for planned in bars:
        for _ in range(data.draw(st.integers(0, 3))):
            match data.draw(st.sampled_from(HAPPENINGS)):
                case "play":
                    until = now + data.draw(st.integers(0, 4_000_000))
                    events += play(schedule, until, now)
                    now = until
                case "hang":
                    now += data.draw(st.integers(0, 4_000_000))
                    events += schedule.due_events(now)
                case "stop":
                    events += schedule.stop(now)
                case "go":
                    schedule.go_on()
                case "move":
                    schedule.move(data.draw(st.integers(0, 8)), data.draw(st.integers(-9, 2**20)))
                case "restart":
                    schedule.restart(now)
                case "panic":
                    events += schedule.silence(now)
                case "now":
                    length = data.draw(st.integers(1, 10**6))
                    events += schedule.send_now(NoteOn(1, 60, 9, length), now)
        dues = max(dues, now - data.draw(st.integers(0, 300_000))) + planned.length
        revision += data.draw(st.integers(-1, 1))
        schedule.offer(planned.index, revision, dues, planned)
    schedule.go_on()
    events += play(schedule, begin=now)
    events += schedule.stop(now)
    check_notes([event for _, event in events])
    check_pedals([event for _, event in events])
    check_clock([event for _, event in events])


@given(streams(), st.lists(st.integers(0, 3_000_000), max_size=20))
def test_it_does_not_matter_when_one_asks(bars: list[WireBar], steps: list[int]) -> None:
    """As long as one asks in time for nothing to be stale."""
    schedule = Schedule(wants_clock=True)
    offer(schedule, bars)
    events, now = schedule.due_events(0), BEGIN - 2 * MAX_EARLY
    for step in steps:
        now += min(step, STALE)
        events += schedule.due_events(now)
    assert events + play(schedule) == played(bars, wants_clock=True)


@given(streams())
def test_clock_ticks_lie_evenly_between_the_bar_lines(bars: list[WireBar]) -> None:
    events = played(bars, wants_clock=True)
    begin = BEGIN
    dues = iter(due for due, event in events if isinstance(event, ClockTick))
    for planned in bars:
        for tick in range(planned.ticks):
            assert next(dues) == floor(begin + Fraction(tick * planned.tempo, 24))
        begin += planned.length


# -- notes -----------------------------------------------------------------------------------------


def test_a_note_beyond_the_bar_ends_at_its_tick_under_the_next_tempo() -> None:
    events = played([bar(0, [(1, 60, 90, 18)]), bar(1, [(1, 64, 0, 6)], tempo=1_000_000)])
    ends = {event.pitch: due for due, event in events if isinstance(event, NoteOff)}
    assert ends[60] == BEGIN + BAR + 12 * 1_000_000 // 24


def test_a_tied_note_sounds_through_and_tells_how_long() -> None:
    pieces = [
        bar(0, [(1, 60, 48, 48, 0, 1)]),
        bar(1, [(1, 60, 0, 96, 0, 3)]),
        bar(2, [(1, 60, 0, 24, 0, 2)]),
    ]
    events = played(pieces)
    assert notes(events) == [("on", 60, 48), ("off", 60, 216)]
    on = next(event for _, event in events if isinstance(event, NoteOn))
    assert on.length == (216 - 48) * TICK


def test_a_tied_note_that_nobody_continues_ends_on_the_bar_line() -> None:
    events = played([bar(0, [(1, 60, 48, 48, 0, 1)]), bar(1, [(1, 64, 0, 24)])])
    assert notes(events)[1:3] == [("off", 60, 96), ("on", 64, 96)]


def test_a_tie_from_nowhere_is_struck() -> None:
    assert notes(played([bar(0, [(1, 60, 0, 24, 0, 2)])])) == [("on", 60, 0), ("off", 60, 24)]


def test_a_pitch_struck_while_it_sounds_is_ended_before() -> None:
    events = notes(played([bar(0, [(1, 60, 0, 48), (1, 60, 24, 48)])]))
    assert events == [("on", 60, 0), ("off", 60, 24), ("on", 60, 24), ("off", 60, 72)]


def test_at_one_instant_what_ends_comes_before_what_begins() -> None:
    events = played(
        [bar(0, [(1, 60, 0, 96)]), bar(1, [(1, 60, 0, 24)], programs=(5,) * 8)], wants_clock=True
    )
    at_line = [type(event) for due, event in events if due == BEGIN + BAR]
    assert at_line == [NoteOff, *[Program] * 8, ClockTick, BarBegin, NoteOn]


def test_shifts_move_notes_even_before_the_bar_line() -> None:
    schedule = Schedule()
    offer(schedule, [bar(0, [(1, 60, 0, 24, -30_000), (1, 64, 24, 24, 20_000)])])
    assert schedule.next_due() == BEGIN - 30_000 - PREPARED
    ons = [due for due, event in play(schedule) if isinstance(event, NoteOn)]
    assert ons == [BEGIN - 30_000, BEGIN + 24 * TICK + 20_000]


def test_the_shortest_note_still_sounds() -> None:
    events = played([bar(0, [(1, 60, 0, 1)], tempo=2_400)])
    dues = [due for due, event in events if isinstance(event, NoteOn | NoteOff)]
    assert dues == [BEGIN, BEGIN + SHORTEST]


# -- programs --------------------------------------------------------------------------------------


def test_programs_are_sent_at_the_start_and_where_they_change() -> None:
    changed = (0, 0, 40, 0, 0, 0, 0, 0)
    events = played([bar(0), bar(1), bar(2, programs=changed), bar(3, programs=changed)])
    found = [(due, event) for due, event in events if isinstance(event, Program)]
    assert found[:8] == [(BEGIN, Program(part, 0)) for part in range(1, 9)]
    assert found[8:] == [(BEGIN + 2 * BAR, Program(3, 40))]


# -- bars that are revised, late, missing ----------------------------------------------------------


def test_a_revision_replaces_what_has_not_begun_and_nothing_else() -> None:
    schedule = Schedule()
    offer(schedule, [bar(0, [(1, 60, 0, 24)]), bar(1, [(1, 62, 0, 24)])])
    assert schedule.offer(1, 1, BEGIN + BAR, bar(1, [(1, 64, 0, 24)]))
    assert not schedule.offer(1, 0, BEGIN + BAR, bar(1, [(1, 65, 0, 24)]))
    events = play(schedule, BEGIN)
    assert not schedule.offer(0, 1, BEGIN, bar(0, [(1, 66, 0, 24)]))
    events += play(schedule)
    assert [pitch for name, pitch, _ in notes(events) if name == "on"] == [60, 64]
    assert schedule.ignored == 2


def test_what_is_late_is_left_out_and_never_a_burst() -> None:
    schedule = Schedule(wants_clock=True)
    offer(schedule, [bar(0, [(1, 60 + i, 6 * i, 6) for i in range(16)])])
    now = BEGIN + BAR // 2
    burst = schedule.due_events(now)
    ons = [due for due, event in burst if isinstance(event, NoteOn | ClockTick)]
    assert ons
    assert min(ons) >= now - STALE
    assert schedule.missed > 0
    rest = play(schedule)
    check_notes([event for _, event in burst + rest])
    check_clock([event for _, event in burst + rest])
    assert [e.pitch for _, e in burst + rest if isinstance(e, NoteOn)][-1] == 75


def test_a_bar_that_is_all_past_is_not_played() -> None:
    schedule = Schedule()
    offer(schedule, [bar(0, [(1, 60, 0, 24)])])
    assert notes(schedule.due_events(BEGIN + BAR + STALE)) == []
    assert schedule.missed == 1


def test_where_the_plan_ends_everything_ends_and_later_it_starts_again() -> None:
    schedule = Schedule(wants_clock=True)
    end = offer(schedule, [bar(0, [(1, 60, 48, 96)])])
    assert play(schedule)[-2:] == [TimedEvent(end, NoteOff(1, 60)), TimedEvent(end, ClockStop())]
    schedule.offer(1, 0, end + BAR, bar(1))
    events = play(schedule)
    assert TimedEvent(end + BAR, ClockStart(96)) in events


# -- transport -------------------------------------------------------------------------------------


def test_a_stop_ends_all_and_the_stopped_bar_comes_again() -> None:
    schedule = Schedule(wants_clock=True)
    offer(schedule, [bar(0, [(1, 60, 0, 96)]), bar(1, [(1, 64, 0, 24)])])
    now = BEGIN + BAR // 2
    play(schedule, now)
    assert schedule.stop(now) == [TimedEvent(now, NoteOff(1, 60)), TimedEvent(now, ClockStop())]
    assert schedule.next_due() is None
    schedule.move(0, 10 * BAR)
    schedule.go_on()
    events = play(schedule)
    assert notes(events)[:1] == [("on", 60, 960)]
    begin = BEGIN + 10 * BAR
    assert [e for e in events if isinstance(e.event, ClockStart)] == [
        TimedEvent(begin, ClockStart(0))
    ]
    assert sum(isinstance(event, Program) for _, event in events) == 8


@pytest.mark.parametrize("moved_first", [True, False])
def test_going_on_in_the_middle_starts_the_clock_there(moved_first: bool) -> None:
    schedule = Schedule(wants_clock=True)
    offer(schedule, [bar(0), bar(1), bar(2)])
    now = BEGIN + BAR + BAR // 2
    play(schedule, now)
    schedule.stop(now)
    if moved_first:
        schedule.move(1, 5 * BAR)
    schedule.go_on()
    if not moved_first:
        schedule.move(1, 5 * BAR)
    events = play(schedule)
    starts = [e for e in events if isinstance(e.event, ClockStart)]
    assert starts == [TimedEvent(BEGIN + 6 * BAR, ClockStart(96))]
    assert [e.index for _, e in events if isinstance(e, BarBegin)] == [1, 2]


def test_beginning_anew_lets_the_bar_end_and_voids_the_others() -> None:
    schedule = Schedule(wants_clock=True)
    offer(schedule, [bar(0, [(1, 60, 0, 96, 0, 1)]), bar(1, [(1, 60, 0, 96, 0, 2)])])
    now = BEGIN + BAR // 2
    events = play(schedule, now)
    schedule.restart(now)
    end = BEGIN + BAR
    schedule.offer(0, 0, end, bar(0, [(1, 72, 0, 24)]))
    events += play(schedule)
    assert notes(events) == [("on", 60, 0), ("off", 60, 96), ("on", 72, 96), ("off", 72, 120)]
    clock = [e for e in events if isinstance(e.event, ClockStart | ClockStop)]
    assert clock == [
        TimedEvent(BEGIN, ClockStart(0)),
        TimedEvent(end, ClockStop()),
        TimedEvent(end, ClockStart(0)),
        TimedEvent(end + BAR, ClockStop()),
    ]


def test_a_bar_that_is_prepared_but_not_begun_is_void_as_well() -> None:
    schedule = Schedule(wants_clock=True)
    tied = [bar(0, [(1, 60, 90, 6, 0, 1)]), bar(1, [(1, 60, 0, 96, 0, 2), (1, 64, 0, 24)])]
    end = offer(schedule, tied) - BAR
    events = play(schedule, end - 1)
    schedule.restart(end - 1)
    schedule.offer(0, 0, end, bar(0, [(1, 72, 0, 24)]))
    events += play(schedule, begin=end - 1)
    assert notes(events) == [("on", 60, 90), ("off", 60, 96), ("on", 72, 96), ("off", 72, 120)]
    assert len([e for e in events if isinstance(e.event, BarBegin)]) == 2
    check_clock([event for _, event in events])


def test_after_a_panic_the_music_goes_on() -> None:
    schedule = Schedule()
    offer(schedule, [bar(0, [(1, 60, 0, 96), (1, 64, 48, 24)])])
    play(schedule, BEGIN)
    assert schedule.silence(BEGIN + 1) == [TimedEvent(BEGIN + 1, NoteOff(1, 60))]
    assert notes(play(schedule)) == [("on", 64, 48), ("off", 64, 72)]


# -- pedals ----------------------------------------------------------------------------------------

PEDALLED = bar(0, [(1, 60, 0, 12)], pedals=[(1, 5, 43), (2, 5, 91), (1, 53, 43)])


def test_a_pedal_is_down_from_its_tick_to_its_end_and_up_before_the_next_bar() -> None:
    assert pedals(played([PEDALLED, bar(1, [(1, 64, 0, 12)])])) == [
        *((1, True, 5), (2, True, 5), (1, False, 48), (1, True, 53)),
        *((2, False, 96), (1, False, 96)),
    ]
    events = played([PEDALLED, bar(1, [(1, 64, 0, 12)])])
    line = [event for due, event in events if due == BEGIN + BAR]
    assert line[:2] == [Sustain(2, down=False), Sustain(1, down=False)]
    assert isinstance(line[-1], NoteOn)


@pytest.mark.parametrize("end", ["stop", "silence"])
def test_what_ends_the_music_lifts_the_pedals_and_their_end_is_not_told_again(end: str) -> None:
    schedule = Schedule()
    offer(schedule, [PEDALLED])
    events = play(schedule, BEGIN + 20 * TICK)
    ended = getattr(schedule, end)(BEGIN + 20 * TICK)
    assert pedals(ended) == [(1, False, 20), (2, False, 20)]
    later = pedals(play(schedule, begin=BEGIN + 20 * TICK))
    assert later == ([] if end == "stop" else [(1, True, 53), (1, False, 96)])
    check_pedals([event for _, event in events + ended])


def test_a_bar_that_is_void_before_it_begins_presses_nothing() -> None:
    schedule = Schedule()
    offer(schedule, [PEDALLED])
    events = play(schedule, BEGIN - PREPARED)
    schedule.restart(BEGIN - PREPARED)
    assert pedals(events + play(schedule, begin=BEGIN - PREPARED)) == []


def test_a_pedal_that_is_late_is_left_out_with_its_end() -> None:
    schedule = Schedule()
    offer(schedule, [PEDALLED])
    events = schedule.due_events(BEGIN + 5 * TICK + STALE + 1)
    assert pedals(events) == []
    assert pedals(play(schedule, begin=BEGIN + 5 * TICK + STALE + 1)) == [
        (1, True, 53),
        (1, False, 96),
    ]
