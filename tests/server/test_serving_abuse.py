"""Everything wrong at once, from several clients, while a station plays: nobody hears it."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
from pathlib import Path

import pytest
from perpetuo_client import connect

from server.osc.settings import OscSettings
from server.playing.outputs import BarBegin
from server.web.settings import WebSettings
from tests.bundles import tiny_bytes
from tests.server import abuser
from tests.server.live import (
    Ear,
    RecordingOutput,
    configuration,
    opened,
    osc_address,
    play_into,
    socket_address,
)
from tests.server.test_serving import newest_log, replayed, same
from tests.server.test_web_door import get

# A server, those who abuse it and who listens have two cores busy by themselves.
pytestmark = [pytest.mark.in_time, pytest.mark.alone]

SECONDS = 6.0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.onnx"
    path.write_bytes(tiny_bytes("gpt"))
    return path


async def abused(web: str, osc: int) -> dict[str, int]:
    port = web.rstrip("/").rpartition(":")[2]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, abuser.__file__, port, str(osc), str(SECONDS)),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return dict(json.loads(said))


async def figures(page: str) -> dict[str, float]:
    _, _, body = await get(page, "/metrics")
    rows = re.findall(r"^(perpetuo_\S+) (\S+)$", body.decode(), re.MULTILINE)
    return {name: float(value) for name, value in rows}


def test_a_flood_of_everything_wrong_is_not_heard(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "perpetuo")
    recording = RecordingOutput()

    async def scenario() -> tuple[dict[str, int], dict[str, float], list[int]]:
        settings = configuration(
            model,
            tmp_path,
            lookahead=8,
            web=WebSettings(port=0, rate=50, max_message=100_000, queue=65_536),
            osc=OscSettings(port=0, rate=50),
        )
        heard: list[int] = []
        async with opened(settings) as (server, told):
            await play_into(server, recording)
            ear = Ear(server)
            async with connect(socket_address(told)) as honest:
                stream = await honest.listen()

                async def follow() -> None:
                    async for bar in stream:
                        heard.append(bar.index)

                following = asyncio.create_task(follow())
                did = await abused(told.page, osc_address(told)[1])
                await ear.until_bar(max(ear.sounded()) + 4)
                # It is steered as ever.
                steered = await stream.steer(density=5)
                await ear.until_bar(steered.bar)
                following.cancel()
            sounded = ear.sounded()
            assert ear.stream.epoch == 0
            assert [event.by for event in ear.stream.history] == [honest.you]
            found = await figures(told.page)
        log, folder = newest_log(tmp_path)
        same(sounded, replayed(model, log, folder, max(sounded) + 1))
        return did, found, heard

    did, found, heard = asyncio.run(scenario())
    assert heard == list(range(heard[0], heard[0] + len(heard)))
    lines = [event.index for _, event in recording.events if isinstance(event, BarBegin)]
    assert lines == list(range(lines[0], lines[0] + len(lines)))
    assert len(lines) > SECONDS / 0.4
    assert not recording.hanging()
    # Nothing was late or lost.
    assert found["perpetuo_bars_late_total"] == 0
    assert found["perpetuo_dispatch_missed_notes_total"] == 0
    assert found["perpetuo_dispatch_ignored_bars_total"] == 0
    assert found["perpetuo_dispatch_faults_total"] == 0
    # What happened was counted, and told in few lines.
    assert min(did.values()) > 0
    assert found["perpetuo_osc_received_total"] > 0.5 * did["osc"]
    for counted in ("garbage", "flooded", "refused"):
        assert found[f"perpetuo_osc_{counted}_total"] > 0
    let_go = {
        end: found.get(f'perpetuo_web_let_go_total{{reason="{end}"}}', 0)
        for end in ("flood", "binary", "too_large")
    }
    assert min(let_go.values()) > 0, let_go
    assert let_go["binary"] >= did["binary"] - 1
    said = [record for record in caplog.records if record.name.startswith("perpetuo")]
    assert not [record for record in said if record.levelno >= logging.ERROR]
    assert len(said) < 100
