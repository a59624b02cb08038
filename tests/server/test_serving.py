"""The whole server: what is heard is what a replay gives, through crashes and restarts."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from engine.files.control_log import ControlLog, read
from engine.library.bars import Length, composer_of
from engine.library.loading import load_network
from server.base.wire import WireBar
from server.commands.offline import compose
from server.composing import client
from server.composing.reports import wire_bar
from server.house.log_writer import ControlLogWriter
from server.house.stations import StationKeeper
from server.house.stream import Stream
from tests.bundles import tiny_bytes
from tests.server.live import (
    BRISK,
    PATIENCE,
    Ear,
    RecordingOutput,
    configuration,
    music,
    play_into,
    running,
)
from tests.server.steering import apply_preset, change, go_on, stop

pytestmark = pytest.mark.in_time


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.onnx"
    path.write_bytes(tiny_bytes("gpt"))
    return path


def newest_log(state: Path) -> tuple[ControlLog, Path]:
    folder = state / "logs"
    path = max(folder.glob("test-*.jsonl"), key=lambda path: path.name)
    return read(path.read_bytes()), folder


def replayed(model: Path, log: ControlLog, folder: Path, bars: int) -> dict[int, WireBar]:
    """The bars of a log as they were heard, composed again, by index."""
    composer = composer_of(load_network(model), log, folder)
    first = composer.next_bar
    found = compose(composer, Length(bars - first), log)
    return {bar.index: wire_bar(bar, composer.controls.key, 0) for bar in found}


def same(heard: dict[int, WireBar], again: dict[int, WireBar]) -> None:
    assert heard
    for index, bar in heard.items():
        assert music(bar) == music(again[index]), f"bar {index}"


@pytest.mark.alone
def test_a_replay_of_the_log_gives_back_what_was_heard(model: Path, tmp_path: Path) -> None:
    async def scenario() -> dict[int, WireBar]:
        async with running(configuration(model, tmp_path)) as server:
            ear = Ear(server)
            for bar, values in ((1, {"density": 8}), (3, {"key": "D minor"}), (4, {"density": 1})):
                await ear.until_bar(bar)
                event = await change(server.house, ear.stream, values)
                assert event.bar > bar
            await ear.until_bar(8)
            assert server.house.counters.late_bars == 0
            return ear.sounded()

    heard = asyncio.run(scenario())
    log, folder = newest_log(tmp_path)
    assert [made.set for made in log.changes] == [
        {"density": 8.0},
        {"key": "D minor"},
        {"density": 1.0},
    ]
    same(heard, replayed(model, log, folder, max(heard) + 1))


@pytest.mark.alone
def test_a_killed_composer_is_not_heard(model: Path, tmp_path: Path) -> None:
    async def scenario() -> dict[int, WireBar]:
        settings = configuration(model, tmp_path, lookahead=12)
        async with running(settings) as server:
            ear = Ear(server)
            await ear.until_bar(1)
            await change(server.house, ear.stream, {"density": 8})
            first = server.pool.workers[0].client.pid
            assert first is not None
            os.kill(first, signal.SIGKILL)
            await ear.until_bar(max(ear.planned) + 6)
            assert server.pool.workers[0].client.pid not in (None, first)
            assert server.house.counters.composer_restarts == 1
            assert server.house.counters.late_bars == 0
            heard = ear.sounded()
            assert sorted(heard) == list(range(max(heard) + 1))
            return heard

    heard = asyncio.run(scenario())
    log, folder = newest_log(tmp_path)
    same(heard, replayed(model, log, folder, max(heard) + 1))


def test_a_composer_that_hangs_is_replaced(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "COMPOSING", replace(client.COMPOSING, hangs_after=3.0))

    async def scenario() -> None:
        async with running(configuration(model, tmp_path, lookahead=12)) as server:
            ear = Ear(server)
            await ear.until_bar(1)
            first = server.pool.workers[0].client.pid
            assert first is not None
            os.kill(first, signal.SIGSTOP)
            async with asyncio.timeout(60):
                while server.house.counters.composer_restarts == 0:
                    await asyncio.sleep(0.05)
            assert server.pool.workers[0].client.pid not in (None, first)
            await ear.until_bar(max(ear.planned) + 3)

    asyncio.run(scenario())


def test_a_restarted_server_goes_on_with_the_same_music(model: Path, tmp_path: Path) -> None:
    async def first() -> dict[int, WireBar]:
        async with running(configuration(model, tmp_path)) as server:
            ear = Ear(server)
            await ear.until_bar(2)
            await change(server.house, ear.stream, {"density": 8})
            await ear.until_bar(5)
            return ear.sounded()

    async def second() -> dict[int, WireBar]:
        async with running(configuration(model, tmp_path)) as server:
            ear = Ear(server)
            await ear.until_bar(ear.stream.first + 4)
            assert ear.stream.controls.density == 8
            assert ear.stream.title == "Test"  # not what it is called on the wire
            return ear.sounded()

    before = asyncio.run(first())
    log, folder = newest_log(tmp_path)
    after = asyncio.run(second())
    assert min(after) in (max(before), max(before) + 1)  # at the bar where it was
    uninterrupted = replayed(model, log, folder, max(after) + 1)
    same(before, uninterrupted)
    same(after, uninterrupted)
    # The log of the second run begins with a snapshot, and can be replayed alone.
    log, folder = newest_log(tmp_path)
    assert log.snapshot is not None
    again = replayed(model, log, folder, max(after) + 1)
    same({i: bar for i, bar in after.items() if i in again}, again)


def test_a_changed_configuration_begins_anew(model: Path, tmp_path: Path) -> None:
    async def first_bar(density: float) -> int:
        settings = configuration(model, tmp_path)
        (station,) = settings.stations
        changed = type(station)("test", "Test", None, 7, None, {**BRISK, "density": density})
        async with running(configuration(model, tmp_path, stations=(changed,))) as server:
            ear = Ear(server)
            await ear.until_bar(ear.stream.first + 2)
            return ear.stream.first

    assert asyncio.run(first_bar(2)) == 0
    assert asyncio.run(first_bar(2)) >= 2
    assert asyncio.run(first_bar(3)) == 0


def test_every_note_that_is_struck_is_ended_when_the_server_ends(
    model: Path, tmp_path: Path
) -> None:
    recording = RecordingOutput()

    async def scenario() -> None:
        async with running(configuration(model, tmp_path)) as server:
            await play_into(server, recording)
            ear = Ear(server)
            await ear.until_bar(4)
            while not recording.hanging():  # in the middle of a note
                await asyncio.sleep(0.005)

    asyncio.run(scenario())
    assert recording.events
    assert not recording.hanging()
    assert recording.silenced


@pytest.mark.alone
def test_a_stopped_station_is_silent_and_goes_on_with_the_same_music(
    model: Path, tmp_path: Path
) -> None:
    recording = RecordingOutput()

    async def scenario() -> dict[int, WireBar]:
        async with running(configuration(model, tmp_path)) as server:
            await play_into(server, recording)
            ear = Ear(server)
            await ear.until_bar(3)
            await stop(server.house, ear.stream)
            await asyncio.sleep(0.1)
            count = len(recording.events)
            assert not recording.hanging()
            await asyncio.sleep(1.0)  # more than two bars
            assert len(recording.events) == count
            await go_on(server.house, ear.stream)
            resting = max(ear.sounded())
            await ear.until_bar(resting + 3)
            assert len(recording.events) > count
            assert server.house.counters.late_bars == 0
            return {i: planned.bar for i, planned in ear.stream.bars.items()}

    heard = asyncio.run(scenario())
    log, folder = newest_log(tmp_path)
    same(heard, replayed(model, log, folder, max(heard) + 1))


def test_a_killed_server_goes_on_although_nothing_was_saved_yet(
    model: Path, tmp_path: Path
) -> None:
    """Its place is noted every second; what came before is composed again from the beginning."""

    async def first() -> tuple[dict[int, WireBar], bytes]:
        async with running(configuration(model, tmp_path, snapshot_bars=1000)) as server:
            ear = Ear(server)
            await ear.until_bar(2)
            event = await change(server.house, ear.stream, {"density": 8})
            await ear.until_bar(event.bar + 3)
            assert await server.stations.save(ear.stream)
            return ear.sounded(), server.stations.places.path("test").read_bytes()

    async def second() -> dict[int, WireBar]:
        async with running(configuration(model, tmp_path)) as server:
            ear = Ear(server)
            await ear.until_bar(ear.stream.first + 3)
            return ear.sounded()

    before, place = asyncio.run(first())
    log, folder = newest_log(tmp_path)
    # As it would be after a kill: the place of a moment ago, and no snapshot.
    (tmp_path / "streams" / "test.place").write_bytes(place)
    (tmp_path / "streams" / "test.stream").unlink()
    after = asyncio.run(second())
    assert min(after) >= max(before)
    again = replayed(model, log, folder, max(after) + 1)
    same(before, again)
    same(after, again)


def test_what_was_kept_of_an_own_stream_is_deleted_when_it_ends(
    model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "streams"

    async def scenario() -> None:
        async with running(configuration(model, tmp_path, snapshot_bars=1)) as server:
            own = await server.house.open(controls=BRISK, owner="test")
            path = folder / f"{own.name}.stream"
            async with asyncio.timeout(30):
                while not path.exists():
                    await asyncio.sleep(0.05)
                await server.house.close(own, "enough")
                while path.exists():
                    await asyncio.sleep(0.05)

    asyncio.run(scenario())
    assert [path.name for path in folder.glob("*.stream")] == ["test.stream"]


async def composed(stream: Stream, bars: int) -> None:
    """Wait until so many bars of this epoch are there."""
    async with asyncio.timeout(PATIENCE):
        while stream.missing < stream.first + bars:
            await asyncio.sleep(0.02)


@pytest.mark.alone
def test_a_preset_for_another_model_is_heard_and_outlives_a_restart(
    model: Path, tmp_path: Path
) -> None:
    own = tmp_path / "presets"
    own.mkdir()
    (own / "other.onnx").write_bytes(tiny_bytes("lstm"))
    head = 'title = "T"\nhelp = "It plays."\n'
    brisk = '[controls]\ntempo = 300\nmetre = "2/4"\n'
    (own / "free.toml").write_text(f'{head}model = "other.onnx"\n{brisk}density = 6\n')
    (own / "plain.toml").write_text(head + brisk)
    settings = configuration(model, tmp_path, presets=own)

    async def first() -> None:
        async with running(settings) as server:
            ear = Ear(server)
            await ear.until_bar(2)
            event = await apply_preset(server.house, ear.stream, "free")
            assert (ear.stream.model_name, ear.stream.epoch) == ("other", 1)
            assert event.controls["density"] == 6
            await composed(ear.stream, 3)
            assert server.house.counters.late_bars == 0

    async def second() -> None:
        async with running(settings) as server:
            ear = Ear(server)
            assert (ear.stream.model_name, ear.stream.preset) == ("other", "free")
            await apply_preset(server.house, ear.stream, "plain")
            assert ear.stream.model_name == "tiny"
            assert ear.stream.controls.density is None
            await composed(ear.stream, 3)

    asyncio.run(first())
    asyncio.run(second())


def test_tasks_that_fail_or_hang_keep_no_other_from_its_work(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs(log_writer: ControlLogWriter) -> None:
        await asyncio.Event().wait()

    def raises(stations: StationKeeper) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ControlLogWriter, "tick", hangs)
    monkeypatch.setattr(StationKeeper, "shelve", raises)

    async def scenario() -> None:
        settings = configuration(model, tmp_path)
        web = msgspec.structs.replace(settings.web, idle_seconds=1)
        settings = msgspec.structs.replace(settings, web=web)
        async with running(settings) as server:
            async with asyncio.timeout(PATIENCE):
                while not server.background.faults["places"]:
                    await asyncio.sleep(0.05)
                own = await server.house.open(controls=BRISK, owner="test")
                while own.name in server.house.streams:
                    await asyncio.sleep(0.05)
            monkeypatch.undo()

    asyncio.run(scenario())
