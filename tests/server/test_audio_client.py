"""The process that makes sound is supervised like the one that composes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from server.audio.client import SoundClient
from server.audio.messages import Report, SoundReady, SoundSettings, SoundUnable
from server.base.framing import encode
from server.child.starting import ChildKind
from server.child.supervised import ENDED

SCRIPT = Path(__file__).with_name("child_script.py")
PATIENCE = 60.0


class Scene:
    def __init__(self, folder: Path, mode: str, first: Report) -> None:
        self.folder = folder
        self.heard: list[Report] = []
        self.ends = 0
        self.becomes(mode, first)
        kind = ChildKind(
            "the process that makes sound",
            (sys.executable, "-S", str(SCRIPT)),
            hangs_after=0.7,
            first_pause=0.02,
            longest_pause=0.1,
        )
        settings = SoundSettings("", -16.0, 4.0)
        self.client = SoundClient(settings, self.heard.append, self.end, kind)
        self.client._child._argument = str(folder)

    def becomes(self, mode: str, first: Report) -> None:
        (self.folder / "mode").write_text(mode)
        (self.folder / "ready").write_bytes(encode(first))

    def end(self) -> None:
        self.ends += 1

    async def until(self, told: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not told():
                await asyncio.sleep(0.02)


@asynccontextmanager
async def scene(folder: Path, mode: str, first: Report) -> AsyncIterator[Scene]:
    it = Scene(folder, mode, first)
    try:
        yield it
    finally:
        await it.client.close()


def test_each_process_that_is_ready_is_heard_of_and_each_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with scene(tmp_path, "works", SoundReady(1)) as it:
            await it.client.start()
            assert (it.client.is_up, it.heard) == (True, [SoundReady(1)])
            assert it.client.pid is not None
            os.kill(it.client.pid, signal.SIGKILL)
            await it.until(lambda: it.heard == [SoundReady(1), SoundReady(1)])
            assert (it.ends, it.client.restarts, it.client.trouble) == (1, 1, "")

    asyncio.run(scenario())


@pytest.mark.parametrize("mode", ["silent", "dies", "garbage"])
def test_one_that_fails_at_the_first_start_is_no_reason_to_give_up(
    tmp_path: Path, mode: str
) -> None:
    async def scenario() -> None:
        async with scene(tmp_path, mode, SoundReady(1)) as it:
            async with asyncio.timeout(PATIENCE):
                await it.client.start()
            assert (it.client.is_up, it.client.trouble) == (False, "")
            assert it.client.condition.last_failure
            it.becomes("works", SoundReady(1))
            await it.until(lambda: it.client.is_up)
            assert it.heard == [SoundReady(1)]
            assert it.ends == 0

    asyncio.run(scenario())


def test_one_that_says_why_it_never_can_is_not_started_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with scene(tmp_path, "works", SoundUnable("no library")) as it:
            await it.client.start()
            assert it.client.trouble == "no library"
            await it.until(lambda: it.client.condition.state == ENDED)
            assert len((tmp_path / "starts").read_text().split()) == 1
            assert it.client.condition.failures == 0

    asyncio.run(scenario())
