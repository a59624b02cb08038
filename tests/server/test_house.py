"""The house: bars are taken in order, late ones bridged, streams stop, go on and recover."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from msgspec import structs

from common.errors import CapacityError, ControlError, StreamError
from engine.library.presets import Preset
from server.base.wire import encode_bar
from server.composing.messages import (
    ChangeOrder,
    GoOnOrder,
    JoinOrder,
    LeaveOrder,
    RestOrder,
    ShiftOrder,
    SnapshotReport,
)
from server.house.events import BarPlanned, BarsMoved, ChangeAnnounced, StateTurned
from server.house.house import House, HouseRules
from server.house.stream import Stream
from tests.server.house_fakes import (
    BAR,
    SECOND,
    Notebook,
    ScriptedLine,
    SetClock,
    wire_bar,
)
from tests.server.steering import apply_preset, change, go_on, load, reseed, stop

PRESETS = {
    "calm": Preset("calm", "Calm", "Soft.", {"density": 1.0, "tempo": 60}),
    "busy": Preset("busy", "Busy", "Much.", {"density": 6.0}),
    "pianist": Preset("pianist", "Pianist", "Free.", {"tempo": 250}, "performance"),
}


class Scene:
    """A house with one playing station, and all that it is made of."""

    def __init__(self) -> None:
        self.clock = SetClock()
        self.line = ScriptedLine(self.clock)
        self.house = House(self.line, HouseRules(idle=60 * SECOND), PRESETS, self.clock)
        self.line.hear = self.house.composing.take
        self.notes = Notebook()
        self.house.newcomers.append(self.notes)

    async def open(self, bars: int = 4) -> Stream:
        station = await self.house.add_station(
            "calm-radio", preset="calm", seed=7, controls={}, model="default"
        )
        for index in range(bars):
            self.deliver(station, index)
        return station

    def deliver(self, stream: Stream, index: int, revision: int = 0, pitch: int = 60) -> None:
        self.house.composing.take(self.line.composed(stream.number, index, revision, pitch))

    def pass_to(self, time: int) -> None:
        """Let it become this late, with all that becomes due."""
        self.clock.time = time
        self.house.composing.time.watch.check(time)

    def close(self) -> None:
        self.house.composing.time.watch.close()


def played(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


def test_a_station_begins_with_its_preset_and_plans_what_is_composed() -> None:
    async def scenario() -> None:
        scene = Scene()
        station = await scene.open(bars=3)
        (join,) = scene.line.sent(JoinOrder)
        assert join.controls["density"] == 1.0
        assert (join.seed, join.name) == (7, "calm-radio")
        assert sorted(station.bars) == [0, 1, 2]
        assert station.missing == 3
        assert [event.planned.index for event in scene.notes.of(BarPlanned)] == [0, 1, 2]
        assert scene.house.status()["status"] == "ok"
        scene.close()

    played(scenario())


def test_a_higher_revision_replaces_a_bar_that_has_not_begun_and_no_other() -> None:
    async def scenario() -> None:
        scene = Scene()
        station = await scene.open()
        scene.clock.time = station.bars[1].due + 1
        for index in (1, 2):
            scene.deliver(station, index, revision=1, pitch=72)
        assert station.bars[1].revision == 0  # it sounds
        assert station.bars[2].revision == 1
        scene.deliver(station, 2, revision=0)
        assert station.bars[2].bar.notes[0].pitch == 72
        assert scene.house.counters.discarded_bars == 2
        scene.close()

    played(scenario())


def test_a_bar_that_is_not_there_in_time_is_bridged_and_then_not_taken() -> None:
    async def scenario() -> None:
        scene = Scene()
        station = await scene.open(bars=2)
        end = station.planned_until
        scene.pass_to(end - 70_000)
        assert station.missing == 2
        scene.pass_to(end - 50_000)
        bridge = station.bars[2]
        assert bridge.due == end
        assert bridge.bar.late
        assert bridge.length == BAR
        assert station.late_bars == scene.house.counters.late_bars == 1
        scene.deliver(station, 2, revision=5)
        assert station.bars[2] is bridge
        scene.deliver(station, 3)
        assert station.missing == 4
        scene.pass_to(station.planned_until - 50_000)
        assert sorted(station.bars)[-1] == 4  # the watch goes on
        scene.close()

    played(scenario())


def test_a_revised_bar_of_another_length_moves_what_is_planned_after_it() -> None:
    async def scenario() -> None:
        scene = Scene()
        station = await scene.open()
        scene.clock.time = station.bars[0].due + 1
        before = {index: planned.due for index, planned in station.bars.items()}
        slower = structs.replace(wire_bar(1, revision=1), tempo=600_000)
        report = scene.line.composed(station.number, 1, revision=1)
        scene.house.composing.take(
            structs.replace(report, bar=encode_bar(slower), length=slower.length)
        )
        later = slower.length - BAR
        assert later > 0
        assert scene.notes.of(BarsMoved) == [BarsMoved(2, later)]
        dues = {index: planned.due for index, planned in station.bars.items()}
        assert dues == {0: before[0], 1: before[1], 2: before[2] + later, 3: before[3] + later}
        # The next revised one is due where this one ends, as the other process has it too.
        second = scene.line.composed(station.number, 2, revision=1)
        scene.house.composing.take(structs.replace(second, due=second.due + later))
        assert station.bars[2].due == dues[2]
        assert not scene.line.sent(ShiftOrder)
        scene.close()

    played(scenario())


def test_a_first_bar_that_comes_late_puts_the_stream_off_and_this_is_told_once() -> None:
    async def scenario() -> None:
        scene = Scene()
        station = await scene.open(bars=0)
        due = station.begins
        scene.clock.time = due + SECOND
        for index in range(3):
            scene.deliver(station, index)
        later = station.bars[0].due - due
        assert later > SECOND
        assert station.bars[2].due == due + 2 * BAR + later
        assert scene.line.sent(ShiftOrder) == [ShiftOrder(station.number, 1, later)]
        scene.close()

    played(scenario())


def test_a_bar_from_before_a_stream_went_on_moves_nothing() -> None:
    """It was composed for the far future, and the composing process has been told since."""

    async def scenario() -> None:
        scene = Scene()
        station = await scene.open()
        scene.clock.time = station.bars[1].due + BAR // 2
        await stop(scene.house, station)
        await go_on(scene.house, station)
        told = scene.line.sent(ShiftOrder)
        scene.deliver(station, 4)  # as if no time had passed
        assert station.bars[4].due == station.bars[3].end
        assert scene.line.sent(ShiftOrder) == told
        scene.close()

    played(scenario())


def test_after_a_fallback_of_another_length_both_processes_come_into_step() -> None:
    async def scenario() -> None:
        scene = Scene()
        station = await scene.open(bars=2)
        scene.pass_to(station.planned_until - 50_000)
        assert station.is_bridged(2)
        # The bar that was not there in time was half as long for the composing process.
        for index in (3, 4):
            report = scene.line.composed(station.number, index)
            scene.house.composing.take(structs.replace(report, due=report.due - BAR // 2))
        ends = [station.bars[index].end for index in range(4)]
        assert [station.bars[index + 1].due for index in range(4)] == ends
        # It was told once, and all of it: what is wanted next, and when.
        assert scene.line.sent(GoOnOrder) == [GoOnOrder(station.number, 3, ends[2], 3 * 96)]
        assert not scene.line.sent(ShiftOrder)
        scene.close()

    played(scenario())


def test_a_change_is_announced_with_the_bar_from_which_it_is_heard() -> None:
    async def scenario() -> None:
        scene = Scene()
        station = await scene.open()
        scene.line.first_open[station.number] = 2
        event = await change(scene.house, station, {"density": 4})
        assert (event.bar, event.due) == (2, station.bars[2].due)
        assert station.controls.density == 4
        assert scene.notes.of(ChangeAnnounced) == [event]
        assert list(station.history) == [event]
        scene.close()

    played(scenario())


def test_a_bad_value_is_refused_and_nothing_is_sent() -> None:
    async def scenario() -> None:
        scene = Scene()
        station = await scene.open()
        with pytest.raises(ControlError, match="density"):
            await change(scene.house, station, {"density": 1000})
        with pytest.raises(StreamError, match="calm"):
            await apply_preset(scene.house, station, "clam")
        assert not scene.line.sent(ChangeOrder)
        assert station.controls.density == 1
        scene.close()

    played(scenario())


def test_a_preset_sets_every_control() -> None:
    async def scenario() -> None:
        scene = Scene()
        station = await scene.open()
        await apply_preset(scene.house, station, "busy")
        assert station.controls.density == 6
        assert station.controls.tempo is None  # as the default has it, not as it was
        assert station.preset == "busy"
        scene.close()

    played(scenario())


def test_a_preset_that_is_made_for_another_model_begins_anew_with_it_and_the_next_returns() -> None:
    async def scenario() -> None:
        scene = Scene()
        station = await scene.open()
        await scene.house.add_station("other", preset=None, seed=1, controls={}, model="mine")
        await load(scene.house, station, "mine")
        heard = await apply_preset(scene.house, station, "pianist")
        join = scene.line.sent(JoinOrder)[-1]
        assert (join.model, join.controls["tempo"]) == ("performance", 250)
        assert (station.model, station.preset, station.epoch) == ("performance", "pianist", 2)
        assert station.controls.density is None  # as the default has it, not as it was
        assert (heard.bar, heard.due) == (station.first, station.begins)
        assert scene.notes.of(ChangeAnnounced)[-1] == heard
        assert not scene.line.sent(ChangeOrder)
        await apply_preset(scene.house, station, "busy")
        assert scene.line.sent(JoinOrder)[-1].model == "mine"  # its own, not that of the house
        assert (station.model, station.preset) == ("mine", "busy")
        await apply_preset(scene.house, station, "calm")
        assert len(scene.line.sent(ChangeOrder)) == 1
        scene.close()

    played(scenario())


def test_a_preset_that_cannot_be_begun_with_leaves_a_stream_as_it_was() -> None:
    async def scenario() -> None:
        scene = Scene()
        station = await scene.open()
        scene.line.refuse = "no room"
        with pytest.raises(CapacityError, match="no room"):
            await apply_preset(scene.house, station, "pianist")
        assert (station.model, station.preset, station.epoch) == ("default", "calm", 0)
        assert station.controls.density == 1
        scene.close()

    played(scenario())


@pytest.mark.parametrize(
    ("model", "expected"), [(None, "performance"), ("mine", "mine"), ("default", "default")]
)
def test_a_station_has_the_model_that_is_named_or_that_of_its_preset(
    model: str | None, expected: str
) -> None:
    async def scenario() -> None:
        scene = Scene()
        station = await scene.house.add_station(
            "piano", preset="pianist", seed=7, controls={}, model=model
        )
        assert station.model == expected
        own = await scene.house.open(preset="pianist", owner="somebody")
        assert (own.model, own.usual_model) == ("performance", "default")
        scene.close()

    played(scenario())


def test_a_stopped_stream_goes_on_with_the_bar_in_which_it_was_stopped() -> None:
    async def scenario() -> None:
        scene = Scene()
        station = await scene.open()
        scene.clock.time = station.bars[1].due + BAR // 2
        await stop(scene.house, station)
        assert scene.line.sent(RestOrder) == [RestOrder(station.number, 1)]
        scene.deliver(station, 4)  # the plan grows as far as the lookahead goes
        dues = {index: planned.due for index, planned in station.bars.items()}
        assert dues[4] == dues[3] + BAR
        scene.pass_to(scene.clock.time + 100 * SECOND)
        assert station.late_bars == 0
        await go_on(scene.house, station)
        (moved,) = scene.notes.of(BarsMoved)
        assert station.bars[1].due == scene.clock.time + 120_000
        assert moved == BarsMoved(1, station.bars[1].due - dues[1])
        assert station.bars[0].due == dues[0]
        assert station.bars[4].due - dues[4] == moved.later
        # Composing is told when the bar of the pause sounds again.
        assert scene.line.sent(GoOnOrder) == [GoOnOrder(station.number, 1, station.bars[1].due, 96)]
        assert [turned.state for turned in scene.notes.of(StateTurned)] == [
            "playing",
            "stopped",
            "playing",
        ]
        scene.close()

    played(scenario())


def test_a_new_seed_begins_at_the_next_bar_line_and_voids_the_plan() -> None:
    async def scenario() -> None:
        scene = Scene()
        station = await scene.open()
        old = station.number
        scene.clock.time = station.bars[1].due + 1
        bar_line = station.bars[1].end
        await reseed(scene.house, station, 8)
        assert station.begins == bar_line
        assert (station.seed, station.epoch) == (8, 1)
        assert not station.bars
        assert scene.line.sent(LeaveOrder) == [LeaveOrder(old)]
        scene.house.composing.take(scene.line.composed(old, 4))  # of the epoch before
        assert not station.bars
        scene.deliver(station, 0)
        assert station.bars[0].due == bar_line
        scene.close()

    played(scenario())


def test_a_refused_beginning_leaves_the_stream_as_it_was() -> None:
    async def scenario() -> None:
        scene = Scene()
        station = await scene.open()
        scene.line.refuse = "no room"
        with pytest.raises(CapacityError):
            await reseed(scene.house, station, 8)
        assert (station.seed, station.epoch) == (7, 0)
        assert sorted(station.bars) == [0, 1, 2, 3]
        assert scene.house.counters.refusals == 1
        scene.close()

    played(scenario())


def test_after_a_crash_every_stream_is_taken_up_at_its_first_open_bar() -> None:
    async def scenario() -> None:
        scene = Scene()
        station = await scene.open()
        scene.house.composing.take(SnapshotReport(0, station.number, 1, "/kept"))
        scene.line.first_open[station.number] = 2
        await change(scene.house, station, {"density": 4})
        scene.clock.time = station.bars[1].due + 1
        before = dict(station.bars)
        scene.house.lost(frozenset({station.number}))
        assert station.is_lost
        while station.is_lost:
            await asyncio.sleep(0)
        resume = scene.line.sent(JoinOrder)[-1].resume
        assert (resume.snapshot, resume.bar, resume.due) == ("/kept", 2, before[2].due)
        assert [change.set for change in resume.changes] == [{"density": 4}]
        assert resume.revisions == {2: 0, 3: 0}
        assert station.bars == before  # what is planned still sounds
        assert station.epoch == 0
        scene.house.composing.take(scene.line.composed(station.number, 4))
        assert station.missing == 5
        scene.close()

    played(scenario())


def test_changes_before_a_snapshot_are_not_made_again() -> None:
    async def scenario() -> None:
        scene = Scene()
        station = await scene.open()
        await change(scene.house, station, {"density": 4})
        scene.line.first_open[station.number] = 3
        await change(scene.house, station, {"density": 5})
        scene.house.composing.take(SnapshotReport(0, station.number, 2, "/kept"))
        assert [change.set for change in station.kept.changes] == [{"density": 5}]
        scene.close()

    played(scenario())


def test_an_own_stream_ends_when_nobody_has_listened_for_a_while() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.open()
        own = await scene.house.open(preset="busy", seed=1, owner="me")
        listener = Notebook()
        scene.house.listen(own, listener)
        scene.clock.time += 100 * SECOND
        scene.house.tick()
        assert own.name in scene.house.streams
        scene.house.unlisten(own, listener)
        scene.clock.time += 59 * SECOND
        scene.house.tick()
        assert own.name in scene.house.streams
        scene.clock.time += 2 * SECOND
        scene.house.tick()
        assert own.name not in scene.house.streams
        assert scene.line.sent(LeaveOrder)[-1] == LeaveOrder(own.number, forget=True)
        assert list(scene.house.stations) == ["calm-radio"]  # stations stay
        scene.close()

    played(scenario())


def test_health_says_that_bars_were_late_and_that_they_are_not_any_more() -> None:
    async def scenario() -> None:
        scene = Scene()
        station = await scene.open(bars=2)
        assert scene.house.status()["status"] == "ok"
        scene.pass_to(station.planned_until - 50_000)
        status = scene.house.status()
        assert (status["status"], status["late"]) == ("degraded", ["calm-radio"])
        scene.clock.time += 33 * SECOND
        assert scene.house.status()["status"] == "ok"
        scene.close()

    played(scenario())


def test_an_unknown_stream_is_named_with_the_nearest_station() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.open()
        with pytest.raises(StreamError, match="did you mean 'calm-radio'"):
            scene.house.find("calm-rodio")
        scene.close()

    played(scenario())


def test_bars_that_sounded_long_ago_are_forgotten() -> None:
    async def scenario() -> None:
        scene = Scene()
        station = await scene.open(bars=40)
        scene.clock.time = station.bars[39].due + 1
        scene.house.tick()
        assert min(station.bars) == 9  # the ones before ended over a minute ago
        assert station.missing == 40
        scene.close()

    played(scenario())
