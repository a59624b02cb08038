"""Leaps: bars that could not be there in time push what is composed back, and a replay knows it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import LogError, PlanError
from engine.composing.composer import Composer
from engine.composing.snapshot import restore, save
from engine.ensemble.ensemble import Ensemble
from engine.files.bar_as_heard import BarAsHeard
from engine.files.control_log import ControlLog, LoggedChange, read, with_leap, write
from engine.library.bars import Length
from engine.music.bars import Bar, Pedal, moved
from server.commands.offline import compose
from tests.bundles import NETWORKS, tiny
from tests.fakes import TableNetwork

BEAT = 500_000


def fallback_at(bar: int, tick: int) -> BarAsHeard:
    """Something to be heard in the place of a bar, other than anything that is composed."""
    note = (1, 24 + bar % 12, 1, 0, 96, 0, 0)
    return BarAsHeard(bar, tick, "4/4", BEAT, "C major", (0,) * 8, (note,))


def heard_as(bar: Bar) -> BarAsHeard:
    notes = tuple(
        (n.part + 1, n.pitch, n.velocity, n.onset - bar.start, n.duration, shift, n.tie)
        for n, shift in zip(bar.notes, bar.shifts, strict=True)
    )
    quarter = bar.microseconds_per_quarter
    pedals = tuple((part + 1, tick, length) for tick, length, part in bar.pedals)
    metre = str(bar.metre)
    return BarAsHeard(bar.index, bar.start, metre, quarter, "", bar.programs, notes, pedals)


class Live:
    """A stream as a server has it: composed ahead, steered, and now and then too late."""

    def __init__(self, network: TableNetwork) -> None:
        self.composer = Composer(network, network.pool(1), 5, 2)
        self.heard: list[Bar] = []  # in the order of time
        self.ahead: dict[int, tuple[Bar, int]] = {}  # composed bars, and under how many changes
        self.log = ControlLog("m", "0" * 64, 5, 2)
        self.made: list[LoggedChange] = []
        self.written: list[BarAsHeard] = []

    @property
    def next(self) -> int:
        return len(self.heard)

    @property
    def tick(self) -> int:
        return self.heard[-1].end if self.heard else 0

    def compose(self, steps: int) -> None:
        """Some notes, of the bar under way or of more."""
        composer = self.composer
        for _ in range(steps):
            bar = composer.finished()
            if bar is None:
                composer.prepare()
                composer.pool.run([composer.row])
                bar = composer.absorb()
            if bar is not None:
                self.ahead[bar.index] = bar, len(self.made)

    def steer(self, density: float) -> None:
        values = {"density": density}
        self.composer.commit(self.next)
        bar = self.composer.change(values)
        self.made.append(LoggedChange(bar, values))
        self.log = replace(self.log, changes=(*self.log.changes, self.made[-1]))

    def sound(self, *, late: bool) -> None:
        """The next bar is heard; if it is not composed, something else in its place."""
        index, tick = self.next, self.tick
        found = self.ahead.get(index)
        if found is not None and not late:
            bar, changes = found
            self.heard.append(moved(bar, tick - bar.start))
            if any(change.bar <= index for change in self.made[changes:]):
                self.written.append(heard_as(self.heard[-1]))  # its revision came too late
            return
        stand_in = fallback_at(index, tick)
        self.heard.append(stand_in.as_bar(tick))
        self.written.append(stand_in)
        self.log = replace(self.log, late=(*self.log.late, index))
        under_way = self.composer.next_bar
        if under_way <= index:
            leap = LoggedChange(under_way, to=index + 1, tick=self.tick)
            self.composer.make(leap)
            self.log = replace(self.log, changes=with_leap(self.log.changes, leap))


DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("compose"), st.integers(1, 30)),
        st.tuples(st.just("steer"), st.sampled_from([1.0, 4.0, 9.0])),
        st.tuples(st.just("sound"), st.sampled_from([0, 0, 0, 1])),
    ),
    min_size=5,
    max_size=60,
)


def stripped(bar: Bar) -> tuple[object, ...]:
    return bar.index, bar.start, bar.metre, bar.microseconds_per_quarter, bar.notes, bar.shifts


@settings(max_examples=200, deadline=None)
@given(DEEDS)
def test_whatever_was_late_a_replay_gives_what_was_heard(deeds: list[tuple[str, float]]) -> None:
    network = TableNetwork(haste=0.5)
    live = Live(network)
    for deed, value in deeds:
        if deed == "compose":
            live.compose(int(value))
        elif deed == "steer":
            live.steer(value)
        else:
            live.sound(late=bool(value))
    log = read(write(replace(live.log, heard=tuple(live.written), end=live.next)))
    assert log.changes == live.log.changes
    if live.next:
        fresh = Composer(network, network.pool(1), log.seed, log.stream)
        bars = compose(fresh, Length(live.next), log)
        assert list(map(stripped, bars)) == list(map(stripped, live.heard))


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("begun", [False, True])
def test_a_leap_keeps_what_was_drawn_and_outlives_a_snapshot(kind: str, begun: bool) -> None:
    network = tiny(kind)
    straight = Composer(network, network.pool(1), 5, 2)
    plain = [straight.compose_bar() for _ in range(5)]
    composer = Composer(network, network.pool(1), 5, 2)
    for _ in range(4):
        composer.compose_bar()
    if begun:
        assert composer.finished() is None
        composer.prepare()
    tick = plain[4].start + 960
    composer.leap(14, tick)
    early = restore(save(composer), network, network.pool(1))  # it was saved before it went on
    leapt = composer.compose_bar()
    assert (leapt.index, leapt.start) == (14, tick)
    assert stripped(early.compose_bar()) == stripped(leapt)
    pitches = [(note.onset - leapt.start, note.pitch) for note in leapt.notes]
    assert pitches == [(note.onset - plain[4].start, note.pitch) for note in plain[4].notes]
    composer.commit(15)
    twin = restore(save(composer), network, network.pool(1))
    after = [composer.compose_bar() for _ in range(3)]
    assert after[0].start == leapt.end
    assert list(map(stripped, after)) == [stripped(twin.compose_bar()) for _ in range(3)]


def test_a_member_that_is_ahead_only_learns_when_the_bar_is_due() -> None:
    network = TableNetwork(haste=0.5)
    ensemble = Ensemble(network)
    ensemble.join(1, 7, 1_000_000)
    while ensemble.step(0)[1]:
        pass
    member = ensemble.members[1]
    ahead, due = member.composer.next_bar, member.dues[2]
    assert ensemble.go_on(1, 2, due + 5_000, 0) is None
    assert member.composer.next_bar == ahead
    assert member.dues[2] == due + 5_000
    assert ensemble.go_on(1, ahead + 3, 90_000_000, 4_000) == ahead
    assert member.composer.next_bar == ahead + 3
    assert (member.due, member.dues) == (90_000_000, {ahead + 3: 90_000_000})
    done = []
    while not done:
        done, _ = ensemble.step(89_000_000)
    assert (done[0].bar.index, done[0].bar.start, done[0].due) == (ahead + 3, 4_000, 90_000_000)


def test_leaps_are_followed_when_a_stream_is_taken_up() -> None:
    network = TableNetwork(haste=0.5)
    live = Composer(network, network.pool(1), 7, 1)
    for _ in range(3):
        live.compose_bar()
    live.leap(6, 600)
    expected = [live.compose_bar() for _ in range(3)]
    ensemble = Ensemble(network)
    leap = LoggedChange(3, to=6, tick=600)
    ensemble.resume(1, lambda pool: Composer(network, pool, 7, 1), 7, 0, [leap])
    done = []
    while len(done) < 2:
        done += ensemble.step(0)[0]
    assert [stripped(one.bar) for one in done[:2]] == list(map(stripped, expected[1:]))


def test_a_leap_renumbers_what_was_to_be_made_after_it() -> None:
    changes = (LoggedChange(3, {"density": 4}), LoggedChange(6, {"density": 5}))
    leap = LoggedChange(5, to=8, tick=100)
    assert with_leap(changes, leap) == (changes[0], leap, LoggedChange(9, {"density": 5}))
    assert with_leap(changes[:1], leap) == (changes[0], leap)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b'{"leap":{"bar":5,"to":5,"tick":0}}', "to cannot be 5"),
        (b'{"leap":{"bar":-1,"to":5,"tick":0}}', "bar cannot be -1"),
        (b'{"leap":{"bar":1,"to":5}}', "tick"),
        (b'{"leap":[]}', "leap must be an object"),
        (b'{"heard":{"bar":5}}', "it must have bar, tick"),
        (b'{"heard":3}', "it must have bar, tick"),
    ],
)
def test_bad_lines_are_refused_by_name(line: bytes, complaint: str) -> None:
    data = write(ControlLog("m", "0" * 64, 5)) + line + b"\n"
    with pytest.raises(LogError, match=complaint):
        read(data)


def test_a_heard_bar_survives_its_log() -> None:
    heard = fallback_at(7, 700)
    assert BarAsHeard.read(heard.plain()) == heard
    bar = heard.as_bar(700)
    assert (bar.index, bar.start, bar.notes[0].pitch) == (7, 700, 31)
    assert "pedals" not in heard.plain()
    pedalled = replace(heard, pedals=((1, 5, 91), (2, 5, 91)))
    assert BarAsHeard.read(pedalled.plain()) == pedalled
    assert pedalled.as_bar(700).pedals == (Pedal(5, 91, 0), Pedal(5, 91, 1))


@pytest.mark.parametrize(
    "pedals", [5, [[1, 5]], [[0, 5, 9]], [[1, 5, 0]], [[1, -1, 9]], [["1", 5, 9]]]
)
def test_pedals_of_a_heard_bar_are_read_with_care(pedals: object) -> None:
    with pytest.raises(ValueError, match="pedal"):
        BarAsHeard.read(fallback_at(7, 700).plain() | {"pedals": pedals})


def test_numbers_only_rise_in_what_is_taken_up() -> None:
    network = TableNetwork()
    ensemble = Ensemble(network)
    with pytest.raises(PlanError, match="numbers only rise"):
        ensemble.resume(
            1, lambda pool: Composer(network, pool, 7, 1), 7, 0, [LoggedChange(3, to=2)]
        )
    assert not ensemble.members


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=5, max_size=25))
def test_every_note_lies_in_its_bar_though_bars_without_any_are_leapt_to(steps: list[int]) -> None:
    network = TableNetwork(haste=-3.0)  # notes are far apart
    ensemble = Ensemble(network)
    ensemble.join(1, 7, 0)
    now = 0
    for count in steps:
        now += 10_000_000
        bar = ensemble.members[1].composer.next_bar + 2
        ensemble.go_on(1, bar, now + 100_000, 96 * bar)
        for _ in range(count):
            for one in ensemble.step(now)[0]:
                assert all(
                    one.bar.start <= note.onset < one.bar.end or note.tie for note in one.bar.notes
                )
