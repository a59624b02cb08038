"""What two things at once, or a busy machine, must not break: said turn by turn."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.errors import CapacityError, PerpetuoError, StreamError
from server.composing.messages import FailureReport, GoOnOrder
from server.house.events import (
    BarKeptAsItWas,
    BarPlanned,
    ChangeAnnounced,
    ChangePostponed,
    StateTurned,
)
from server.house.requests import (
    ChangeRequest,
    ContinueRequest,
    ModelRequest,
    PresetRequest,
    SeedRequest,
    StartRequest,
    StopRequest,
)
from server.house.stream import Stream
from server.osc.addresses import SetControl
from server.osc.request_steering import Asker, OscSteering
from server.web.sessions import Sessions
from server.web.settings import WebSettings
from tests.server.house_fakes import Notebook
from tests.server.simulated import BRISK, MILLISECOND, World
from tests.server.web_line import Talk, answered


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path, monkeypatch)
    yield world
    world.close()
    assert all(not ear.sounding for ear in world.listening.ears.values())
    assert world.house.counters.promises.open == 0


def playing(world: World, milliseconds: int = 2000) -> tuple[Stream, Notebook]:
    """A station that has played for a while, and somebody who writes down what it is told."""
    station, notes = world.station("one"), Notebook()
    world.house.listen(station, notes)
    world.pass_time(milliseconds, composes=6)
    assert station.late_bars == 0
    return station, notes


def steered(world: World, stream: Stream, by: str = "me", **controls: object) -> object:
    return world.steer(stream, ChangeRequest(by=by, controls=controls))  # type: ignore[arg-type]


def to_before_a_bar(world: World, stream: Stream, milliseconds: int) -> int:
    """Let time pass to so long before the next bar line; the bar that begins there."""
    sounding = stream.playing_at(world.now())
    assert sounding is not None
    until = (sounding.end - world.now()) // MILLISECOND - milliseconds
    world.pass_time(until if until > 0 else until + sounding.length // MILLISECOND, composes=6)
    return stream.first_open(world.now(), 0)


# -- promises ------------------------------------------------------------------------------------


def test_a_change_is_heard_where_it_was_announced(world: World) -> None:
    station, notes = playing(world)
    steered(world, station, density=8)
    world.pass_time(3000, composes=6)
    (event,) = notes.of(ChangeAnnounced)
    assert station.bars[event.bar].serial == event.change
    assert not notes.of(ChangePostponed)
    assert world.check_replay() == 1


def test_what_cannot_be_revised_in_time_is_heard_a_bar_later_and_that_is_said(
    world: World,
) -> None:
    station, notes = playing(world)
    bar = to_before_a_bar(world, station, 180)
    steered(world, station, density=8)
    world.turn(composes=1)  # it hears of the change, and composes nothing until too late
    (event,) = notes.of(ChangeAnnounced)
    assert event.bar == bar
    world.pass_time(150)
    assert notes.of(ChangePostponed) == [
        ChangePostponed(event.change, bar + 1, station.bars[bar].end)
    ]
    assert [e.planned.index for e in notes.of(BarKeptAsItWas)] == [bar]
    assert [(e.bar, e.due) for e in station.history] == [(bar + 1, station.bars[bar].end)]
    world.pass_time(3000, composes=6)
    assert station.bars[bar].serial < event.change == station.bars[bar + 1].serial
    counts = world.house.counters
    assert (counts.promises.kept, counts.promises.postponed, counts.outdated_bars) == (1, 1, 1)
    world.settle()
    world.check()
    assert world.check_replay() == 1


def test_a_change_that_is_known_to_come_too_late_is_announced_for_where_it_is_heard(
    world: World,
) -> None:
    station, notes = playing(world)
    bar = to_before_a_bar(world, station, 170)
    steered(world, station, density=8)
    world.turn(composes=1, delivers=0)  # made in that bar, and on its way
    world.pass_time(130, delivers=0)
    world.deliver(100)
    (event,) = notes.of(ChangeAnnounced)
    assert (event.composed, event.bar) == (bar, bar + 1)
    assert not notes.of(ChangePostponed)
    world.pass_time(3000, composes=6)
    world.settle()
    assert world.check_replay() == 1


class OscAnswers:
    """What an OSC program is told of a change."""

    def __init__(self) -> None:
        self.bars: list[int] = []

    def heard(self, asker: Asker, stream: Stream, what: str, bar: int) -> None:
        self.bars.append(bar)


def test_an_answer_that_waits_for_the_disk_tells_where_a_change_is_heard_by_now(
    world: World,
) -> None:
    station, notes = playing(world)
    on_disk: asyncio.Future[bool] = world.loop.create_future()
    world.house.saver = lambda stream: on_disk
    talk, answers = Talk(Sessions(world.house, WebSettings())), OscAnswers()
    talk.hello()
    session = talk.conversation.session
    assert session is not None
    bar = to_before_a_bar(world, station, 180)
    asked = talk.conversation.feed(
        json.dumps({"type": "steer", "id": 1, "stream": "one", "controls": {"density": 8}})
    )
    assert asked is not None

    async def ask() -> asyncio.Task[None]:
        steering = OscSteering(world.house, answers)  # type: ignore[arg-type]
        asker = Asker(("127.0.0.1", 9), "/perpetuo/one/register")
        task = asyncio.create_task(answered(talk.sessions, session, asked))
        # Right after it, so that both are carried out together.
        order = SetControl("one", "register", 50)
        asyncio.get_running_loop().call_soon(steering.take, station, order, asker)
        return task

    answering = world.loop.run(ask())
    world.turn(composes=1)
    assert {event.bar for event in notes.of(ChangeAnnounced)} == {bar}
    world.pass_time(150)
    (postponed,) = notes.of(ChangePostponed)
    assert postponed.bar == bar + 1
    on_disk.set_result(True)
    world.loop.spin()
    assert answering.done()
    (ack,) = talk.take()
    assert (ack["bar"], ack["due"], ack["saved"]) == (bar + 1, postponed.due, True)
    assert answers.bars == [bar + 1]


def test_a_bar_that_is_bridged_postpones_what_was_to_be_heard_in_it(world: World) -> None:
    station, notes = playing(world)
    left = (station.planned_until - world.now()) // MILLISECOND
    world.pass_time(left - 250)  # almost all that was planned
    steered(world, station, density=8)
    world.turn(composes=1)
    (event,) = notes.of(ChangeAnnounced)
    world.pass_time(1000)
    assert station.is_bridged(event.bar)
    world.pass_time(3000, composes=6)
    last = notes.of(ChangePostponed)[-1]
    assert station.bars[last.bar].serial == event.change
    world.settle()
    world.check()
    assert world.check_replay() == 1


@pytest.mark.parametrize("milliseconds", [0, 200, 400, 600, 800])
def test_bars_after_one_that_was_revised_are_heard_as_they_were_and_written_down(
    world: World, milliseconds: int
) -> None:
    """The promise is kept, and then composing stands still: what was planned before it sounds.
    Whenever the house looks after its streams, once a second."""
    world.loop.microseconds += milliseconds * MILLISECOND
    station, notes = playing(world)
    steered(world, station, density=8)
    world.turn(composes=1)
    (event,) = notes.of(ChangeAnnounced)
    last = station.missing - 1
    while not station.bars[event.bar].serial:
        world.turn(composes=1)
    world.pass_time(4000)
    assert [e.planned.index for e in notes.of(BarKeptAsItWas)] == list(
        range(event.bar + 1, last + 1)
    )
    assert station.is_bridged(last + 1)
    world.settle()
    assert world.check_replay() == 1


def test_promises_of_an_epoch_that_is_over_are_void(world: World) -> None:
    station, _ = playing(world)
    steered(world, station, density=8)
    world.turn(composes=1)
    world.steer(station, StartRequest(by="me"))
    world.turn(composes=1)
    counts = world.house.counters.promises
    assert (counts.made, counts.void, counts.open) == (1, 1, 0)


# -- the mailbox ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first", [StartRequest(by="a"), SeedRequest(by="a", seed=3), ModelRequest(by="a", model="lstm")]
)
@pytest.mark.parametrize("second", [StartRequest(by="b"), SeedRequest(by="b", seed=4)])
def test_two_beginnings_at_once_leave_one_epoch(
    world: World, first: StartRequest, second: StartRequest
) -> None:
    station, notes = playing(world)
    answers = [world.steer(station, request) for request in (first, second)]
    world.settle()
    world.check()
    assert all(answer is not None and answer.result() is not None for answer in answers)
    assert station.epoch == 2
    assert [event.reason[-1] for event in notes.of(StateTurned)] == ["a", "b"]
    assert station.seed == getattr(second, "seed", getattr(first, "seed", 7))


def test_faders_of_two_people_are_made_together_and_each_is_told(world: World) -> None:
    station, notes = playing(world)
    steered(world, station, "first", density=1)
    for value in range(1, 60):
        steered(world, station, "ann", dynamics=value)
        steered(world, station, "bob", density=value / 10)
    world.turn(composes=2)
    world.turn(composes=2)
    assert [(e.by, dict(e.controls)) for e in notes.of(ChangeAnnounced)] == [
        ("first", {"density": 1.0}),
        ("ann", {"dynamics": 59}),
        ("bob", {"density": 5.9}),
    ]
    assert station.changes == 2
    world.settle()
    world.check()


def test_one_bad_change_does_not_spoil_those_that_are_made_with_it(world: World) -> None:
    station, _ = playing(world)
    good = steered(world, station, density=4)
    bad = steered(world, station, low_pitch=100, high_pitch=20)
    fine = steered(world, station, dynamics=50)
    world.settle()
    assert good.result()  # type: ignore[attr-defined]
    assert fine.result()  # type: ignore[attr-defined]
    with pytest.raises(PerpetuoError, match="pitch"):
        bad.result()  # type: ignore[attr-defined]
    assert (station.controls.density, station.controls.dynamics) == (4, 50)
    world.check()


def test_a_stop_is_heard_at_once_and_holds_against_what_is_under_way(world: World) -> None:
    station, notes = playing(world)
    world.steer(station, ModelRequest(by="me", model="lstm"))
    world.loop.spin()
    world.steer(station, StopRequest(by="me"))
    assert station.state == "stopped"  # before anything was answered
    world.settle()
    assert (station.state, station.epoch) == ("stopped", 1)
    world.steer(station, ContinueRequest(by="me"))
    world.pass_time(2000, composes=8)
    assert station.state == "playing"
    assert [event.state for event in notes.of(StateTurned)][-1] == "playing"
    world.check()


def test_what_was_asked_when_the_process_died_is_asked_of_the_next(world: World) -> None:
    station, _ = playing(world)
    answer = steered(world, station, density=8)
    world.loop.spin()
    world.die()
    world.pass_time(300)
    assert not answer.done()  # type: ignore[attr-defined]
    world.come_back()
    world.settle()
    assert answer.result().steered.controls == {"density": 8}  # type: ignore[attr-defined]
    assert station.controls.density == 8
    world.check()


def test_a_process_that_dies_with_its_answer_to_a_join_is_noticed(world: World) -> None:
    station, notes = playing(world)
    world.steer(station, StartRequest(by="me"))
    world.loop.spin()
    world.composing.work(2)
    world.die(reports=100)  # the answer, and the end, before whoever asked goes on
    world.loop.spin()
    assert station.epoch == 1
    assert station.is_lost
    world.come_back()
    world.pass_time(3000, composes=8)
    assert station.bars
    assert len(notes.of(StateTurned)) == 1
    world.settle()
    world.check()


def test_nobody_waits_for_ever_where_nothing_composes(world: World) -> None:
    station, _ = playing(world)
    world.die()
    answer = steered(world, station, density=8)
    world.pass_time(30_000)
    with pytest.raises(StreamError, match="compos"):
        answer.result()  # type: ignore[attr-defined]
    world.come_back()
    world.settle()
    world.check()


def test_an_ended_stream_refuses_what_waits(world: World) -> None:
    station, _ = playing(world)
    answers = [steered(world, station, density=value) for value in (1, 2)]
    world.loop.spin()
    world.loop.run(world.house.close(station, "closed"))
    world.settle()
    for answer in answers:
        with pytest.raises(StreamError, match="has ended"):
            answer.result()  # type: ignore[attr-defined]


# -- own streams ---------------------------------------------------------------------------------


def own(world: World) -> tuple[Stream, Notebook]:
    listener = Notebook()
    stream = world.begin(world.house.open(seed=1, controls=BRISK, owner="ann"))
    world.house.listen(stream, listener)
    return stream, listener


@pytest.mark.parametrize("lost", [False, True])
def test_whoever_leaves_while_their_stream_begins_anew_leaves_nothing_behind(
    world: World, lost: bool
) -> None:
    stream, _ = own(world)
    heard = Notebook()
    world.house.observers.append(heard)
    world.steer(stream, SeedRequest(by="ann", seed=5))
    world.loop.spin()
    if lost:
        world.die()
    world.loop.run(world.house.close(stream, "ann has left"))
    world.settle()
    assert stream.name not in world.house.streams
    assert [event.state for event in heard.of(StateTurned)] == ["ended"]
    assert world.house.counters.streams_closed == 1
    world.check()  # nothing is composed for it


def test_streams_that_are_being_begun_count_too(world: World) -> None:
    async def open_many() -> list[object]:
        opened = (world.house.open(seed=i, controls=BRISK, owner="ann") for i in range(5))
        return list(await asyncio.gather(*opened, return_exceptions=True))

    found = world.begin(open_many())
    assert sum(isinstance(one, Stream) for one in found) == 3
    assert sum(isinstance(one, CapacityError) for one in found) == 2


def test_no_stream_is_begun_while_others_are_late(world: World) -> None:
    playing(world)
    world.pass_time(3500)
    assert world.house.counters.late_bars
    with pytest.raises(CapacityError, match="does not keep up"):
        world.begin(world.house.open(seed=1, controls=BRISK, owner="ann"))
    world.pass_time(8000, composes=6)
    assert own(world)[0].name in world.house.streams


# -- late ----------------------------------------------------------------------------------------


def test_after_a_slower_tempo_a_late_station_comes_back(world: World) -> None:
    """Composing stood still three times, each time for longer than all that was planned; then the
    tempo falls, so that what composing takes for its time is far from what is heard."""
    station, _ = playing(world)
    steered(world, station, tempo=300)
    world.pass_time(2000, composes=6)
    for _ in range(3):
        world.pass_time(5400, delivers=0)
        world.pass_time(500, composes=1)
    steered(world, station, tempo=40, density=1)
    world.pass_time(20_000, composes=6)
    late = station.late_bars
    assert late > 10
    world.pass_time(60_000, composes=6)
    assert station.late_bars == late
    sounding = station.playing_at(world.now())
    assert sounding is not None
    assert sounding.bar.tempo == pytest.approx(1_500_000, rel=0.2)
    world.settle()
    world.check()
    assert world.check_replay() == 1


def test_music_that_comes_late_is_pushed_back_and_not_thrown_away(world: World) -> None:
    """Half as fast as would be needed: every other bar is heard as it was composed."""
    station, _ = playing(world)
    before = station.missing
    while station.missing < before + 40:
        world.composing.work(1)
        world.pass_time(150)
    composed = [bar for bar in range(before, before + 40) if not station.is_bridged(bar)]
    assert world.house.counters.leaps > 3
    assert len(composed) > 10
    world.settle()
    assert world.check_replay() == 1


def test_a_bar_of_long_ago_is_not_taken_again(world: World) -> None:
    station, notes = playing(world)
    world.pass_time(4000, delivers=0)  # it composes nothing, and is bridged
    late = [bar for bar in station.bars if station.is_bridged(bar)]
    world.pass_time(90_000, composes=6)
    assert late[0] not in station.bars  # forgotten
    told = len(notes.of(BarPlanned))
    report = world.composing.composed(station.number, late[0])
    world.house.composing.take(report)
    assert late[0] not in station.bars
    assert len(notes.of(BarPlanned)) == told


def test_after_everything_stood_still_the_music_goes_on_soon_and_once(world: World) -> None:
    """As after SIGSTOP of the server itself: no burst of bars that are past."""
    station, _ = playing(world)
    before = station.late_bars
    world.loop.microseconds += 3_600_000_000
    world.pass_time(100)
    assert station.late_bars <= before + 2
    world.pass_time(5000, composes=6)
    assert station.playing_at(world.now()) is not None
    world.settle()
    world.check()


@pytest.mark.parametrize("milliseconds", [0, 150, 600])
def test_a_first_bar_reaches_everybody_before_its_first_note(
    world: World, milliseconds: int
) -> None:
    notes = Notebook()
    world.house.observers.append(notes)
    controls = {**BRISK, "humanise_time": 1.0, "metre": "4/4", "density": 16}
    opening = world.house.add_station("two", preset=None, seed=7, controls=controls)
    world.begin(opening, composes=1)
    assert not notes.of(BarPlanned), "the first bar takes longer than to begin"
    world.pass_time(milliseconds)
    while not notes.of(BarPlanned):
        world.turn(composes=1)
    first = notes.of(BarPlanned)[0].planned
    assert first.frontier(100_000) >= world.now() + world.house.rules.horizon


def test_a_first_bar_that_is_revised_moves_nothing_that_was_told(world: World) -> None:
    station = world.begin(
        world.house.add_station("two", preset=None, seed=7, controls=BRISK), composes=1
    )
    world.turn(composes=60)
    assert station.missing > 2
    until = (station.begins - world.now()) // MILLISECOND
    world.pass_time(until - 250)
    steered(world, station, density=8)
    world.turn(composes=1)
    world.pass_time(60)
    world.turn(composes=60)
    assert station.bars[0].revision == 1
    mirror = world.mirrors["two"]
    assert {i: planned.due for i, planned in station.bars.items()} == mirror.dues


# -- composing goes away -------------------------------------------------------------------------


def test_music_that_was_pushed_back_is_so_when_it_is_taken_up(world: World) -> None:
    station, _ = playing(world)
    world.pass_time(4500)
    world.turn(composes=3)
    assert world.house.counters.leaps
    assert any(change.to is not None for change in station.kept.changes)
    world.die()
    world.pass_time(300)
    world.come_back()
    world.pass_time(4000, composes=8)
    world.settle()
    world.check()
    assert world.check_replay() == 1


def test_an_hour_without_composing_is_caught_up_at_once(world: World) -> None:
    station, _ = playing(world)
    world.die()
    world.pass_time(120_000)
    bridged = station.late_bars
    assert bridged > 200
    world.come_back()
    world.pass_time(1500, composes=12)
    assert not station.is_bridged(station.missing - 1)
    late = station.late_bars
    world.pass_time(5000, composes=6)
    assert station.late_bars == late
    world.settle()
    world.check()
    assert world.check_replay() == 1


def test_one_stream_that_cannot_be_composed_is_taken_up_and_then_begins_anew(
    world: World,
) -> None:
    station, notes = playing(world)
    for _ in range(2):
        number = station.number
        world.composing.drop(number)
        world.composing.wire.reports.append(FailureReport(number, "a fault"))  # type: ignore[union-attr]
        world.deliver(100)
        while station.is_lost:
            world.turn(composes=2)
    world.settle()
    assert station.epoch == 1
    assert station.seed == 8  # other music: the same would come to the same end
    assert "could not go on" in notes.of(StateTurned)[-1].reason
    world.check()


def test_a_preset_of_another_model_is_one_event(world: World) -> None:
    station, notes = playing(world)
    answer = world.steer(station, PresetRequest(by="me", name="other"))
    world.settle()
    assert answer is not None
    assert answer.result().steered is not None
    assert (station.model, station.preset, station.epoch) == ("lstm", "other", 1)
    assert len(notes.of(StateTurned)) == 1
    world.check()


def test_composing_is_told_what_is_wanted_when_it_is_behind(world: World) -> None:
    station, _ = playing(world)
    world.pass_time(3000)
    orders = [one for one in world.composing.sent if isinstance(one, GoOnOrder)]
    assert orders
    assert orders[-1].bar == station.missing
    assert orders[-1].due == station.planned_until
