"""A supervised child: whatever it fails of, it is ended, and another one follows."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from common.errors import BundleError, StreamError
from server.base.framing import encode
from server.child import starting, supervised
from server.child.starting import ChildKind
from server.child.supervised import ENDED, STARTING, WAITING, Child
from server.composing.messages import CloseOrder, ComposerReady, LoadReport, Report, report_frames

pytestmark = pytest.mark.in_time

SCRIPT = Path(__file__).with_name("child_script.py")
PATIENCE = 60.0
READY = ComposerReady("default", "0", (), 1.0, 1)


@dataclass
class Scene:
    """A child that behaves as `becomes` says, whenever one is started."""

    folder: Path
    child: Child[Report] = field(init=False)
    heard: list[Report] = field(default_factory=list)
    losses: int = 0
    returns: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def becomes(self, mode: str) -> None:
        (self.folder / "mode").write_text(mode)

    @property
    def starts(self) -> list[int]:
        path = self.folder / "starts"
        return [int(pid) for pid in path.read_text().split()] if path.exists() else []

    def hear(self, report: Report) -> None:
        self.heard.append(report)
        self.news.set()

    def lost(self) -> None:
        self.losses += 1
        self.news.set()

    def back(self) -> None:
        self.returns += 1
        self.news.set()

    async def until(self, told: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not told():
                await asyncio.sleep(0.02)


@asynccontextmanager
async def scene(folder: Path, mode: str, **kind: Any) -> AsyncIterator[Scene]:
    made = Scene(folder)
    made.becomes(mode)
    (folder / "ready").write_bytes(encode(READY))
    values = {"hangs_after": 1.0, "first_pause": 0.02, "longest_pause": 0.1, **kind}
    made.child = Child(
        ChildKind("the child", (sys.executable, "-S", str(SCRIPT)), **values),
        str(folder),
        report_frames,
        greet=lambda report: isinstance(report, ComposerReady),
        take=made.hear,
        lost=made.lost,
        back=made.back,
    )
    try:
        yield made
    finally:
        await made.child.close(1.0)
        assert made.child.condition.state == ENDED
        assert not any(map(is_there, made.starts)), "no child outlives its supervision"


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def played(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("silent", "said nothing for 2 s: it hangs"),
        ("loading", "was not ready within 1.5 s"),
        ("dies", "ended before it was ready"),
        ("garbage", "is not understood"),
    ],
)
def test_the_first_start_tells_why_it_failed_and_leaves_nothing(
    tmp_path: Path, mode: str, reason: str
) -> None:
    async def scenario() -> None:
        async with scene(tmp_path, mode, start_within=1.5 if mode == "loading" else 60.0) as it:
            async with asyncio.timeout(PATIENCE):
                with pytest.raises(StreamError, match=f"the child {reason}"):
                    await it.child.start()
            assert not any(map(is_there, it.starts))
            assert (it.losses, len(it.starts)) == (0, 1)

    played(scenario())


@pytest.mark.parametrize("mode", ["silent", "loading", "dies", "garbage"])
def test_one_that_fails_before_it_is_ready_is_followed_by_another_for_ever(
    tmp_path: Path, mode: str
) -> None:
    async def scenario() -> None:
        async with scene(tmp_path, "works", start_within=1.5, hangs_after=0.7) as it:
            await it.child.start()
            it.becomes(mode)
            assert it.child.pid is not None
            os.kill(it.child.pid, signal.SIGKILL)
            await it.until(lambda: it.child.condition.failures >= 3)
            assert it.child.condition.state in (STARTING, WAITING)
            assert it.returns == 0
            it.becomes("works")
            await it.until(lambda: it.child.is_up)
            assert (it.losses, it.returns, it.child.condition.restarts) == (1, 1, 1)

    played(scenario())


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("silent after", "said nothing for 0.7 s"),
        ("garbage after", "is not understood"),
        ("dies after", "the child ended"),
    ],
)
def test_one_that_fails_when_it_was_ready_is_followed_by_another(
    tmp_path: Path, mode: str, reason: str
) -> None:
    async def scenario() -> None:
        async with scene(tmp_path, mode, hangs_after=0.7) as it:
            await it.child.start()
            await it.until(lambda: it.losses)
            assert reason in it.child.condition.last_failure
            it.becomes("works")
            await it.until(lambda: it.child.is_up and it.returns == it.losses)

    played(scenario())


def test_one_that_is_stopped_by_the_system_is_killed_before_and_after_it_is_ready(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with scene(tmp_path, "loading", hangs_after=0.7) as it:
            starting = asyncio.create_task(it.child.start(whatever_comes=True))
            await it.until(lambda: it.starts)
            os.kill(it.starts[0], signal.SIGSTOP)
            it.becomes("works")
            await starting
            await it.until(lambda: it.child.is_up)
            assert "said nothing" in it.child.condition.last_failure
            os.kill(it.starts[1], signal.SIGSTOP)
            await it.until(lambda: it.returns == 2)
            assert not any(map(is_there, it.starts[:2]))

    played(scenario())


def test_one_that_leaves_unread_what_it_is_told_is_ended_once_whoever_tells_it_is_done(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with scene(tmp_path, "works", most_waiting=1 << 20) as it:
            await it.child.start()
            for _ in range(64):
                it.child.send(bytes(1 << 16))
            assert it.losses == 0
            await asyncio.sleep(0)
            assert it.losses == 1
            assert "unread" in it.child.condition.last_failure
            await it.until(lambda: it.returns == 1)

    played(scenario())


@pytest.mark.parametrize(
    "fault", [OSError(errno.EMFILE, "Too many open files"), MemoryError(), RuntimeError("thread")]
)
def test_a_system_that_refuses_to_start_it_is_asked_again_whatever_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    refusals = 3
    popen = subprocess.Popen

    def refusing(*words: Any, **values: Any) -> Any:
        nonlocal refusals
        if refusals:
            refusals -= 1
            raise fault
        return popen(*words, **values)

    async def scenario() -> None:
        async with scene(tmp_path, "works") as it:
            await it.child.start()
            monkeypatch.setattr(starting.subprocess, "Popen", refusing)
            assert it.child.pid is not None
            os.kill(it.child.pid, signal.SIGKILL)
            await it.until(lambda: it.returns == 1)
            assert it.child.condition.failures == 4
            assert "cannot be started" in it.child.condition.last_failure

    played(scenario())


def test_socket_pairs_that_cannot_be_had_are_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing() -> Any:
        raise OSError(errno.EMFILE, "Too many open files")

    async def scenario() -> None:
        async with scene(tmp_path, "works") as it:
            await it.child.start()
            with monkeypatch.context() as patch:
                patch.setattr(supervised.socket, "socketpair", refusing)
                assert it.child.pid is not None
                os.kill(it.child.pid, signal.SIGKILL)
                await it.until(lambda: it.child.condition.failures >= 3)
            await it.until(lambda: it.returns == 1)

    played(scenario())


def test_what_it_refuses_at_first_is_raised_and_later_tried_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with scene(tmp_path, "works") as it:
            greet, refusals = it.child._greet, 0

            def refuses(report: Report) -> bool:
                nonlocal refusals
                if refusals:
                    refusals -= 1
                    raise BundleError("no such model")
                return greet(report)

            it.child._greet = refuses
            refusals = 1
            with pytest.raises(BundleError, match="no such model"):
                await it.child.start()
            await it.child.start()
            refusals = 2
            assert it.child.pid is not None
            os.kill(it.child.pid, signal.SIGKILL)
            await it.until(lambda: it.returns == 1)
            assert it.child.condition.failures == 3
            assert it.child.condition.last_failure == "no such model"

    played(scenario())


def test_one_that_gives_up_is_not_started_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with scene(tmp_path, "works") as it:

            def gives_up(report: Report) -> bool:
                it.child.give_up("no library")
                raise StreamError("no library")

            it.child._greet = gives_up
            await it.child.start(whatever_comes=True)
            await it.until(lambda: it.child.condition.state == ENDED)
            assert len(it.starts) == 1
            assert it.child.condition == (ENDED, 0, 0, "no library")

    played(scenario())


def test_a_fault_of_whoever_hears_loses_nothing_that_follows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with scene(tmp_path, "works") as it:
            loads = [LoadReport(n, 0.0, 0.0, 0, 0, 0.0, 0) for n in range(3)]
            (tmp_path / "ready").write_bytes(b"".join(map(encode, [READY, *loads])))

            def hear(report: Report) -> None:
                it.heard.append(report)
                raise ValueError("a bug")

            it.child._hear = hear
            await it.child.start()
            await it.until(lambda: len(it.heard) == 3)
            assert it.child.is_up
            assert it.losses == 0

    played(scenario())
    assert "a bug" in caplog.text


def test_closed_while_another_one_starts_it_leaves_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with scene(tmp_path, "works", hangs_after=30.0) as it:
            await it.child.start()
            it.becomes("silent")
            assert it.child.pid is not None
            os.kill(it.child.pid, signal.SIGKILL)
            await it.until(lambda: len(it.starts) == 2)
            assert it.child.condition.state == STARTING

    played(scenario())  # `scene` looks that nothing is left


def test_one_that_does_not_heed_its_farewell_is_ended_in_time(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with scene(tmp_path, "works", hangs_after=30.0) as it:
            await it.child.start()
            os.kill(it.starts[0], signal.SIGSTOP)
            async with asyncio.timeout(PATIENCE):
                await it.child.close(0.1, encode(CloseOrder()))
            assert it.losses == 0

    played(scenario())


def test_pauses_grow_up_to_a_limit() -> None:
    kind = ChildKind("the child", (), first_pause=0.25, longest_pause=15.0)
    pauses = [kind.pause(failures) for failures in range(1, 12)]
    assert pauses == [0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0, 15.0]
    assert kind.pause(10**6) == 15.0


def test_failures_are_forgotten_once_it_has_lived_for_a_while(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with scene(tmp_path, "dies after", lives_after=0.5, longest_pause=0.02) as it:
            await it.child.start()
            await it.until(lambda: it.child._in_a_row >= 3)
            it.becomes("works")
            await it.until(lambda: it.child.is_up and it.returns == it.losses)
            lived = asyncio.get_running_loop().time() + 0.6
            await it.until(lambda: asyncio.get_running_loop().time() > lived)
            before = it.losses
            assert it.child.pid is not None
            os.kill(it.child.pid, signal.SIGKILL)
            await it.until(lambda: it.losses == before + 1)
            assert it.child._in_a_row == 1

    played(scenario())
