"""Control logs of live streams: whole, bounded, and never in the way of the music."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.files.control_log import ControlLog, read
from server.house.log_writer import ControlLogWriter, LogRules, LogSegment
from server.house.stream import ResumeState, Stream
from tests.server.house_fakes import SECOND
from tests.server.steering import change, reseed
from tests.server.test_house import Scene, played


class Writing(Scene):
    """A house whose streams are logged."""

    def __init__(self, folder: Path, max_bytes: int = 100_000, keep: int = 20) -> None:
        super().__init__()
        self.folder = folder
        self.snapshot = folder / "snapshot"
        self.snapshot.write_bytes(b"state")
        rules = LogRules(folder / "logs", max_bytes, keep)
        if not rules.directory.exists():
            rules.directory.mkdir()
        self.log_writer = ControlLogWriter(rules, self.clock, self.house.counters, self._keep)
        self.house.observers.append(self.log_writer)

    async def _keep(self, stream: Stream) -> ResumeState:
        stream.was_kept(self.line.first_open.get(stream.number, 0), str(self.snapshot))
        return stream.kept

    def logs(self) -> list[ControlLog]:
        paths = sorted((self.folder / "logs").glob("*.jsonl"))
        return [read(path.read_bytes()) for path in paths]

    def close(self) -> None:
        self.log_writer.close()
        super().close()


def test_a_log_holds_what_a_replay_needs(tmp_path: Path) -> None:
    async def scenario() -> None:
        scene = Writing(tmp_path)
        station = await scene.open()
        scene.line.first_open[station.number] = 2
        await change(scene.house, station, {"density": 4}, {3: {"chord": 9}})
        (log,) = scene.logs()
        assert (log.seed, log.sha256, log.controls) == (7, "0" * 64, station.begun_with)
        (made,) = log.changes
        assert (made.bar, made.set, made.plan) == (2, {"density": 4}, {3: {"chord": 9}})
        assert log.end is None
        scene.close()

    played(scenario())


def test_bridged_bars_are_written_down(tmp_path: Path) -> None:
    async def scenario() -> None:
        scene = Writing(tmp_path)
        station = await scene.open(bars=2)
        scene.pass_to(station.planned_until - 50_000)
        assert scene.logs()[0].late == (2,)
        scene.close()

    played(scenario())


def test_a_new_epoch_ends_the_log_and_begins_another(tmp_path: Path) -> None:
    async def scenario() -> None:
        scene = Writing(tmp_path)
        station = await scene.open()
        scene.clock.time = station.bars[1].due + 1
        await reseed(scene.house, station, 8)
        first, second = scene.logs()
        assert (first.seed, first.end) == (7, 2)  # bars 0 and 1 sounded
        assert (second.seed, second.end) == (8, None)
        scene.close()

    played(scenario())


def test_a_full_segment_is_followed_by_one_that_begins_with_a_snapshot(tmp_path: Path) -> None:
    async def scenario() -> None:
        scene = Writing(tmp_path, max_bytes=2000)
        station = await scene.open()
        scene.line.first_open[station.number] = 3
        while len(scene.logs()) < 2:
            await change(scene.house, station, {"density": 4})
            await scene.log_writer.tick()
        first, second = scene.logs()
        assert first.snapshot is None
        assert second.first == 3
        assert second.snapshot is not None
        assert (tmp_path / "logs" / second.snapshot).read_bytes() == b"state"
        scene.close()

    played(scenario())


def test_old_segments_and_their_snapshots_are_deleted(tmp_path: Path) -> None:
    async def scenario() -> None:
        scene = Writing(tmp_path, keep=2)
        station = await scene.open()
        for seed in range(5):
            await reseed(scene.house, station, seed)
        assert [log.seed for log in scene.logs()] == [3, 4]
        scene.close()

    played(scenario())


def test_logs_of_a_station_whose_name_begins_alike_are_kept(tmp_path: Path) -> None:
    async def scenario() -> None:
        scene = Writing(tmp_path, keep=1)
        station = await scene.open()
        others = [
            tmp_path / "logs" / f"{station.name}-{name}20260101T000000-000001.jsonl"
            for name in ("night-", "20250101T000000-")
        ]
        for other in others:
            other.write_bytes(b"")
        old = tmp_path / "logs" / f"{station.name}-20260101T000000-000001.jsonl"
        old.write_bytes(b"")
        await reseed(scene.house, station, 8)
        assert all(other.exists() for other in others)
        assert not old.exists()
        scene.close()

    played(scenario())


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Writing to a log fails as on a full disk while the flag stands."""
    is_full = [False]
    write = LogSegment.write

    def failing(segment: LogSegment, line: bytes) -> None:
        if is_full[0]:
            raise OSError(28, "No space left on device")
        write(segment, line)

    monkeypatch.setattr(LogSegment, "write", failing)
    return is_full


def test_a_full_disk_stops_the_log_and_not_the_music(
    tmp_path: Path, full_disk: list[bool], caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        scene = Writing(tmp_path)
        station = await scene.open()
        full_disk[0] = True
        for _ in range(3):
            await change(scene.house, station, {"density": 4})
        scene.deliver(station, 4)
        assert station.missing == 5
        assert scene.house.counters.troubles == 1
        assert sum("No space left" in line for line in caplog.messages) == 1
        full_disk[0] = False
        await scene.log_writer.tick()
        assert len(scene.logs()) == 1  # not at once
        scene.clock.time += 31 * SECOND
        await scene.log_writer.tick()
        last = scene.logs()[-1]
        assert last.snapshot is not None
        scene.close()

    with caplog.at_level("WARNING"):
        played(scenario())


def test_own_streams_are_logged_and_their_log_does_not_keep_them(tmp_path: Path) -> None:
    async def scenario() -> None:
        scene = Writing(tmp_path)
        await scene.open()
        own = await scene.house.open(seed=3, owner="me")
        assert own.listeners == []
        scene.clock.time += 61 * SECOND
        scene.house.tick()
        assert own.state == "ended"
        (log,) = (log for log in scene.logs() if log.seed == 3)
        assert log.end is not None
        scene.close()

    played(scenario())


def test_closing_the_server_leaves_logs_open_ended(tmp_path: Path) -> None:
    async def scenario() -> None:
        scene = Writing(tmp_path)
        await scene.open()
        scene.close()
        assert scene.logs()[0].end is None

    asyncio.run(scenario())
