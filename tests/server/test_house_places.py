"""Where stations stand, on disk: what is acknowledged is there, and what is damaged is said."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from common.errors import ConfigError, OutputError
from engine.composing.composer import Composer
from engine.composing.snapshot import save
from engine.files.control_log import ControlLog, LoggedChange, write
from server.composing.messages import JoinOrder
from server.house import disk_writer, stations
from server.house.disk_writer import DiskWriter
from server.house.events import StateTurned
from server.house.log_writer import ControlLogWriter, LogRules
from server.house.places import PlaceStore, StationPlace
from server.house.requests import ChangeRequest, ModelRequest
from server.house.resume_state import MOST_HEARD
from server.house.settings import StationSettings
from server.house.stations import StationKeeper
from tests.bundles import tiny
from tests.server.house_fakes import BAR, Notebook
from tests.server.steering import go_on
from tests.server.test_house import Scene, played

STATION = StationSettings("calm-radio", "Calm", "calm", 7, None, {})


class Placed(Scene):
    """A house whose stations are noted in a folder."""

    def __init__(self, folder: Path, station: StationSettings = STATION) -> None:
        super().__init__()
        self.places = PlaceStore(folder)
        self.stations = StationKeeper(
            self.house, self.places, (station,), "default", folder / "logs"
        )

    async def begin(self) -> Any:
        await self.stations.open()
        stream = self.house.streams["calm-radio"]
        for index in range(stream.first, stream.first + 4):
            self.deliver(stream, index)
        return stream

    def place(self) -> StationPlace:
        return msgspec.json.decode(self.places.path("calm-radio").read_bytes(), type=StationPlace)

    async def end(self) -> None:
        await self.stations.close()
        self.close()


def test_what_is_acknowledged_is_on_disk(tmp_path: Path) -> None:
    async def scenario() -> None:
        scene = Placed(tmp_path)
        stream = await scene.begin()
        carried = await scene.house.steer(stream, ChangeRequest(by="me", controls={"density": 4}))
        assert carried.saved is True
        assert carried.steered is not None
        assert carried.steered.saved is True
        assert [change.set for change in scene.place().changes] == [{"density": 4}]
        await scene.end()

    played(scenario())


def test_what_is_not_on_disk_is_acknowledged_so_and_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that hangs holds up neither the music nor the answer."""
    free = threading.Event()
    monkeypatch.setattr(stations, "NOTED_WITHIN", 0.05)
    monkeypatch.setattr(disk_writer, "write_whole", lambda *_, **__: free.wait(10))

    async def scenario() -> None:
        scene = Placed(tmp_path)
        stream = await scene.begin()
        scene.stations.shelve()  # returns at once
        async with asyncio.timeout(5):
            carried = await scene.house.steer(
                stream, ChangeRequest(by="me", controls={"density": 4})
            )
        assert carried.saved is False
        assert scene.house.counters.unsaved == 1
        free.set()
        await scene.end()

    played(scenario())


def test_a_full_disk_is_said_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OutputError("the disk is full")

    async def scenario() -> None:
        scene = Placed(tmp_path)
        stream = await scene.begin()
        with monkeypatch.context() as patch:
            patch.setattr(disk_writer, "write_whole", full)
            for value in (1, 2, 3):
                change = ChangeRequest(by="me", controls={"density": value})
                assert (await scene.house.steer(stream, change)).saved is False
        assert caplog.text.count("the disk is full") == 1
        scene.stations.shelve()
        carried = await scene.house.steer(stream, ChangeRequest(by="me", controls={"density": 4}))
        assert carried.saved is True
        await scene.end()

    with caplog.at_level(logging.WARNING):
        played(scenario())


def test_no_disk_is_waited_for_in_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        forced.append(threading.current_thread().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)

    async def scenario() -> None:
        scene = Placed(tmp_path)
        stream = await scene.begin()
        scene.clock.time = stream.bars[1].due + 1
        scene.stations.shelve()
        await scene.end()

    played(scenario())
    assert forced
    assert set(forced) == {"places"}


# -- the writer ----------------------------------------------------------------------------------


def test_of_several_contents_the_last_one_is_written_and_all_are_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        writer = DiskWriter()
        answers = [writer.put(tmp_path / "a", b"%d" % i) for i in range(50)]
        other = writer.put(tmp_path / "b", b"x")
        await asyncio.gather(*answers, other)
        assert (tmp_path / "a").read_bytes() == b"49"
        await writer.close()

    asyncio.run(scenario())


def test_whoever_waits_is_told_why_it_is_not_there(tmp_path: Path) -> None:
    async def scenario() -> None:
        writer = DiskWriter()
        with pytest.raises(OutputError, match="does not exist"):
            await writer.put(tmp_path / "none" / "a", b"")
        await writer.put(tmp_path / "a", b"after")  # it goes on
        await writer.close()

    asyncio.run(scenario())


# -- after the last run --------------------------------------------------------------------------


@pytest.mark.parametrize(("was", "expected"), [("playing", "playing"), ("stopped", "stopped")])
def test_a_station_goes_on_as_it_was_left_however_it_first_starts(
    tmp_path: Path, was: str, expected: str
) -> None:
    station = StationSettings("calm-radio", "Calm", "calm", 7, None, {}, start="stopped")

    async def scenario(first: bool) -> str:
        scene = Placed(tmp_path, station)
        stream = await scene.begin()
        if first:
            assert stream.state == "stopped"
            if was == "playing":
                await go_on(scene.house, stream)
        state = str(stream.state)
        await scene.end()
        return state

    asyncio.run(scenario(True))
    assert asyncio.run(scenario(False)) == expected


def damaged(whole: bytes, kind: str) -> bytes:
    plain = msgspec.json.decode(whole)
    return {
        "empty": b"",
        "truncated": whole[: len(whole) // 2],
        "random": bytes(range(256)) * 4,
        "zeroed": bytes(len(whole)),
        "flipped": whole.replace(b'"bar"', b'"baq"'),
        "far off": msgspec.json.encode({**plain, "bar": 10**12}),
        "negative": msgspec.json.encode({**plain, "seed": -1}),
        "nested": b"[" * 100_000,
    }[kind]


KINDS = ("empty", "truncated", "random", "zeroed", "flipped", "far off", "negative", "nested")


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_place_is_said_kept_and_made_up_for(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """From the snapshot, and the changes that the log has since."""
    network = tiny("gpt")
    composer = Composer(network, network.pool(1), 7)
    for _ in range(6):
        composer.compose_bar()
    composer.commit(6)

    async def first() -> None:
        scene = Placed(tmp_path)
        await scene.begin()
        await scene.end()

    asyncio.run(first())
    path = tmp_path / "calm-radio.place"
    content = damaged(path.read_bytes(), kind)
    path.write_bytes(content)
    (tmp_path / "calm-radio.stream").write_bytes(save(composer))
    (tmp_path / "logs").mkdir()
    changes = (LoggedChange(2, {"density": 5.0}), LoggedChange(8, {"dynamics": 30}))
    log = ControlLog("default", network.digest, 7, changes=changes)
    (tmp_path / "logs" / "calm-radio-20261130T101010-000001.jsonl").write_bytes(write(log))

    async def second() -> None:
        scene = Placed(tmp_path)
        stream = await scene.begin()
        resume = scene.line.sent(JoinOrder)[0].resume
        assert resume is not None
        assert (resume.bar, resume.kept) == (6, 6)
        assert resume.snapshot == str(tmp_path / "calm-radio.stream")
        assert [change.set for change in resume.changes] == [{"dynamics": 30}]
        assert stream.first == 6
        assert scene.house.counters.troubles == 1
        await scene.end()

    with caplog.at_level(logging.ERROR):
        asyncio.run(second())
    assert "it goes on at bar 6" in caplog.text
    (aside,) = tmp_path.glob("calm-radio.place.damaged-*")
    assert aside.read_bytes() == content


def test_a_damaged_place_with_nothing_beside_it_begins_anew_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "calm-radio.place").write_bytes(b"{}")

    async def scenario() -> None:
        scene = Placed(tmp_path)
        stream = await scene.begin()
        assert (stream.first, stream.seed) == (0, 7)
        await scene.end()

    with caplog.at_level(logging.ERROR):
        asyncio.run(scenario())
    assert "it begins anew" in caplog.text


def test_what_was_heard_otherwise_is_noted_for_the_next_run(tmp_path: Path) -> None:
    async def first() -> None:
        scene = Placed(tmp_path)
        stream = await scene.begin()
        scene.pass_to(stream.planned_until - 50_000)
        scene.deliver(stream, 5)
        scene.clock.time += 2 * BAR
        await scene.end()

    asyncio.run(first())

    async def second() -> bytes:
        scene = Placed(tmp_path)
        (tmp_path / "logs").mkdir()
        (tmp_path / "snapshot").write_bytes(b"")
        place = scene.place()
        assert place.late == (4,)
        path = scene.places.path("calm-radio")
        kept = msgspec.structs.replace(place, kept_path=str(tmp_path / "snapshot"))
        path.write_bytes(msgspec.json.encode(kept))
        rules = LogRules(tmp_path / "logs", 100_000, 10)
        log_writer = ControlLogWriter(rules, scene.clock, scene.house.counters, scene.stations.keep)
        scene.house.observers.append(log_writer)
        await scene.begin()
        log_writer.close()
        await scene.end()
        (log,) = (tmp_path / "logs").glob("*.jsonl")
        return log.read_bytes()

    written = asyncio.run(second())
    assert b'{"late":[4]}' in written
    assert b'{"heard":{"bar":4,' in written


def test_hours_without_composing_are_not_composed_to_be_thrown_away(tmp_path: Path) -> None:
    """Nor do they grow without end, in memory or in the file."""
    hours = 6000  # bars

    async def first() -> int:
        scene = Placed(tmp_path)
        stream = await scene.begin()
        scene.house.lost(frozenset({stream.number}))
        for _ in range(hours):
            scene.clock.time = stream.planned_until - 50_000
            scene.house.composing.time.watch.check(scene.clock.time)
            stream.forget(scene.clock.time)
        scene.stations.shelve()
        assert len(stream.kept.heard) <= MOST_HEARD
        bar = stream.resting_bar(scene.clock.time)
        await scene.end()
        assert scene.places.path("calm-radio").stat().st_size < 200_000
        return bar

    bar = asyncio.run(first())
    assert bar > 5000

    async def second() -> None:
        scene = Placed(tmp_path)
        stream = await scene.begin()
        resume = scene.line.sent(JoinOrder)[0].resume
        assert resume is not None
        assert resume.bar == bar
        (leap,) = resume.changes
        assert (leap.bar, leap.to, leap.tick) == (4, bar, 96 * bar)
        assert stream.first == bar
        assert not scene.house.counters.troubles
        await scene.end()

    asyncio.run(second())


def test_a_station_that_asks_for_what_its_model_does_not_follow_is_named_at_the_start(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        station = StationSettings("calm-radio", "Calm", "calm", 7, None, {"chords": "Am F"})
        scene = Placed(tmp_path, station)
        scene.line.unfollowed = {"chords": "this model does not follow chords"}
        with pytest.raises(ConfigError, match="station 'calm-radio': this model does not follow"):
            await scene.begin()
        await scene.end()

    played(scenario())


def test_another_model_plays_on_without_what_it_does_not_follow_and_says_so(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        station = StationSettings("calm-radio", "Calm", "calm", 7, None, {"chords": "Am F"})
        scene = Placed(tmp_path, station)
        stream = await scene.begin()
        assert stream.controls.chords == "Am F"
        scene.line.unfollowed = {"chords": "this model does not follow chords"}
        notebook = Notebook()
        scene.house.listen(stream, notebook)
        await scene.house.steer(stream, ModelRequest(by="me", model="performance"))
        assert stream.controls.chords == ""
        assert stream.unfollowed == scene.line.unfollowed
        (turned,) = notebook.of(StateTurned)
        assert "without chords, which the model does not follow" in turned.reason
        await scene.end()

    played(scenario())
