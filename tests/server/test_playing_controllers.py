"""Level, place, attack and reverb of parts on their way to the outputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from server.midi.messages import Message, messages
from server.midi.settings import PortSettings
from server.playing.outputs import Controller, NoteOn, Program
from server.playing.schedule import Schedule, TimedEvent
from tests.server.bars import bar

BEGIN, BAR = 1_000_000, 1_920_000
LOUDER, LEFT = (1, 7, 110), (2, 10, 32)
NOTE = (1, 60, 0, 24)
Turned = tuple[int, int, int]

turned = st.dictionaries(
    st.tuples(st.integers(1, 8), st.sampled_from([7, 10, 73, 91])), st.integers(0, 127), max_size=4
).map(lambda rows: [(*key, value) for key, value in sorted(rows.items())])


def offered(schedule: Schedule, bars: Sequence[Iterable[Turned]], first: int = 0) -> None:
    for index, controllers in enumerate(bars, first):
        music = bar(index, [NOTE], controllers=controllers)
        schedule.offer(index, 0, BEGIN + index * BAR, music)


def played(schedule: Schedule, bars: Sequence[Iterable[Turned]]) -> list[TimedEvent]:
    offered(schedule, bars)
    return schedule.due_events(1 << 50) if not bars else stepped(schedule, len(bars))


def stepped(schedule: Schedule, bars: int) -> list[TimedEvent]:
    found: list[TimedEvent] = []
    for time in range(BEGIN - BAR, BEGIN + (bars + 1) * BAR, BAR // 8):
        found += schedule.due_events(time)
    return found


def sent(events: Iterable[TimedEvent]) -> list[tuple[int, Message]]:
    """Bytes with their time, of controllers alone."""
    channel_of = PortSettings().channel_of
    return [
        (due, message)
        for due, event in events
        if isinstance(event, Controller)
        for message in messages(event, channel_of)
    ]


def test_they_are_sent_at_the_start_and_where_they_change() -> None:
    events = played(Schedule(), [[LOUDER, LEFT], [LOUDER, LEFT], [LOUDER], []])
    assert sent(events) == [
        (BEGIN, (0xB0, 7, 110)),
        (BEGIN, (0xB1, 10, 32)),
        (BEGIN + 2 * BAR, (0xB1, 10, 64)),
        (BEGIN + 3 * BAR, (0xB0, 7, 100)),
    ]


def test_they_follow_the_programs_and_precede_the_notes() -> None:
    kinds = [type(event) for _, event in played(Schedule(), [[LOUDER]])]
    first = [kind for kind in kinds if kind in (Program, Controller, NoteOn)]
    assert first == [*[Program] * 8, Controller, NoteOn]


def test_none_are_sent_where_none_are_asked_for() -> None:
    assert sent(played(Schedule(), [[], [], []])) == []


def test_after_a_stop_all_are_sent_again_even_what_is_usual_now() -> None:
    schedule = Schedule()
    played(schedule, [[LOUDER, LEFT]])
    schedule.stop(BEGIN + BAR)
    schedule.go_on()
    offered(schedule, [[LOUDER]], first=1)
    assert [message for _, message in sent(stepped(schedule, 2))] == [
        (0xB0, 7, 110),
        (0xB1, 10, 64),
    ]


@given(st.lists(turned, min_size=1, max_size=6))
def test_what_was_sent_last_is_what_the_bar_asks_for(bars: list[list[Turned]]) -> None:
    usual = {7: 100, 10: 64, 73: 64, 91: 40}
    state: dict[tuple[int, int], int] = {}
    schedule = Schedule()
    for index, asked in enumerate(bars):
        offered(schedule, [asked], first=index)
        for _, (status, number, value) in sent(schedule.due_events(BEGIN + index * BAR)):
            assert state.get((status, number)) != value or value == usual[number]
            state[status, number] = value
        wanted = {(0xB0 | (9 if p == 8 else p - 1), n): value for p, n, value in asked}
        assert state == {key: wanted.get(key, usual[key[1]]) for key in state}
        assert wanted.keys() <= state.keys()
