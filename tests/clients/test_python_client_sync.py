"""The Python client without async, and its example."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import os
import signal
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import mido
import pytest
from perpetuo_client import Disconnected, PortError, Prompt, Refused, connect, sync

from tests.clients.client_bars import bar, note
from tests.clients.scripted_server import ScriptedServer
from tests.clients.test_python_client_scheduler import FakeSynth
from tests.clients.test_python_client_server import in_a_loop, last, music

ROOT = Path(__file__).parent.parent.parent / "clients" / "python"
T = TypeVar("T")


class Elsewhere:
    """A scripted server in the loop of another thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, server: ScriptedServer) -> None:
        self._loop, self.server = loop, server

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def later(self, work: Coroutine[Any, Any, T]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop)


@contextmanager
def serving(count: int = 6) -> Iterator[Elsewhere]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = ScriptedServer()
    elsewhere = Elsewhere(loop, server)
    try:
        elsewhere.do(server.__aenter__())
        elsewhere.do(server.plan("study", *music(server, count), last(server, 1000)))
        yield elsewhere
        elsewhere.do(server.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_a_stream_is_heard_and_steered_without_async() -> None:
    with serving() as elsewhere, sync.connect(elsewhere.server.address) as server:
        assert list(server.stations) == ["study", "night"]
        assert server.controls["density"].high == 5
        assert set(server.presets) == {"calm"}
        stream = server.listen()
        found = [heard.index for heard in stream if heard.index < 5 or _stop(stream)]
        assert found == list(range(found[0], 6))
        assert stream.state == "ended"


def _stop(stream: sync.Stream) -> bool:
    assert stream.steer(density=2).bar > 0
    stream.panic()
    assert stream.controls["density"] == 2
    stream.leave()
    return True


def test_every_verb_is_there_without_async_too() -> None:
    with serving() as elsewhere, sync.connect(elsewhere.server.address) as server:
        elsewhere.do(elsewhere.server.plan("own-1", last(elsewhere.server, 0)))
        stream = server.open(preset="calm", seed=3, density=2)
        assert (stream.name, stream.seed, stream.preset) == ("own-1", 7, None)
        stream.start()
        stream.stop()
        stream.go_on()
        stream.reseed(4)
        stream.load("default")
        stream.prompt(Prompt([note()]))
        assert stream.choose_preset("calm").bar == 0
        stream.close()
        asked = [request["type"] for request in elsewhere.server.requests]
        assert asked == ["open", *["transport"] * 3, "seed", "load", "prompt", "preset", "close"]
        assert abs(server.local_time(server.now()) * 1e6 - server.now()) > 1e9  # another clock


def test_errors_come_through() -> None:
    with pytest.raises(Disconnected, match="is no address"):
        sync.connect("study")
    with serving() as elsewhere, sync.connect(elsewhere.server.address) as server:
        elsewhere.server.refusals["listen"] = ("unknown_stream", "there is no stream 'nihgt'")
        with pytest.raises(Refused, match="nihgt"):
            server.listen("nihgt")


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


async def interrupt_when_asked(server: ScriptedServer, kind: str) -> None:
    await server.asked(kind)
    interrupt()


@pytest.mark.skipif(os.name == "nt", reason="signals are others on Windows")
def test_ctrl_c_interrupts_reading_and_the_server_is_left_in_order() -> None:
    with serving(0) as elsewhere:
        server = sync.connect(elsewhere.server.address)
        stream = server.listen()
        elsewhere.server.mute.add("transport")
        elsewhere.later(interrupt_when_asked(elsewhere.server, "transport"))
        with pytest.raises(KeyboardInterrupt), server:
            stream.panic()
        with pytest.raises(Disconnected):
            stream.panic()


@pytest.mark.usefixtures("patient_player")
@pytest.mark.skipif(os.name == "nt", reason="signals are others on Windows")
def test_ctrl_c_ends_a_recording_and_its_file_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "cut.mid"
    with serving(0) as elsewhere, sync.connect(elsewhere.server.address) as server:
        stream, synth = server.listen(), InterruptingSynth()
        due = elsewhere.server.now() + 300_000
        elsewhere.do(elsewhere.server.plan("study", bar(1, note(60), due=due)))
        with pytest.raises(KeyboardInterrupt), stream.playing(synth):
            stream.record(path)
        assert not any(synth.sounding.values())
    assert any(m.type == "note_on" for track in mido.MidiFile(path).tracks for m in track)


class InterruptingSynth(FakeSynth):
    """Presses Ctrl-C at the first note."""

    def send_message(self, message: Any, /) -> None:
        super().send_message(message)
        if message[0] & 0xF0 == 0x90:
            interrupt()


@pytest.mark.usefixtures("patient_player")
def test_a_port_that_is_lost_is_told() -> None:
    with serving(0) as elsewhere, sync.connect(elsewhere.server.address) as server:
        stream = server.listen()
        due = elsewhere.server.now() + 200_000
        elsewhere.do(elsewhere.server.plan("study", bar(1, note(), due=due)))
        with pytest.raises(PortError, match="unplugged"):
            stream.play(FakeSynth(breaks=3))
        due = elsewhere.server.now() + 200_000
        elsewhere.do(elsewhere.server.plan("study", bar(2, note(), due=due)))
        meanwhile = stream.playing(FakeSynth(breaks=3))
        meanwhile.__enter__()
        wait_for_the_player()
        stream.panic()
        with pytest.raises(PortError, match="unplugged"):
            meanwhile.__exit__(None, None, None)


def wait_for_the_player() -> None:
    for thread in threading.enumerate():
        if thread.name == "perpetuo player":
            thread.join(30)


EXAMPLE = ROOT / "examples" / "follow.py"
NOTES = ROOT / "examples" / "notes.py"
CHANGES = ROOT / "examples" / "changes.py"


@in_a_loop
async def test_the_example_prints_chords_and_steers(capsys: pytest.CaptureFixture[str]) -> None:
    example = loaded(EXAMPLE)
    async with ScriptedServer() as server:
        await server.plan("own-1", *music(server, 5), last(server, 1000))
        await example.main(server.address, bars=5)
        steered = [request["controls"]["density"] for request in server.of("steer")]
        assert steered == [2, 3]
    lines = capsys.readouterr().out.splitlines()
    assert "   0  C major   C G" in lines
    changes = [line.split(" from bar ")[0] for line in lines if "density" in line]
    assert changes == ["      density 2", "      density 3"]


@in_a_loop
async def test_a_change_that_comes_later_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    example = loaded(CHANGES)
    printed: asyncio.Queue[str] = asyncio.Queue()
    monkeypatch.setattr(example, "print", printed.put_nowait, raising=False)
    async with ScriptedServer() as server:
        server.saved = False
        await server.plan("study", bar(0, due=server.now()), last(server, 1))
        running = asyncio.create_task(example.main(server.address, bars=2))
        told = "      change 1: from bar 1 on, not on the server's disk yet"
        assert [await printed.get(), await printed.get()] == [told, "   0  C major"]
        await server.postpone("study", 1, bar(2))
        assert await printed.get() == "      change 1 comes later: from bar 2 on"
        await server.plan("study", bar(1, revision=1, due=server.now()))
        await running
    assert await printed.get() == "   1  C major"


def test_without_async_a_postponed_change_is_found_too() -> None:
    with serving() as there, sync.connect(there.server.address) as server:
        stream = server.listen()
        heard = stream.steer(density=3)
        there.do(there.server.postpone("study", heard.change or 0, bar(1001)))
        stream.panic()
        assert stream.latest(heard).bar == 1001


@in_a_loop
async def test_notes_are_printed_when_they_sound(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    example = loaded(NOTES)
    printed: list[tuple[float, str]] = []
    monkeypatch.setattr(
        example, "print", lambda line: printed.append((time.monotonic(), line)), raising=False
    )
    async with ScriptedServer() as server, connect(server.address) as other:
        planned = music(server, 3)
        await server.plan("study", *planned)
        await example.main(server.address, bars=2)
        due = [one for bar in planned[:2] for one in other.local_notes(bar)]
    begun = [one for one in due if not one.note.goes_on_from_before]
    assert len(printed) == len(begun) > 0
    for (at, line), (struck, begins, ends) in zip(printed, begun, strict=True):
        assert line == f"part {struck.part}  pitch {struck.pitch:3}  {ends - begins:5.2f} s"
        assert at > begins - 0.01  # by the two clients' doubt about the server's clock


def loaded(example: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(example.stem, example)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_is_short_and_stands_in_the_readme() -> None:
    lines = EXAMPLE.read_text("utf-8").splitlines()
    assert len(lines) <= 30
    readme = (ROOT / "README.md").read_text("utf-8")
    assert EXAMPLE.read_text("utf-8") in readme


def test_the_client_needs_nothing_of_the_server_or_engine() -> None:
    for path in (ROOT / "perpetuo_client").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            roots = {name.partition(".")[0] for name in names}
            assert not roots & {"common", "server", "engine", "export", "mido", "numpy"}, path
