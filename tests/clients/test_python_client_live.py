"""The Python client and a whole server, as a user has them together."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import mido
import pytest
from perpetuo_client import Bar, Prompt, Refused, StreamEnded, connect, play, record, sync
from perpetuo_client.server import Server as Client
from perpetuo_client.stream import Stream

from server.house.house import House
from server.playing.outputs import NoteOff, NoteOn
from tests.bundles import tiny_bytes
from tests.clients.client_bars import note
from tests.clients.test_python_client_scheduler import FakeSynth
from tests.clients.test_python_client_server import in_a_loop
from tests.server.live import (
    BRISK,
    RecordingOutput,
    configuration,
    opened,
    play_into,
    socket_address,
)
from tests.server.served import brisk, serving

pytestmark = pytest.mark.in_time

EXAMPLE = Path(__file__).parents[2] / "clients" / "python" / "examples" / "follow.py"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.onnx"
    path.write_bytes(tiny_bytes("gpt"))
    return path


@asynccontextmanager
async def together(model: Path, state: Path) -> AsyncIterator[tuple[House, Client]]:
    async with (
        opened(configuration(model, state, lookahead=5)) as (server, told),
        connect(socket_address(told)) as client,
    ):
        yield server.house, client
        assert server.house.counters.late_bars == 0


async def taken(stream: Stream, count: int) -> list[Bar]:
    """The next bars as they are about to sound, which follow each other without a gap."""
    found: list[Bar] = []
    async for bar in stream:
        found.append(bar)
        if len(found) == count:
            break
    for bar, following in pairwise(found):
        assert (following.index, following.tick) == (bar.index + 1, bar.tick + bar.ticks)
        assert abs(following.due - bar.end) <= 1
    return found


def music(bars: list[Bar]) -> list[object]:
    return [(bar.index, bar.tick, bar.ticks, bar.tempo, bar.notes) for bar in bars]


@in_a_loop
async def test_a_station_is_heard_without_a_gap_and_steered(model: Path, tmp_path: Path) -> None:
    async with together(model, tmp_path) as (house, client):
        assert list(client.stations) == ["test"]
        stream = await client.listen()
        assert (stream.is_station, stream.seed, stream.model) == (True, 7, model.stem)
        bars = await taken(stream, 3)
        assert {bar.metre for bar in bars} == {"2/4"}
        heard = await stream.steer(transpose=12, tempo=240)
        assert heard.bar > bars[-1].index
        bars = await taken(stream, heard.bar + 3 - bars[-1].index)
        tempos = {bar.index: round(bar.bpm) for bar in bars}
        assert all(tempos[i] == (240 if i >= heard.bar else 300) for i in tempos)
        (first,) = [bar for bar in bars if bar.index == heard.bar]
        assert (first.due, first.revision > 0) == (heard.due, True)
        assert house.first_station().controls.transpose == 12
        with pytest.raises(Refused, match="tempo") as refused:
            await stream.steer(tempo=9000)
        assert refused.value.code == "bad_control"
        following = heard.bar + 6
        steered = await stream.steer(plan={following: {"key": 3}})
        assert steered.bar <= following
        with pytest.raises(Refused, match="no column 'colour'"):
            await stream.steer(plan={following: {"colour": 1}})


@in_a_loop
async def test_an_own_stream_is_the_same_for_the_same_seed(model: Path, tmp_path: Path) -> None:
    async with together(model, tmp_path) as (house, client):
        prompt = Prompt([note(60, tick=0), note(64, tick=24), note(67, tick=48)])

        async def begun(seed: int, prompt: Prompt | None = None) -> tuple[Stream, list[Bar]]:
            stream = await client.open(seed=seed, prompt=prompt, **BRISK)
            return stream, await ahead(stream, range(1 if prompt else 0, 6))

        found = await asyncio.gather(begun(11), begun(11), begun(12), begun(11, prompt))
        streams = [stream for stream, _ in found]
        one, again, other, prompted = [bars for _, bars in found]
        assert music(one) == music(again)
        assert music(one) != music(other)
        assert music(one)[1:] != music(prompted)  # which takes the place of the first bar
        name = streams[0].name
        await streams[0].close()
        assert name not in house.streams
        with pytest.raises(StreamEnded):
            await streams[0].stop()
        # Begun anew with the other's seed it is the other's music.
        await streams[1].reseed(12)
        assert music(await ahead(streams[1], range(6))) == music(other)


async def ahead(stream: Stream, indices: range) -> list[Bar]:
    """These bars, as soon as they are planned."""
    found: dict[int, Bar] = {}
    async for bar in stream.bars(ahead=True):
        if bar.epoch == stream.epoch:
            found[bar.index] = bar
        if all(index in found for index in indices):
            break
    return [found[index] for index in indices]


@in_a_loop
async def test_presets_and_transport(model: Path, tmp_path: Path) -> None:
    async with together(model, tmp_path) as (house, client):
        stream = await client.listen()
        await taken(stream, 2)
        heard = await stream.choose_preset("ambient")
        wanted = client.presets["ambient"].controls
        assert {k: stream.controls[k] for k in wanted if k != "style"} == {
            k: v for k, v in wanted.items() if k != "style"
        }
        assert stream.preset == "ambient"
        assert heard.bar in house.first_station().bars
        with pytest.raises(Refused, match="ambeint"):
            await stream.choose_preset("ambeint")
        await stream.steer(**BRISK)
        reader = stream.bars()  # which has its place: however late it comes, it misses nothing
        await anext(reader)
        await stream.stop()
        assert stream.state == "stopped"
        resting = house.first_station().resting_bar(house.now())
        before = stream.timeline.bars[resting]
        await stream.go_on()
        bars = [await anext(reader) for _ in range(3)]
        assert [bar.index for bar in bars] == [resting, resting + 1, resting + 2]
        assert bars[0].due > before.due
        await stream.start()
        assert stream.epoch == 1
        assert (await taken(stream, 2))[0].index in (0, 1)


@in_a_loop
async def test_a_cut_connection_goes_on_without_gap_or_double(model: Path, tmp_path: Path) -> None:
    async with together(model, tmp_path) as (_, client):
        stream = await client.listen()
        own = await client.open(seed=3, **BRISK)
        listening = [asyncio.create_task(taken(one, 14)) for one in (stream, own)]
        for _ in range(3):
            await taken(stream, 3)
            assert client.connection._socket is not None
            client.connection._socket.transport.abort()
        for task in listening:
            bars = await task
            assert len({bar.index for bar in bars}) == 14
        assert client.connection._session
        # It is the same session: the own stream lives, and is steered.
        assert (await own.steer(density=5)).bar > 0


@pytest.mark.usefixtures("patient_player")
@in_a_loop
async def test_what_is_heard_is_recorded_and_played(model: Path, tmp_path: Path) -> None:
    path, synth = tmp_path / "heard.mid", FakeSynth()
    async with together(model, tmp_path) as (_, client):
        stream = await client.open(seed=5, **{**BRISK, "density": 5})
        playing = asyncio.create_task(play(stream, synth))
        bars, count = await asyncio.gather(taken(stream, 6), record(stream, path, bars=6))
        playing.cancel()
        await asyncio.wait([playing])
        assert count == 6
    assert not any(synth.sounding.values())
    struck = sorted(n.pitch for bar in bars for n in bar.notes if not n.goes_on_from_before)
    written = [m for track in mido.MidiFile(path).tracks for m in track]
    assert sorted(m.note for m in written if m.type == "note_on" and m.velocity) == struck
    assert struck
    assert {m.tempo for m in written if m.type == "set_tempo"} == {200_000}


def test_the_example_follows_a_server_in_another_process(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    specification = importlib.util.spec_from_file_location("follow", EXAMPLE)
    assert specification is not None
    assert specification.loader is not None
    example = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(example)
    words = [brisk(tmp_path), "--model", model, "--port", 0, "--state", tmp_path]
    with serving(*words) as served:
        address = served.page.replace("http", "ws", 1)
        asyncio.run(example.main(address, bars=2))
        with sync.connect(address) as server:
            assert server.listen().seed == 7
        assert served.end() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [int(line.split()[0]) for line in lines if "density" not in line] == [0, 1]
    assert "density 2.0 from bar" in lines[1]


@in_a_loop
async def test_notes_come_with_the_times_at_which_the_server_plays_them(
    model: Path, tmp_path: Path
) -> None:
    played = RecordingOutput()
    async with (
        opened(configuration(model, tmp_path)) as (server, page),
        connect(socket_address(page)) as client,
    ):
        assert client.capabilities.horizon == 100_000  # from there on nothing is revised
        await play_into(server, played)
        stream = await client.listen()
        bars: list[Bar] = []
        async for bar in stream:
            if bars:  # the first is the one that sounds now
                early = bar.due - client.now()
                assert 0 < early <= 300_000
            bars.append(bar)
            if len(bars) == 8:
                break
        while server.house.now() < bars[-1].end + 100_000:
            await asyncio.sleep(0.02)
        struck = sorted(
            (event.part, event.pitch, due)
            for due, event in played.events
            if isinstance(event, NoteOn) and bars[1].due <= due < bars[-1].due
        )
        timed = [one for bar in bars[1:-1] for one in bar.timed_notes]
        begun = [one for one in timed if not one.note.goes_on_from_before]
        told = sorted((one.note.part, one.note.pitch, one.due) for one in begun)
        assert [one[:2] for one in told] == [one[:2] for one in struck]
        # Ticks are rounded to microseconds.
        assert all(abs(a[2] - b[2]) <= 1 for a, b in zip(told, struck, strict=True))
        let_go = {
            (event.part, event.pitch, due + by)
            for due, event in played.events
            if isinstance(event, NoteOff)
            for by in (-1, 0, 1)
        }

        def is_struck_again(part: int, pitch: int, since: float, until: float) -> bool:
            return any(one[:2] == (part, pitch) and since < one[2] <= until + 1 for one in struck)

        ends = [
            (part, pitch, end)
            for (part, pitch, *_), due, end in timed
            if not is_struck_again(part, pitch, due + 1, end) and end < bars[-1].due
        ]
        whole = [one for one in timed if not one.note.goes_on]
        known = {(one.note.part, one.note.pitch, one.end) for one in whole}
        assert len(known & set(ends)) > 5
        assert not (known & set(ends)) - let_go
        for bar in bars:
            for here, there in zip(client.local_notes(bar), bar.timed_notes, strict=True):
                assert here.note == there.note
                assert here.due == client.local_time(int(there.due))
                assert here.end == client.local_time(int(there.end)) > here.due
