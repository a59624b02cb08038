"""Faults inside the composing process: each ends what it concerns, and nothing else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import pytest

from engine.composing.composer import Composer
from server.base.framing import encode
from server.base.wire import WireBar, decode_bar
from server.child.heartbeat import Alive
from server.composing import process as process_module
from server.composing import reports
from server.composing.messages import (
    BarReport,
    ChangeOrder,
    ChangeReport,
    ComposerSettings,
    FailureReport,
    JoinOrder,
    JoinReport,
    LeaveOrder,
    LoadReport,
    Order,
    RefusalReport,
    Report,
    SnapshotOrder,
    SnapshotReport,
    TroubleReport,
    report_frames,
)
from server.composing.models import LoadedModels
from server.composing.process import ComposerProcess
from server.composing.server_connection import ServerConnection, Waker
from server.composing.snapshots import Snapshots
from tests.bundles import tiny, tiny_bytes
from tests.server.composing_ears import BRISK, PATIENCE, as_heard, expected

R = TypeVar("R", bound=Report)
FATAL_BAR = 9  # so late that the stream was saved before


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("models") / "tiny.onnx"
    path.write_bytes(tiny_bytes("gpt"))
    return str(path)


class Scene:
    """A composing process in a thread of the test, which may put faults into it."""

    def __init__(self, model: str, folder: Path) -> None:
        self.model = model
        self._ours, theirs = socket.socketpair()
        self._ours.settimeout(PATIENCE)
        self._frames = report_frames()
        self.said: list[Report] = []
        settings = ComposerSettings(model=model, directory=str(folder), keep_every=2)
        self._waker = Waker()
        self._line = ServerConnection(theirs, self._waker.socket)
        self.process = ComposerProcess(self._line, self._waker, settings)
        self._thread = threading.Thread(target=self.process.run)
        self._thread.start()

    def tell(self, *orders: Order) -> None:
        for order in orders:
            self._ours.sendall(encode(order))

    def join(self, stream: int, **values: Any) -> None:
        defaults = {"name": f"own-{stream}", "model": self.model, "controls": BRISK}
        named = {"request": 100 + stream, "seed": 100 + stream, "number": stream, **defaults}
        self.tell(JoinOrder(stream=stream, **{**named, **values}))

    def until(self, kind: type[R], told: Callable[[R], Any] = lambda report: True) -> R:
        """The first such report, from the beginning on."""
        seen, end = 0, monotonic() + PATIENCE
        while monotonic() < end:
            for report in self.said[seen:]:
                if isinstance(report, kind) and told(report):
                    return report
            seen = len(self.said)
            data = self._ours.recv(1 << 16)
            assert data, "it ended"
            self.said += self._frames.feed(data)  # type: ignore[arg-type]
        raise AssertionError(f"{kind} never came, but {self.said[-5:]}")

    def until_bar(self, stream: int, bar: int) -> None:
        self.until(BarReport, lambda report: (report.stream, report.index) == (stream, bar))

    def heard(self, stream: int) -> list[WireBar]:
        bars = [one for one in self.said if isinstance(one, BarReport) and one.stream == stream]
        assert [one.revision for one in bars] == [0] * len(bars)
        return [as_heard(decode_bar(one.bar)) for one in bars]

    def close(self) -> None:
        self._ours.close()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        self.process.saving.writer.close()
        self._line.close()
        self._waker.close()


@pytest.fixture
def scene(model: str, tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(model, tmp_path)
    yield scene
    scene.close()


def raising(real: Callable[..., Any], when: Callable[..., bool]) -> Callable[..., Any]:
    def instead(*args: Any, **values: Any) -> Any:
        if when(*args):
            raise ValueError("a bug")
        return real(*args, **values)

    return instead


def of_the_second(composer: Composer) -> bool:
    return composer.stream == 1 and composer.next_bar >= FATAL_BAR  # a bar may be one of rest


FAULTS = [
    (Composer, "prepare", of_the_second),
    (Composer, "absorb", of_the_second),
    (Composer, "_plan", of_the_second),
    (reports, "composed", lambda stream, bar, *_: (stream, bar.index) == (1, FATAL_BAR)),
]


@pytest.mark.parametrize(("owner", "name", "when"), FAULTS, ids=[name for _, name, _ in FAULTS])
def test_a_stream_that_fails_is_reported_and_all_others_go_on(
    scene: Scene,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    when: Callable[..., bool],
) -> None:
    monkeypatch.setattr(owner, name, raising(getattr(owner, name), when))
    for stream in range(3):
        scene.join(stream)
    scene.until(SnapshotReport, lambda kept: kept.stream == 1)
    scene.tell(ChangeOrder(50, 1, {}))  # whether before or after: it is answered
    failed = scene.until(FailureReport)
    assert failed.stream == 1
    assert "own-1 could not be composed on: a fault of ours: ValueError('a bug')" in failed.message
    for stream in (0, 2):
        scene.until_bar(stream, FATAL_BAR + 3)
        bars = scene.heard(stream)
        assert bars == expected(tiny("gpt"), stream, len(bars))
    scene.until(ChangeReport | RefusalReport, lambda report: report.request == 50)  # type: ignore[arg-type]
    scene.tell(ChangeOrder(51, 1, {"density": 2}))
    assert "not composed here" in scene.until(RefusalReport, lambda one: one.request == 51).message
    kept = tmp_path / "own-1.stream"
    assert kept.exists()
    monkeypatch.undo()
    scene.tell(LeaveOrder(1, forget=True))
    scene.join(7, number=1, seed=101)
    scene.until_bar(7, 4)
    bars = scene.heard(7)
    assert bars == expected(tiny("gpt"), 1, len(bars))
    scene.tell(SnapshotOrder(52, 0))  # what is written after it was deleted
    scene.until(SnapshotReport, lambda one: one.request == 52)
    assert not kept.exists()
    assert len([one for one in scene.said if isinstance(one, FailureReport)]) == 1


def test_a_fault_while_a_model_is_loaded_is_told_to_those_who_wait(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(tiny_bytes("lstm"))
    monkeypatch.setattr(LoadedModels, "_open", raising(LoadedModels._open, lambda *_: True))
    scene.join(0)
    scene.join(1, model=str(other))
    refused = scene.until(RefusalReport)
    assert (refused.request, refused.kind) == (101, "StreamError")
    assert "a fault of ours: ValueError('a bug')" in refused.message
    scene.until_bar(0, 3)
    monkeypatch.undo()
    scene.join(2, model=str(other))
    scene.until(JoinReport, lambda joined: joined.stream == 2)


def test_a_fault_at_a_beginning_leaves_nothing_behind(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "joined", raising(reports.joined, lambda *_: True))
    scene.join(0)
    assert "a fault of ours" in scene.until(RefusalReport).message
    monkeypatch.undo()
    scene.join(0)
    scene.until_bar(0, 2)


def test_who_leaves_while_its_model_is_loaded_is_answered(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(tiny_bytes("lstm"))
    is_loading, may_go_on = threading.Event(), threading.Event()
    loaded_model = LoadedModels._open

    def slow(shelf: LoadedModels, model: str) -> Any:
        is_loading.set()
        assert may_go_on.wait(PATIENCE)
        return loaded_model(shelf, model)

    monkeypatch.setattr(LoadedModels, "_open", slow)
    scene.join(0, model=str(other))
    assert is_loading.wait(PATIENCE)
    scene.tell(LeaveOrder(0))
    assert scene.until(RefusalReport).request == 100
    may_go_on.set()
    scene.join(1, model=str(other))
    scene.until(JoinReport, lambda joined: joined.stream == 1)
    assert not [one for one in scene.said if isinstance(one, JoinReport) and one.stream == 0]


@pytest.mark.parametrize(
    ("owner", "name", "what"),
    [
        (Snapshots, "report_written", "saving"),
        (Snapshots, "now_and_then", "saving"),
        (process_module.reports, "load", "telling the load"),
    ],
)
def test_a_fault_beside_the_music_is_told_and_ends_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, what: str
) -> None:
    monkeypatch.setattr(owner, name, raising(getattr(owner, name), lambda *_: True))
    scene.join(0)
    trouble = scene.until(TroubleReport)
    assert (
        trouble.message
        == f"{what} went wrong: a fault of ours: ValueError('a bug'); see the server's log"
    )
    scene.until_bar(0, 5)
    if name == "load":  # it still says something every second
        scene.until(Alive)
    monkeypatch.undo()
    since = len(scene.said)
    scene.until(LoadReport, lambda load: load in scene.said[since:])
    scene.until(SnapshotReport)
