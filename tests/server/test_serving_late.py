"""A real server whose composing stands still again and again, and one that is killed: it comes back
to what was asked for."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest
from perpetuo_client import connect
from perpetuo_client.bars import Bar
from perpetuo_client.server import Server as Client
from perpetuo_client.stream import Stream

from server.benches.live.visit import Visit
from server.web.outgoing import Ack
from tests.bundles import tiny_bytes
from tests.server.served import Served, brisk, serving

pytestmark = pytest.mark.in_time

STANDS, GOES = 3.6, 0.3  # seconds: longer than all that is planned, shorter than what is ended for
TIMES = 3
BACK_WITHIN = 20.0  # seconds
SLOW, FAST = 40, 240  # quarters a minute


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.onnx"
    path.write_bytes(tiny_bytes("gpt"))
    return path


@pytest.fixture
def words(model: Path, tmp_path: Path) -> list[object]:
    """A quiet server of one station of short bars."""
    return [brisk(tmp_path), "--model", model, "--port", 0, "--state", tmp_path / "state"]


@asynccontextmanager
async def client_of(served: Served) -> AsyncIterator[tuple[Client, Stream]]:
    async with connect(served.page.replace("http", "ws", 1)) as client:
        yield client, await client.listen("test")


async def until_heard(client: Client, stream: Stream, tempo: int) -> Bar:
    """Wait until a bar of this tempo sounds."""
    while (bar := stream.playing) is None or round(bar.bpm) != tempo:
        await stream.wait(client.now() + 50_000)
    return bar


@pytest.mark.alone
def test_composing_that_stood_still_keeps_up_again_at_a_slower_tempo(words: list[object]) -> None:
    async def scenario(served: Served) -> None:
        async with client_of(served) as (client, stream):
            await until_heard(client, stream, 300)
            composing = served.composing()
            for time in range(TIMES):
                os.kill(composing, signal.SIGSTOP)
                await asyncio.sleep(STANDS)
                if time == TIMES - 1:  # it hears of it when it is as far behind as can be
                    steering = asyncio.create_task(stream.steer(tempo=SLOW, density=1))
                    await asyncio.sleep(GOES)
                os.kill(composing, signal.SIGCONT)
                await asyncio.sleep(GOES)
            free = monotonic()
            bridged = [bar for bar in stream.timeline.bars.values() if bar.late]
            assert len(bridged) >= 10
            assert served.composing() == composing  # it was not taken for one that hangs
            heard = await steering
            async with asyncio.timeout(BACK_WITHIN):
                first = await until_heard(client, stream, SLOW)
            assert not first.late
            assert first.index >= heard.bar
            late = served.metric("perpetuo_bars_late_total")
            async with asyncio.timeout(BACK_WITHIN - (monotonic() - free)):
                while max(stream.timeline.bars) < first.index + 4:  # all that is planned
                    await stream.wait()
            planned = [bar for index, bar in stream.timeline.bars.items() if index > first.index]
            assert {(round(bar.bpm), bar.late) for bar in planned} == {(SLOW, False)}
            assert served.metric("perpetuo_bars_late_total") == late

    with serving(*words) as served:
        asyncio.run(scenario(served))
        assert served.end() == 0


@pytest.mark.parametrize("bar", [1, 6], ids=["before a snapshot", "after one"])
@pytest.mark.parametrize("seconds", [0.0, 0.04])
def test_what_was_acknowledged_as_saved_outlives_a_kill(
    words: list[object], bar: int, seconds: float
) -> None:
    async def steer(served: Served) -> int:
        """The bar in which it is announced."""
        visit = await Visit.begin(f"{served.page.replace('http', 'ws', 1)}ws")
        controls = {"tempo": FAST, "density": 7}
        ack = await visit.answer(await visit.say("steer", stream="test", controls=controls))
        await asyncio.sleep(seconds)
        os.killpg(served.pid, signal.SIGKILL)
        await visit.end()
        assert isinstance(ack, Ack)
        assert ack.saved
        assert ack.bar is not None
        return ack.bar

    async def again(served: Served, first: int) -> None:
        async with client_of(served) as (client, stream):
            assert (stream.controls["tempo"], stream.controls["density"]) == (FAST, 7)
            while max(stream.timeline.bars, default=0) < first + 2:
                await stream.wait(client.now() + 50_000)
            bars = stream.timeline.bars.values()
            assert {round(one.bpm) for one in bars if one.index >= first} == {FAST}

    with serving(*words) as served:
        served.until_bar(bar)
        first = asyncio.run(steer(served))
        assert served.wait() == -signal.SIGKILL
    with serving(*words) as served:
        assert served.until("goes on at bar")
        asyncio.run(again(served, first))
        assert served.end() == 0
