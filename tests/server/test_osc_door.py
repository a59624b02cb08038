"""The OSC door on a real socket, with programs of others at the far end."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from common.errors import PortError
from server.osc.door import OscDoor
from server.osc.packets import decode, encode
from server.osc.settings import OscSettings, OscTarget
from server.playing.outputs import NoteOn
from tests.server.osc_house import OscHouse, wire_bar

PEER = Path(__file__).with_name("osc_peer.py")


def with_a_door(
    test: Callable[[OscDoor, OscHouse], Coroutine[Any, Any, None]],
    settings: OscSettings | None = None,
) -> None:
    async def play() -> None:
        house, door = OscHouse("study", "attic"), OscDoor()
        house.now = lambda: time.monotonic_ns() // 1000  # type: ignore[method-assign]
        await door.open(house, settings or OscSettings(port=0))  # type: ignore[arg-type]
        try:
            await asyncio.wait_for(test(door, house), 60)
        finally:
            await door.close()
        assert house.newcomers == []
        assert all(not stream.listeners for stream in house.streams.values())

    asyncio.run(play())


async def run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


async def converse(door: OscDoor, *lines: Any) -> list[list[Any]]:
    """What a program built on python-osc gets to hear, see osc_peer.py."""
    texts = (json.dumps(line) for line in lines)
    output = await run(sys.executable, str(PEER), str(door.address[1]), *texts)
    return [json.loads(line) for line in output.splitlines()]


def test_python_osc_steers_asks_and_is_answered() -> None:
    async def test(door: OscDoor, house: OscHouse) -> None:
        heard = await converse(
            door,
            ["/perpetuo/study/density", 4.5],
            {"until": "/perpetuo/study/heard"},
            ["/perpetuo/attic/tempo", 9000],
            {"until": "/perpetuo/error"},
            ["/perpetuo/density"],
            {"until": "/perpetuo/density"},
            ["/perpetuo/stations"],
            {"until": "/perpetuo/stations"},
            ["/perpetuo/study/stop"],
            {"until": "/perpetuo/study/done"},
        )
        assert heard[:2] == [
            ["/perpetuo/study/density", 4.5],
            ["/perpetuo/study/heard", "density", 7],
        ]
        assert heard[2][:2] == ["/perpetuo/error", "/perpetuo/attic/tempo"]
        assert "from 20 to 300" in heard[2][2]
        assert heard[3:] == [
            ["/perpetuo/density", 4.5],
            ["/perpetuo/stations", "study", "attic"],
            ["/perpetuo/study/done", "stop"],
        ]
        assert house.deeds == [("change", "study", {"density": 4.5}), ("stop", "study")]

    with_a_door(test)


def test_bundles_of_python_osc_come_at_their_time() -> None:
    async def test(door: OscDoor, house: OscHouse) -> None:
        heard = await converse(
            door,
            {"after": 1.5, "messages": [["/perpetuo/ping", "last"]]},
            {"after": 0.7, "messages": [["/perpetuo/ping", "second"]]},
            {"after": 0, "messages": [["/perpetuo/ping", "first"]]},
            *[{"until": "/perpetuo/pong"}] * 3,
        )
        assert [row[1] for row in heard] == ["first", "second", "last"]

    with_a_door(test)


def test_subscribers_hear_notes_from_the_thread_that_plays_them() -> None:
    async def test(door: OscDoor, house: OscHouse) -> None:
        output = door.output(house.first_station())

        def play() -> None:
            for i in range(50):
                output.send(NoteOn(1, 40 + i, 64, 500_000), 0)

        talk = asyncio.create_task(
            converse(
                door, ["/perpetuo/subscribe", "notes"], *until("subscribed"), *until("silence")
            )
        )
        while door.counts.received == 0:
            await asyncio.sleep(0.01)
        thread = threading.Thread(target=play)
        thread.start()
        await asyncio.to_thread(thread.join)
        output.silence()
        heard = [row for row in await talk if row[0] == "/perpetuo/study/note"]
        assert [row[2] for row in heard] == [40 + i for i in range(50)]
        assert (door.note_counts.sent, door.note_counts.unsent) == (51, 0)
        output.send(NoteOn(1, 60, 64, 1), 0)  # to a peer that is gone

    def until(word: str) -> list[dict[str, str]]:
        return [{"until": f"/perpetuo/study/{word}"}]

    with_a_door(test)


def test_bars_come_ahead_and_changes_by_others_too() -> None:
    async def test(door: OscDoor, house: OscHouse) -> None:
        study = house.first_station()
        talk = asyncio.create_task(
            converse(
                door,
                ["/perpetuo/subscribe", "bars", "controls", "ahead"],
                {"until": "/perpetuo/study/bar"},
            )
        )
        while door.counts.received == 0:
            await asyncio.sleep(0.01)
        await house.change(study, {"transpose": 5}, by="page")
        house.plan(study, wire_bar(0), house.now() + 200_000)
        heard = [row for row in await talk if row[0] != "/perpetuo/study/subscribed"]
        assert heard == [
            ["/perpetuo/study/transpose", 5],
            ["/perpetuo/study/bar", 0, 0.0, 120.0, "4/4", "A minor"],
        ]

    with_a_door(test)


@pytest.mark.skipif(
    not (shutil.which("oscsend") and shutil.which("oscdump")),
    reason="oscsend and oscdump (liblo-tools) are not installed",
)
def test_liblo_understands_us_and_we_liblo() -> None:
    async def test(door: OscDoor, house: OscHouse) -> None:
        free = free_port()
        dump = await asyncio.create_subprocess_exec(
            *("oscdump", "-L", str(free)), stdout=asyncio.subprocess.PIPE
        )
        assert dump.stdout is not None
        port = str(door.address[1])

        async def send(*words: str) -> None:
            await run("oscsend", "127.0.0.1", port, *words)

        try:
            await send("/perpetuo/study/subscribe", "i", str(free))
            await send("/perpetuo/attic/temperature", "fsf", "0.9", "pitch", "0.7")
            lines: list[str] = []
            while not any("tempo f" in line for line in lines):
                await send("/perpetuo/study/tempo", "f", str(90 + len(lines)))
                line = await asyncio.wait_for(dump.stdout.readline(), 20)
                lines.append(line.decode())
            assert lines[-1].split()[1:3] == ["/perpetuo/study/tempo", "f"]
            temperature = house.streams["attic"].controls.spelled("temperature")
            assert temperature == "0.9 pitch:0.7"
        finally:
            dump.kill()
            await dump.wait()

    with_a_door(test)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_flood_leaves_the_loop_a_turn_for_each_datagram() -> None:
    async def test(door: OscDoor, house: OscHouse) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
            flood.setblocking(False)
            for i in range(3000):
                junk = encode("/perpetuo/dynamics", i % 127 + 1) if i % 3 else bytes([i % 256] * i)
                flood.sendto(junk, door.address)
            turns, before = 0, door.counts.received
            while door.counts.received < before + 60:
                await asyncio.sleep(0)
                turns += 1
            assert turns >= 59
            await house.change(house.first_station(), {"tempo": 77}, by="page")
            assert house.first_station().controls.tempo == 77
            assert (await converse(door, ["/perpetuo/ping"], {"until": "/perpetuo/pong"}))[-1] == [
                "/perpetuo/pong"
            ]

    with_a_door(test, OscSettings(port=0, rate=5000))


def test_targets_hear_without_asking() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.settimeout(30)
        target = OscTarget("localhost", other.getsockname()[1], stations=("attic",))

        async def test(door: OscDoor, house: OscHouse) -> None:
            await house.change(house.first_station(), {"tempo": 80}, by="page")
            await house.change(house.streams["attic"], {"tempo": 90}, by="page")
            data = await asyncio.to_thread(other.recv, 1000)
            assert decode(data)[0].messages == (("/perpetuo/attic/tempo", (90.0,)),)

        with_a_door(test, OscSettings(port=0, targets=(target,)))


def test_a_target_that_is_not_found_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    async def test(door: OscDoor, house: OscHouse) -> None:
        await house.change(house.first_station(), {"tempo": 80}, by="page")
        assert (door.counts.sent, door.counts.unsent) == (0, 0)

    targets = (OscTarget("no..such..host"), OscTarget("::1"))  # the socket is one of IPv4
    with caplog.at_level(logging.WARNING):
        with_a_door(test, OscSettings(port=0, targets=targets))
    assert [record.args[0] for record in caplog.records if record.args] == [
        target.host for target in targets
    ]


def test_a_port_that_is_taken_is_named() -> None:
    async def test(door: OscDoor, house: OscHouse) -> None:
        port = door.address[1]
        with pytest.raises(PortError, match=f"127.0.0.1 port {port} .*choose another"):
            await OscDoor().open(house, OscSettings(port=port))  # type: ignore[arg-type]
        with pytest.raises(PortError, match=r"cannot listen on 203\.0\.113\.9"):
            await OscDoor().open(house, OscSettings(host="203.0.113.9"))  # type: ignore[arg-type]

    with_a_door(test)


def test_a_server_is_not_its_own_target() -> None:
    port = free_port()
    settings = OscSettings(port=port, targets=(OscTarget(port=port),))

    async def test() -> None:
        with pytest.raises(PortError, match="this server itself"):
            await OscDoor().open(OscHouse("study"), settings)  # type: ignore[arg-type]

    asyncio.run(test())


def test_stations_that_come_later_are_heard_too_and_those_that_end_are_let_go() -> None:
    async def test(door: OscDoor, house: OscHouse) -> None:
        later = OscHouse("late").streams["late"]
        house.streams["late"] = later
        for listener in house.newcomers:
            house.listen(later, listener)
        heard = await converse(
            door,
            ["/perpetuo/late/subscribe", "ahead"],
            {"until": "/perpetuo/late/subscribed"},
            ["/perpetuo/late/panic"],
            {"until": "/perpetuo/late/silence"},
        )
        assert heard[0][:2] == ["/perpetuo/late/subscribed", "127.0.0.1"]
        house.plan(later, wire_bar(0), house.now() + 50_000)
        house.end(later)
        sent = door.counts.sent
        errors = await converse(door, ["/perpetuo/late/stop"], {"until": "/perpetuo/error"})
        assert "nothing here is called 'late'" in errors[-1][2]
        assert door.counts.sent == sent + 1  # the bar that was about to be sent was not

    with_a_door(test)


def test_after_the_door_is_closed_an_output_is_harmless() -> None:
    outputs = []

    async def test(door: OscDoor, house: OscHouse) -> None:
        outputs.append((door, door.output(house.first_station())))

    with_a_door(test, OscSettings(port=0, targets=(OscTarget(),)))
    ((door, output),) = outputs
    output.send(NoteOn(1, 60, 64, 1), 0)
    assert door.note_counts.unsent == 1
