"""The composing process as it runs: a child, its line, its end and its return."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from common.errors import (
    BundleError,
    CapacityError,
    ControlError,
    MidiError,
    OutputError,
    PerpetuoError,
    PlanError,
    SnapshotError,
    StreamError,
)
from engine.files.prompt import Prompt
from engine.music.score import NOTE, Score
from server.composing.client import ComposerClient, ComposerLost
from server.composing.messages import (
    ChangeOrder,
    ChangeReport,
    JoinOrder,
    JoinReport,
    LeaveOrder,
    PastChange,
    ResumePoint,
    ShiftOrder,
    SnapshotOrder,
    SnapshotReport,
)
from tests.bundles import tiny, tiny_bytes
from tests.server.composing_ears import BRISK, PATIENCE, Ear, expected, join, linked

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("models") / "tiny.onnx"
    path.write_bytes(tiny_bytes("gpt"))
    return str(path)


async def change(
    client: ComposerClient, stream: int, values: dict[str, Any]
) -> tuple[ChangeReport, dict[str, Any]]:
    answer = await client.request(ChangeOrder(0, stream, values))
    assert isinstance(answer, ChangeReport)
    return answer, values


async def keep(client: ComposerClient, stream: int) -> SnapshotReport:
    answer = await client.request(SnapshotOrder(0, stream))
    assert isinstance(answer, SnapshotReport)
    return answer


def test_streams_are_composed_ahead_gapless_and_as_they_would_be_alone(model: str) -> None:
    async def play() -> None:
        async with linked(model=model, rows=2) as (client, ear):
            assert client.ready is not None
            assert client.ready.sha256 == tiny("gpt").digest
            assert client.ready.styles == ("calm", "lively")
            assert client.ready.speed > 0
            assert client.ready.pid == client.pid
            joined = [await join(client, stream) for stream in range(3)]
            for stream, answer in enumerate(joined):
                await ear.until_bar(stream, 8)
                bars = ear.heard(stream)
                assert bars == expected(tiny("gpt"), stream, len(bars))
                assert ear.bars[stream][0].due == answer.due
                assert answer.first == 0
                assert answer.controls["metre"] == "2/4"
            await ear.until(lambda: ear.loads)
            load = ear.loads[-1]
            assert load.streams == 3
            assert load.memory > 0
            assert 0 < load.busy <= 1
            assert load.guards["looping_bars"] >= 0
            assert not ear.others

    asyncio.run(play())


def test_a_change_is_heard_from_the_announced_bar_on(model: str) -> None:
    async def play() -> None:
        async with linked(model=model) as (client, ear):
            await join(client, 0)
            changes = []
            for wait, values in ((5, {"metre": "3/4", "key": "D minor"}), (9, {"density": 7})):
                await ear.until_bar(0, wait)
                before = ear.bars[0].copy()
                changes.append(await change(client, 0, values))
                bar = changes[-1][0].bar
                assert ear.bars[0][bar - 1] == before[bar - 1]
                await ear.until(lambda bar=bar: ear.bars[0][bar].revision > 0)
                assert ear.bars[0][bar].due == changes[-1][0].due
            assert changes[0][0].controls == {"metre": "3/4", "key": "D minor"}
            await ear.until_bar(0, changes[-1][0].bar + 4)
            bars = ear.heard(0)
            assert bars == expected(tiny("gpt"), 0, len(bars), changes)
            assert bars[changes[0][0].bar].metre == "3/4"

    asyncio.run(play())


def test_what_cannot_be_done_is_refused_by_kind_and_the_music_goes_on(
    model: str, tmp_path: Path
) -> None:
    (tmp_path / "bad.stream").write_bytes(b"nothing")

    def resumed(snapshot: str) -> ResumePoint:
        return ResumePoint(snapshot, (), 4, 0)

    refusals: list[tuple[type[PerpetuoError], Any]] = [
        (StreamError, ChangeOrder(0, 99, {"density": 3})),
        (ControlError, ChangeOrder(0, 0, {"densty": 3})),
        (PlanError, ChangeOrder(0, 0, {}, {90: {"chord": 9999}})),
        (OutputError, SnapshotOrder(0, 0)),
        (BundleError, JoinOrder(0, 5, "x", "no such model", 1, 1, {})),
        (PerpetuoError, JoinOrder(0, 5, "x", str(tmp_path / "missing.onnx"), 1, 1, {})),
        (ControlError, JoinOrder(0, 5, "x", model, 1, 1, {"style": {"baroque": 1}})),
        (StreamError, JoinOrder(0, 5, "x", model, -1, 1, {})),
        (MidiError, JoinOrder(0, 5, "x", model, 1, 1, {}, prompt={"notes": 1})),
        (
            SnapshotError,
            JoinOrder(0, 5, "x", model, 1, 1, {}, resume=resumed(str(tmp_path / "bad.stream"))),
        ),
        (PerpetuoError, JoinOrder(0, 5, "x", model, 1, 1, {}, resume=resumed("missing.stream"))),
        (CapacityError, JoinOrder(0, 0, "x", model, 1, 1, {})),
    ]

    async def play() -> None:
        async with linked(model=model, most=2) as (client, ear):
            await join(client, 0)
            for kind, order in refusals:
                with pytest.raises(kind) as found:
                    await client.request(order)
                assert type(found.value) is kind
                assert str(found.value)
            await join(client, 1)
            with pytest.raises(CapacityError, match="all 2 streams are taken"):
                await join(client, 2)
            client.send(LeaveOrder(1))
            client.send(LeaveOrder(77))
            await join(client, 2)
            reached = max(ear.bars[0], default=0)
            await ear.until_bar(0, reached + 3)
            bars = ear.heard(0)
            assert bars == expected(tiny("gpt"), 0, len(bars))

    asyncio.run(play())


def test_what_a_model_does_not_follow_is_refused_to_hands_and_left_out_of_presets(
    tmp_path: Path,
) -> None:
    path = tmp_path / "free.onnx"
    path.write_bytes(tiny_bytes("gpt", "performance"))

    async def play() -> None:
        async with linked(model=str(path)) as (client, ear):
            order = JoinOrder(0, 1, "one", str(path), 7, 0, {"chords": "Am F", "density": 3})
            with pytest.raises(ControlError, match="does not follow chords"):
                await client.request(structs.replace(order, asked=("chords",)))
            joined = await client.request(structs.replace(order, stream=2, asked=("density",)))
            assert isinstance(joined, JoinReport)
            assert joined.left_out == ("chords",)
            assert joined.controls["chords"] is None
            assert joined.controls["density"] == 3
            assert "does not follow swing" in joined.unfollowed["swing"]
            await ear.until_bar(2, 1)
            with pytest.raises(ControlError, match="does not follow chords"):
                await change(client, 2, {"chords": "Am F"})
            preset = ChangeOrder(0, 2, {"chords": "Am F", "density": 2}, by_preset=True)
            answer = await client.request(preset)
            assert isinstance(answer, ChangeReport)
            assert answer.controls == {"chords": None, "density": 2}

    asyncio.run(play())


def test_a_stream_that_has_left_is_heard_no_more_and_its_number_of_bars_stays(model: str) -> None:
    async def play() -> None:
        async with linked(model=model) as (client, ear):
            await join(client, 0)
            await join(client, 1)
            await ear.until_bar(0, 2)
            client.send(LeaveOrder(0))
            with pytest.raises(StreamError, match="stream 0 is not composed here"):
                await change(client, 0, {"density": 2})
            reached = max(ear.bars[0])
            await ear.until_bar(1, max(ear.bars.get(1, {0: None})) + 5)
            assert max(ear.bars[0]) == reached

    asyncio.run(play())


def test_garbage_on_the_line_is_told_and_harms_nobody(model: str) -> None:
    async def play() -> None:
        async with linked(model=model) as (client, ear):
            await join(client, 0)
            line = client._child._socket
            assert line is not None
            for garbage in (b"nonsense", b"", b"\x82\xa4type\xa4join", bytes(range(256))):
                line.send(len(garbage).to_bytes(4, "big") + garbage)
            await ear.until(lambda: len(ear.troubles) == 4)
            await change(client, 0, {"density": 3})
            line.send(b"\xff" * 8)
            await ear.until(lambda: ear.returns == 1)
            assert ear.ends == 1
            assert "ended" in client.condition.last_failure
            await join(client, 1)
            await ear.until_bar(1, 2)

    asyncio.run(play())


def test_a_prompt_comes_first_and_lends_its_controls(model: str) -> None:
    notes = np.array([(24 * i, 24, 60 + i % 12, 80, 0) for i in range(16)], NOTE)
    prompt = Prompt.of(Score(notes, programs=(40, *[0] * 7))).plain()

    async def play() -> None:
        async with linked(model=model) as (client, ear):
            answer = await join(client, 0, prompt=prompt, controls={"tempo": 240})
            assert answer.first == 4
            assert answer.controls["tempo"] == 240
            assert (answer.controls["programs"], answer.controls["parts"]) == ({"1": 40}, [1])
            await ear.until_bar(0, 6)
            assert min(ear.bars[0]) == 4
            assert ear.bars[0][4].due == answer.due

    asyncio.run(play())


def test_a_shift_moves_the_bars_that_follow(model: str) -> None:
    async def play() -> None:
        async with linked(model=model) as (client, ear):
            await join(client, 0)
            await ear.until_bar(0, 4)
            reached = max(ear.bars[0])
            client.send(ShiftOrder(0, reached + 1, 700_000))
            client.send(ShiftOrder(99, 3, 700_000))
            changed, _ = await change(client, 0, {})
            await ear.until_bar(0, max(reached, changed.bar) + 2)
            dues = {index: (bar.due, bar.length) for index, bar in ear.bars[0].items()}
            (due, length), (later, _) = dues[reached], dues[reached + 1]
            assert later in (due + length, due + length + 700_000)
            (due, length), (later, _) = dues[reached + 1], dues[reached + 2]
            assert due + length == later

    asyncio.run(play())


def test_killed_in_the_middle_of_a_bar_it_goes_on_as_if_it_never_stopped(
    model: str, tmp_path: Path
) -> None:
    async def play() -> None:
        async with linked(model=model, directory=str(tmp_path), keep_every=3) as (client, ear):
            changes = []
            for stream in range(2):
                await join(client, stream)
            await ear.until_bar(0, 3)
            changes.append(await change(client, 0, {"density": 7}))
            await ear.until(lambda: {k.stream for k in ear.kept} == {0, 1})
            changes.append(await change(client, 0, {"key": "E minor", "metre": "3/4"}))
            await ear.until_bar(0, changes[-1][0].bar + 1)
            await ear.until(lambda: any(k.stream == 0 and k.bar > 8 for k in ear.kept))
            changes.append(await change(client, 0, {"tempo": 280}))
            assert client.pid is not None
            os.kill(client.pid, signal.SIGSTOP)
            asked = asyncio.create_task(change(client, 1, {"density": 2}))
            await asyncio.sleep(0)
            os.kill(client.pid, signal.SIGKILL)
            with pytest.raises(ComposerLost, match="the composing process ended"):
                await asked
            assert (ear.ends, client.is_open) == (1, False)
            with pytest.raises(ComposerLost, match="the composing process is not running"):
                await change(client, 1, {"density": 2})
            old = {stream: dict(held) for stream, held in ear.bars.items()}

            await ear.until(lambda: ear.returns == 1)
            assert client.condition.restarts == 1
            for stream in (0, 1):
                held = old[stream]
                kept = [k for k in ear.kept if k.stream == stream][-1]
                # What was planned beyond the last change is void.
                bar = max(kept.bar, min(max(held) - 1, changes[-1][0].bar))
                logged = tuple(
                    PastChange(made.bar, values, {})
                    for made, values in changes
                    if stream == 0 and made.bar >= kept.bar
                )
                revisions = {i: one.revision for i, one in held.items() if i >= bar}
                resume = ResumePoint(kept.path, logged, bar, held[bar].due, revisions)
                answer = await join(client, stream + 10, number=stream, seed=0, resume=resume)
                assert (answer.first, answer.due) == (bar, held[bar].due)
                if stream == 0:
                    assert answer.controls["key"] == "E minor"
                    assert answer.controls["tempo"] == 280
            # A change that comes while it still catches up has its turn after that.
            late = await change(client, 11, {"density": 1})
            changes.append(await change(client, 10, {"transpose": 2}))
            last = changes[-1][0].bar
            await ear.until_bar(10, last + 4)
            await ear.until_bar(11, late[0].bar + 2)
            for stream, made in ((0, changes), (1, [late])):
                bars = {**old[stream], **ear.bars[stream + 10]}
                ear.bars[99] = bars
                found = ear.heard(99)
                assert found == expected(tiny("gpt"), stream, len(found), made)
                for index in old[stream].keys() & ear.bars[stream + 10].keys():
                    assert ear.bars[stream + 10][index].revision > old[stream][index].revision

    asyncio.run(play())


def test_closed_and_started_again_it_goes_on_at_its_bar(model: str, tmp_path: Path) -> None:
    async def play() -> None:
        async with linked(model=model, directory=str(tmp_path), keep_every=1000) as (client, ear):
            await join(client, 0, name="a/b: ü")
            await ear.until_bar(0, 7)
            await client.close(PATIENCE)
            assert (ear.ends, client.is_open) == (0, False)
            kept = ear.kept[-1]
            assert Path(kept.path).parent == tmp_path
        async with linked(model=model, directory=str(tmp_path), keep_every=1000) as (client, after):
            resume = ResumePoint(kept.path, (), kept.bar, 0)
            answer = await join(client, 1, seed=0, resume=resume)
            assert answer.first == kept.bar
            assert answer.due > ear.bars[0][7].due - 10**7
            await after.until_bar(1, kept.bar + 3)
            bars = after.heard(1)
            assert bars == expected(tiny("gpt"), 0, kept.bar + len(bars))[kept.bar :]
            assert [path.name for path in tmp_path.iterdir()] == [Path(kept.path).name]

    asyncio.run(play())


def test_without_a_snapshot_it_is_composed_from_its_beginning(model: str) -> None:
    async def play() -> None:
        async with linked(model=model) as (client, ear):
            changes = [
                (ChangeReport(0, 0, 5, 0, {}), {"density": 6}),
                (ChangeReport(0, 0, 14, 0, {}), {}),
            ]
            logged = tuple(PastChange(made.bar, values, {}) for made, values in changes)
            answer = await join(client, 0, resume=ResumePoint("", logged, 12, 0))
            assert answer.first == 12
            await ear.until_bar(0, 16)
            bars = ear.heard(0)
            assert bars == expected(tiny("gpt"), 0, 12 + len(bars), changes)[12:]

    asyncio.run(play())


def test_snapshots_that_cannot_be_written_are_told_once_and_the_music_goes_on(
    model: str, tmp_path: Path
) -> None:
    folder = tmp_path / "gone"

    async def play() -> None:
        async with linked(model=model, directory=str(folder), keep_every=1) as (client, ear):
            await join(client, 0)
            await ear.until_bar(0, 6)
            with pytest.raises(OutputError, match="cannot be written"):
                await keep(client, 0)
            assert len(ear.troubles) == 1
            assert str(folder) in ear.troubles[0].message
            folder.mkdir()
            found = await keep(client, 0)
            assert Path(found.path).is_file()
            await ear.until(lambda: ear.kept)
            for path in folder.iterdir():
                path.unlink()
            await ear.until_bar(0, max(ear.bars[0]) + 1)
            assert len(ear.troubles) == 1

    asyncio.run(play())


def test_another_model_is_loaded_on_demand(model: str, tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(tiny_bytes("lstm"))

    async def play() -> None:
        async with linked(model=model) as (client, ear):
            await join(client, 0)
            asked = [asyncio.create_task(join(client, n, model=str(other))) for n in (1, 2)]
            answers = await asyncio.gather(*asked)
            assert {answer.sha256 for answer in answers} == {tiny("lstm").digest}
            for stream, kind in ((0, "gpt"), (1, "lstm"), (2, "lstm")):
                await ear.until_bar(stream, 5)
                bars = ear.heard(stream)
                assert bars == expected(tiny(kind), stream, len(bars))
            for stream in (1, 2):
                client.send(LeaveOrder(stream))
            await join(client, 3, model=str(other))
            await ear.until_bar(3, 1)

    asyncio.run(play())


def test_a_model_that_is_none_is_said_at_the_start(tmp_path: Path) -> None:
    async def play() -> None:
        path = tmp_path / "none.onnx"
        for data in (None, b"no model"):
            if data is not None:
                path.write_bytes(data)
            ear = Ear()
            with pytest.raises(PerpetuoError, match=r"none\.onnx"):
                async with linked(model=str(path)):
                    pass
            assert ear.ends == 0

    asyncio.run(play())


def test_signals_to_the_whole_group_are_left_to_the_server(model: str) -> None:
    async def play() -> None:
        async with linked(model=model) as (client, ear):
            assert client.pid is not None
            for number in (signal.SIGINT, signal.SIGTERM):
                os.kill(client.pid, number)
            await join(client, 0)
            await ear.until_bar(0, 1)
            assert ear.ends == 0

    asyncio.run(play())


def test_the_process_ends_when_the_server_dies(model: str) -> None:
    # Standard error is shared by both: it ends when both have ended.
    script = (
        "import asyncio, os, signal, sys\n"
        "from server.composing.client import ComposerClient\n"
        "from server.composing.messages import ComposerSettings\n"
        "async def main():\n"
        "    link = ComposerClient(ComposerSettings(model=sys.argv[1]), print, print, print)\n"
        "    print((await link.start()).pid, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, model],
        cwd=ROOT,
        capture_output=True,
        timeout=PATIENCE,
    )
    assert done.returncode == -signal.SIGKILL
    assert int(done.stdout) > 0
    assert done.stderr == b""


def test_brisk_bars_are_short() -> None:
    (bar, *_) = expected(tiny("gpt"), 0, 1)
    assert bar.length == 400_000
    assert BRISK["metre"] == bar.metre
