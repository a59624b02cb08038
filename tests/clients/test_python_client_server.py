"""The Python client against a scripted server: greeting, hearing, steering, coming back."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path

import mido
import pytest
from perpetuo_client import (
    Bar,
    Disconnected,
    PortError,
    Postponed,
    Prompt,
    Refused,
    StreamEnded,
    connect,
    play,
    record,
)
from perpetuo_client.server import Server

from tests.clients.client_bars import bar, note
from tests.clients.scripted_server import SKEW, ScriptedServer
from tests.clients.test_python_client_scheduler import FakeSynth

pytestmark = pytest.mark.in_time

QUARTER = 10_000  # microseconds: a bar lasts 40 ms
BAR = 4 * QUARTER
FAR = 3600 * 10**6


def in_a_loop(scenario: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test, which may take a minute at most."""

    @wraps(scenario)
    def run(*args: object, **kwargs: object) -> None:
        async def limited() -> None:
            async with asyncio.timeout(60):
                await scenario(*args, **kwargs)

        asyncio.run(limited())

    return run


def music(server: ScriptedServer, count: int, first: int = 0, **changed: object) -> list[Bar]:
    """Short bars of which the first begins now."""
    begin = server.now()
    return [
        bar(
            index,
            note(60 + index % 12),
            **{"due": begin + (index - first) * BAR, "tempo": QUARTER} | changed,
        )
        for index in range(first, first + count)
    ]


def last(server: ScriptedServer, index: int) -> Bar:
    """A bar in the far future, so that there is always something to steer."""
    return bar(index, due=server.now() + FAR)


@asynccontextmanager
async def conversation(
    count: int = 6, far: int | None = None
) -> AsyncIterator[tuple[ScriptedServer, Server]]:
    async with ScriptedServer() as scripted:
        far = count if far is None else far
        await scripted.plan("study", *music(scripted, count), last(scripted, far))
        async with connect(scripted.address) as server:
            yield scripted, server


@in_a_loop
async def test_the_welcome_tells_what_there_is() -> None:
    async with conversation() as (scripted, server):
        assert list(server.stations) == ["study", "night"]
        assert server.stations["study"].seed == 7
        assert server.controls["density"].high == 5
        assert server.presets["calm"].title == "Calm"
        assert (server.you, server.version) == ("web-1", "0.1.0")
        assert server.capabilities.raw["limits"]["rate"] == 50
        assert abs(server.now() - scripted.now()) < 10**6
        assert abs(server.clock.offset - SKEW) <= server.clock.round_trip / 2 + 1
        due = scripted.now()
        assert abs(server.local_time(due) - (due - SKEW) / 1e6) < 1


@in_a_loop
async def test_bars_come_in_order_each_once_before_they_are_due() -> None:
    async with conversation() as (_, server):
        stream = await server.listen()
        assert (stream.name, stream.is_station, stream.state) == ("study", True, "playing")
        found = []
        async for heard in stream:
            found.append(heard.index)
            if heard.index == 5:
                break
        assert found == list(range(found[0], 6))


@in_a_loop
async def test_planned_bars_and_their_revisions_come_at_once() -> None:
    async with conversation(2) as (scripted, server):
        stream = await server.listen("study")
        ahead = stream.bars(ahead=True)
        assert [(await anext(ahead)).index for _ in range(3)] == [0, 1, 2]
        await scripted.plan("study", bar(2, revision=1, due=scripted.now() + FAR))
        revised = await anext(ahead)
        assert (revised.index, revised.revision) == (2, 1)


@in_a_loop
async def test_steering_tells_from_where_it_is_heard() -> None:
    async with conversation(1) as (scripted, server):
        stream = await server.listen()
        heard = await stream.steer(density=3, key="A minor", plan={4: {"density": 2}})
        assert (heard.bar, heard.due) == (1, scripted.bars["study"][1].due)
        asked = scripted.of("steer")[0]
        assert asked["controls"] == {"density": 3, "key": "A minor"}
        assert asked["plan"] == {"4": {"density": 2}}
        await stream.panic()
        assert stream.controls["density"] == 3
        assert (await stream.choose_preset("calm")).bar == 1


@in_a_loop
async def test_a_change_that_is_postponed_is_told_to_who_asked() -> None:
    async with conversation(2) as (scripted, server):
        stream = await server.listen()
        scripted.saved = False
        heard = await stream.steer(density=3)
        assert (heard.bar, heard.change, heard.saved) == (1, 1, False)
        other = await stream.steer(density=4)
        told: list[Postponed] = []
        come = asyncio.Event()
        end = stream.watch_postponed(lambda later: (told.append(later), come.set())[1])
        far = scripted.bars["study"][2]
        await scripted.postpone("study", 1, far)
        await asyncio.wait_for(come.wait(), 10)
        assert told == [Postponed(1, 2, far.due)]
        assert stream.latest(heard) == (2, far.due, 1, False)
        assert stream.latest(other) == other
        end()
        await scripted.postpone("study", 2, far)
        await stream.panic()
        assert stream.latest(other).bar == 2
        assert len(told) == 1


@in_a_loop
async def test_a_change_is_found_where_it_is_heard_when_all_is_told_anew() -> None:
    async with conversation(2) as (scripted, server):
        stream = await server.listen()
        heard = await stream.steer(density=3)
        far = scripted.bars["study"][2]
        row = {"controls": {"density": 3}, "plan": {}, "by": "web-1", "change": heard.change}
        scripted.history = [row | {"bar": far.index, "due": far.due}]
        scripted.forget()
        await scripted.greeted(2)
        await scripted.asked("listen", 2)
        await stream.panic()
        assert stream.latest(heard).bar == 2


@in_a_loop
async def test_every_request_is_one_that_the_server_understands() -> None:
    async with conversation() as (scripted, server):
        await scripted.plan("own-1", last(scripted, 0))
        prompt = Prompt([note(60), (1, 64, 80, 24, 24)])
        own = await server.open(preset="calm", seed=3, prompt=prompt, density=2)
        assert (own.name, own.is_station) == ("own-1", False)
        await own.start()
        await own.stop()
        await own.go_on()
        await own.panic()
        await own.reseed(5)
        await own.load("default")
        await own.prompt(prompt)
        await own.close()
        asked = [(request["type"], request.get("action")) for request in scripted.requests]
        assert asked[0] == ("open", None)
        assert scripted.requests[0]["prompt"]["notes"] == [[1, 60, 80, 0, 24], [1, 64, 80, 24, 24]]
        actions = ["start", "stop", "continue", "panic"]
        assert asked[1:5] == [("transport", action) for action in actions]
        assert [kind for kind, _ in asked[5:]] == ["seed", "load", "prompt", "close"]


@in_a_loop
async def test_a_refusal_carries_the_servers_code_and_sentence() -> None:
    async with conversation() as (scripted, server):
        stream = await server.listen()
        scripted.refusals["steer"] = ("bad_control", "density must be from 1 to 5")
        with pytest.raises(Refused, match="density must be from 1 to 5") as caught:
            await stream.steer(density=9)
        assert caught.value.code == "bad_control"
        assert stream.controls == {"density": None}


@in_a_loop
async def test_a_stream_that_ends_ends_its_bars_and_cannot_be_steered() -> None:
    async with conversation() as (scripted, server):
        stream = await server.listen()
        reading = asyncio.create_task(_all(stream.bars()))
        await scripted.turn("study", "ended", 0, "closed by its owner")
        await reading
        with pytest.raises(StreamEnded, match="closed by its owner"):
            await stream.steer(density=1)
        assert server.streams == {}


async def _all(bars: AsyncIterator[Bar]) -> list[Bar]:
    return [heard async for heard in bars]


@in_a_loop
async def test_who_leaves_hears_no_more() -> None:
    async with conversation() as (scripted, server):
        stream = await server.listen()
        reading = asyncio.create_task(_all(stream.bars(ahead=True)))
        await stream.leave()
        await reading
        assert scripted.of("unlisten")[0]["stream"] == "study"
        assert stream.state == "ended"


@in_a_loop
async def test_closing_the_server_ends_reading_and_refuses_what_is_asked() -> None:
    async with ScriptedServer() as scripted:
        await scripted.plan("study", last(scripted, 0))
        server = await connect(scripted.address)
        stream = await server.listen()
        reading = asyncio.create_task(_all(stream.bars()))
        scripted.mute.add("steer")
        asking = asyncio.create_task(stream.steer(density=2))
        await scripted.asked("steer")
        await server.close()
        assert await reading == []
        with pytest.raises(Disconnected):
            await asking
        with pytest.raises(Disconnected):
            await stream.panic()


@in_a_loop
async def test_after_a_cut_it_comes_back_without_gap_or_double() -> None:
    async with conversation(4) as (scripted, server):
        stream = await server.listen()
        ahead = stream.bars(ahead=True)
        assert [(await anext(ahead)).index for _ in range(5)] == [0, 1, 2, 3, 4]
        for turn in range(1, 4):
            scripted.cut()
            await scripted.plan("study", *music(scripted, 2, 5 + 2 * turn))
            await scripted.greeted(1 + turn)
            found = [(await anext(ahead)).index for _ in range(2)]
            assert found == [5 + 2 * turn, 6 + 2 * turn]
        assert scripted.hellos[-1]["resume"]["session"] == "session-1"
        assert len(scripted.of("listen")) == 1
        assert (await stream.steer(density=1)).bar >= 0


@in_a_loop
async def test_an_answer_that_was_lost_with_the_connection_is_had_after_it() -> None:
    async with conversation() as (scripted, server):
        stream = await server.listen()
        scripted.mute.add("transport")
        asking = asyncio.create_task(stream.panic())
        asked = await scripted.asked("transport")
        scripted.cut()
        ack = {"type": "ack", "id": asked["id"], "bar": None, "due": None}
        await scripted.tell("study", ack)
        await asking


@in_a_loop
async def test_a_server_that_forgot_everything_is_listened_to_again() -> None:
    async with conversation(3) as (scripted, server):
        stream = await server.listen()
        ahead = stream.bars(ahead=True)
        assert [(await anext(ahead)).index for _ in range(4)] == [0, 1, 2, 3]
        scripted.forget()
        await scripted.asked("listen", 2)
        await scripted.plan("study", bar(4, due=scripted.now() + 2 * FAR))
        assert (await anext(ahead)).index == 4


@in_a_loop
async def test_a_stream_that_is_gone_with_the_old_server_has_ended() -> None:
    async with conversation() as (scripted, server):
        stream = await server.listen()
        reading = asyncio.create_task(_all(stream.bars(ahead=True)))
        scripted.refusals["listen"] = ("unknown_stream", "there is no stream 'study'")
        scripted.forget()
        await reading
        assert stream.reason == "there is no stream 'study'"


@in_a_loop
async def test_a_server_that_stays_away_is_lost_when_patience_is() -> None:
    async with ScriptedServer() as scripted:
        await scripted.plan("study", last(scripted, 0))
        async with connect(scripted.address, patience=0.2) as server:
            stream = await server.listen()
            await scripted.stop()
            with pytest.raises(Disconnected, match="No server answers at ws://127"):
                await _all(stream.bars())
            with pytest.raises(Disconnected):
                await stream.steer(density=1)


@in_a_loop
async def test_a_server_that_sends_a_client_away_for_good_is_not_asked_again() -> None:
    async with conversation() as (scripted, server):
        stream = await server.listen()
        scripted.ends.append(("full", "there are too many clients"))
        scripted.ends.append(("unauthorised", "the token is wrong"))
        scripted.cut()
        with pytest.raises(Refused, match="the token is wrong"):
            await _all(stream.bars())
        assert len(scripted.hellos) == 3


@in_a_loop
async def test_who_is_not_let_in_is_told_why() -> None:
    async with ScriptedServer() as scripted:
        scripted.ends.append(("unauthorised", "this server asks for its token"))
        with pytest.raises(Refused, match="asks for its token") as caught:
            await connect(scripted.address, token="wrong")
        assert caught.value.code == "unauthorised"
        assert scripted.hellos[0]["token"] == "wrong"


@in_a_loop
async def test_no_server_and_no_address_are_told_in_a_sentence() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Disconnected, match="perpetuo serve"):
        await connect(f"ws://127.0.0.1:{port}")
    for address in ("study", "ws://[study", "ws:///study"):
        with pytest.raises(Disconnected, match="is no address"):
            await connect(address)


@in_a_loop
async def test_the_bar_in_which_a_stream_was_stopped_stays_while_time_goes_on() -> None:
    async with conversation(2) as (scripted, server):
        stream = await server.listen()
        ahead = stream.bars(ahead=True)
        first, *_ = [await anext(ahead) for _ in range(3)]
        while stream.playing != first:
            await asyncio.sleep(0.001)
        await scripted.turn("study", "stopped", 0, "stopped by web-1")
        while stream.state != "stopped":
            await asyncio.sleep(0.001)
        while server.now() <= first.end:
            await asyncio.sleep(0.01)
        assert stream.playing == first


@in_a_loop
async def test_a_new_beginning_is_followed() -> None:
    async with conversation(2) as (scripted, server):
        stream = await server.listen()
        ahead = stream.bars(ahead=True)
        assert [(await anext(ahead)).index for _ in range(3)] == [0, 1, 2]
        await scripted.turn("study", "playing", 1, "seed 5 by web-1")
        await scripted.plan("study", *music(scripted, 1, 0, epoch=1))
        begun = await anext(ahead)
        assert (begun.epoch, begun.index, stream.epoch) == (1, 0, 1)


@pytest.mark.usefixtures("patient_player")
@in_a_loop
async def test_playing_ends_every_note_whatever_happens() -> None:
    async with conversation(0, far=1000) as (scripted, server):
        stream, synth = await server.listen(), FakeSynth()
        playing = asyncio.create_task(play(stream, synth))
        long = note(60, length=100_000, tie=1)
        for index, act in enumerate(("stopped", "panic", "cancelled"), 1):
            synth.heard.clear()
            due = scripted.now() + 100_000
            await scripted.plan("study", bar(index, long, due=due, ticks=100_000))
            await asyncio.to_thread(synth.heard.wait, 20)
            assert synth.sounding[0, 60] == 1
            if act == "stopped":
                await scripted.turn("study", "stopped", 0)
            elif act == "panic":
                await scripted.tell("study", {"type": "panic"})
            else:
                playing.cancel()
                await asyncio.wait([playing])
            await asyncio.to_thread(synth.silent.wait, 20)
            assert not any(synth.sounding.values())
            await scripted.turn("study", "playing", 0)


@pytest.mark.usefixtures("patient_player")
@in_a_loop
async def test_playing_into_a_port_that_vanishes_says_so() -> None:
    async with conversation(0, far=1000) as (scripted, server):
        stream = await server.listen()
        await scripted.plan("study", *music(scripted, 3))
        with pytest.raises(PortError, match="unplugged"):
            await play(stream, FakeSynth(breaks=2))


@in_a_loop
async def test_recording_writes_what_was_heard(tmp_path: Path) -> None:
    async with conversation(0, far=1000) as (scripted, server):
        stream = await server.listen()
        await scripted.plan("study", *music(scripted, 8, 1))
        assert await record(stream, tmp_path / "bars.mid", bars=2) == 2
        assert await record(stream, tmp_path / "time.mid", seconds=0.1) == 3
        recording = asyncio.create_task(record(stream, tmp_path / "cut.mid"))
        await scripted.plan("study", *music(scripted, 1, 9))
        async for heard in stream:
            if heard.index == 9:
                break
        recording.cancel()
        await asyncio.wait([recording])
    assert len(notes(tmp_path / "bars.mid")) == 2
    assert len(notes(tmp_path / "time.mid")) == 3
    assert notes(tmp_path / "cut.mid")


def notes(path: Path) -> list[int]:
    found = [m.note for track in mido.MidiFile(path).tracks for m in track if m.type == "note_on"]
    return [int(pitch) for pitch in found]
