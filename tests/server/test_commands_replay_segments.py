"""`perpetuo replay` of what the server logs: segments from snapshots, bars that were late."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from engine.composing.composer import Composer
from engine.composing.fallback import BEFORE_A_FALLBACK, fallback_bar
from engine.composing.snapshot import save
from engine.controls.controls import Controls
from engine.files.control_log import ControlLog, LoggedChange, write
from engine.library.bars import midi_bytes
from engine.music.bars import Bar
from server.base.wire import WireBar
from server.commands.cli import main
from server.composing.heard_bars import HeardBars
from server.composing.reports import sounding_key, wire_bar
from server.house.bridging import bridged
from tests.bundles import NETWORKS, tiny, tiny_bytes
from tests.fakes import TableNetwork

CHANGES = (
    LoggedChange(3, {"density": 6.0}),
    LoggedChange(7, {"key": "E minor", "metre": "3/4"}),
    LoggedChange(9, {}, {10: {"chord": 5}}),
)


@pytest.fixture(params=NETWORKS)
def kind(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("tiny.onnx").write_bytes(tiny_bytes(request.param))
    found: str = request.param
    return found


def played(kind: str, bars: int, kept: int) -> tuple[list[Bar], bytes]:
    """So many bars, and the snapshot of the stream at one of them, its changes not yet made."""
    network = tiny(kind)
    composer = Composer(network, network.pool(1), 5, 2)
    found, snapshot = [], b""
    for index in range(bars):
        composer.commit(index)
        if index == kept:
            snapshot = save(composer)
        for change in CHANGES:
            if change.bar == index:
                composer.change(change.set, change.plan)
        found.append(composer.compose_bar())
    return found, snapshot


def log_of(kind: str, **values: object) -> ControlLog:
    return ControlLog("tiny.onnx", tiny(kind).digest, 5, 2, **values)  # type: ignore[arg-type]


def replay(log: ControlLog, *words: str) -> bytes:
    Path("a.log").write_bytes(write(log))
    assert main(["replay", "a.log", "-o", "again.mid", "--force", *words]) == 0
    return Path("again.mid").read_bytes()


@pytest.mark.parametrize("kept", [0, 4, 7])
def test_a_segment_is_replayed_from_its_snapshot(kind: str, kept: int) -> None:
    bars, snapshot = played(kind, 14, kept)
    Path("a.stream").write_bytes(snapshot)
    changes = tuple(change for change in CHANGES if change.bar >= kept)
    log = log_of(kind, changes=changes, end=14, snapshot="a.stream", first=kept)
    assert replay(log) == midi_bytes(bars[kept:])
    assert replay(log, "--bars", "3") == midi_bytes(bars[kept : kept + 3])


def test_a_segment_lies_with_its_snapshot_wherever_it_is_replayed(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bars, snapshot = played(kind, 12, 4)
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "a.stream").write_bytes(snapshot)
    log = log_of(kind, changes=CHANGES[1:], end=12, snapshot="a.stream", first=4)
    (folder / "a.log").write_bytes(write(log))
    assert main(["replay", "logs/a.log", "-o", "again.mid"]) == 0
    assert Path("again.mid").read_bytes() == midi_bytes(bars[4:])


@pytest.mark.parametrize(
    ("name", "first", "words", "complaint"),
    [
        ("missing.stream", 4, [], "the snapshot missing.stream does not exist"),
        ("broken.stream", 4, [], "the snapshot is damaged"),
        ("a.stream", 5, [], "goes on from bar 5 and a.stream from bar 4"),
        ("a.stream", 4, ["--log", "b.log"], "rather than log it anew"),
    ],
)
def test_a_segment_that_cannot_be_replayed_is_one_line(
    kind: str,
    capsys: pytest.CaptureFixture[str],
    name: str,
    first: int,
    words: list[str],
    complaint: str,
) -> None:
    Path("a.stream").write_bytes(played(kind, 6, 4)[1])
    Path("broken.stream").write_bytes(b"nothing")
    log = log_of(kind, end=8, snapshot=name, first=first)
    Path("a.log").write_bytes(write(log))
    assert main(["replay", "a.log", "-o", "again.mid", *words]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert complaint in err
    assert not Path("again.mid").exists()


def test_late_bars_are_replayed_as_they_were_bridged(kind: str) -> None:
    bars, _ = played(kind, 7, 0)
    key = Controls().key
    heard: list[Bar] = []
    keys: list[str] = []
    for bar in bars:
        late = bar.index in (4, 5)
        keys.append(keys[-1] if late else sounding_key(bar.plan.key, key, 0))
        heard.append(fallback_bar(heard, keys[:-1], (4, 5)) if late else bar)
    log = log_of(kind, changes=CHANGES[:1], end=7, late=(4, 5))
    assert replay(log) == midi_bytes(heard) != midi_bytes(bars)


def test_bars_after_a_late_one_follow_it_even_if_its_length_is_another() -> None:
    network = TableNetwork(haste=0.8)
    composer = Composer(network, network.pool(1), 5, 2)
    heard, found = HeardBars([6]), []
    for index in range(9):
        composer.commit(index)
        if index == 6:
            composer.change({"metre": "3/4"})
        found += heard.of(composer.compose_bar(), composer)
    assert [bar.metre.ticks for bar in found] == [96] * 7 + [72] * 2
    for before, bar in pairwise(found):
        assert bar.start == before.end
        assert all(bar.start <= note.onset < bar.end for note in bar.notes)


def test_replay_and_server_bridge_alike() -> None:
    network = TableNetwork(haste=0.8)
    composer = Composer(network, network.pool(1), 5, 2)
    late = (9, 10, 14)
    heard = HeardBars(late)
    wire: list[WireBar] = []
    for index in range(16):
        composer.commit(index)
        if index == 7:
            composer.change({"key": "E minor"})
        bar = composer.compose_bar()
        key, transposition = composer.controls.key, composer.lines[-1].transposition
        composed = wire_bar(bar, key, transposition)
        assert composed.key == sounding_key(bar.plan.key, key, transposition)
        wire.append(bridged(wire[-BEFORE_A_FALLBACK:]) if index in late else composed)
        (found,) = heard.of(bar, composer)
        again = wire_bar(found, key, transposition)
        assert again.notes == wire[-1].notes
        assert (again.tick, again.ticks, again.tempo) == (
            wire[-1].tick,
            wire[-1].ticks,
            wire[-1].tempo,
        )
