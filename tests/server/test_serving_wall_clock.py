"""The system's clock is set forward or back by an hour while a server plays: nobody hears it."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from pathlib import Path

import pytest
from perpetuo_client import connect
from perpetuo_client.player import local_now

from server.house.events import ChangeAnnounced
from server.osc.packets import decode, encode, encode_bundle, time_of, timetag_of
from server.playing.outputs import BarBegin, NoteOn
from server.serving.server import Server
from tests.bundles import tiny_bytes
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

pytestmark = pytest.mark.in_time

HOUR = 3600
NEAR = 1.0  # seconds: far less than the jump, far more than a busy machine takes


class WallClock:
    """The system's clock as this process sees it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = 0  # seconds
        real_ns, real_gmtime = time.time_ns, time.gmtime
        monkeypatch.setattr(time, "time_ns", lambda: real_ns() + self.ahead * 10**9)
        monkeypatch.setattr(time, "time", lambda: time.time_ns() / 1e9)
        monkeypatch.setattr(time, "gmtime", lambda t=None: real_gmtime(t or time.time()))

    @staticmethod
    def offset() -> float:
        """Seconds from the monotonic clock to this one."""
        return time.time() - time.monotonic()


class Follower(asyncio.DatagramProtocol):
    """An OSC program that is sent bars ahead; knows when each is due by its own wall clock."""

    def __init__(self) -> None:
        self.due: dict[int, float] = {}

    def datagram_received(self, data: bytes, addr: object) -> None:
        for timed in decode(data):
            for message in timed.messages:
                if message.address.endswith("/bar"):
                    index = message.values[0]
                    assert isinstance(index, int)
                    assert index not in self.due, f"bar {index} was sent twice"
                    self.due[index] = time_of(timed.timetag) / 1e6


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.onnx"
    path.write_bytes(tiny_bytes("gpt"))
    return path


def obeyed(server: Server, ear: Ear) -> list[object]:
    """The values of density that were set."""
    return [e.controls["density"] for e in ear.events if isinstance(e, ChangeAnnounced)]


async def until_obeyed(server: Server, ear: Ear, value: float) -> None:
    async with asyncio.timeout(60):
        while value not in obeyed(server, ear):
            await asyncio.sleep(0.02)


@pytest.mark.alone
@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forward", "back"])
def test_a_jump_of_the_systems_clock_is_not_heard(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    wall, recording, follower = WallClock(monkeypatch), RecordingOutput(), Follower()
    dues: dict[int, int] = {}

    def density(value: int, seconds: float) -> bytes:
        """To be set in so many seconds, told by the wall clock of now."""
        when = timetag_of(round((time.time() + seconds) * 1e6))
        return encode_bundle(when, encode("/perpetuo/test/density", value))

    async def scenario() -> tuple[int, float, float]:
        settings = configuration(model, tmp_path, lookahead=6)
        async with opened(settings) as (server, told), connect(socket_address(told)) as client:
            await play_into(server, recording)
            ear = Ear(server)
            loop = asyncio.get_running_loop()
            line, _ = await loop.create_datagram_endpoint(
                lambda: follower, remote_addr=osc_address(told)
            )
            line.sendto(encode("/perpetuo/test/subscribe", "bars", "ahead"))
            stream = await client.listen()
            await ear.until_bar(max(ear.sounded()) + 3)
            before = wall.offset()
            line.sendto(density(5, 0.5))
            line.sendto(encode("/perpetuo/ping"))
            await asyncio.sleep(0.1)  # it has come, and is not due yet
            last = max(follower.due)
            wall.ahead = jump
            after = wall.offset()
            await until_obeyed(server, ear, 5)  # though its timetag is an hour off by now
            line.sendto(density(2, 0.3))
            await until_obeyed(server, ear, 2)
            await ear.until_bar(max(ear.sounded()) + 4)
            assert abs(client.now() - server.house.now()) < NEAR * 1e6
            assert abs(server.house.now() - local_now()) < NEAR * 1e6
            assert stream.playing is not None
            dues.update({i: planned.due for i, planned in ear.stream.bars.items()})
            assert server.house.counters.late_bars == 0
            assert server.player.missed_notes == server.player.ignored_bars == 0
            heard = ear.sounded()
            for index, following in pairwise(sorted(heard)):
                assert following == index + 1
                assert dues[following] == dues[index] + heard[index].length
            line.close()
            log, folder = newest_log(tmp_path)
            same(heard, replayed(model, log, folder, max(heard) + 1))
            return last, before, after

    last, before, after = asyncio.run(scenario())
    # Notes and bar lines came in order of their due times, without a gap, and all ended.
    lines = [(due, event.index) for due, event in recording.events if isinstance(event, BarBegin)]
    assert [index for _, index in lines] == list(range(lines[0][1], lines[-1][1] + 1))
    assert all(due == dues[index] for due, index in lines if index in dues)
    assert sum(isinstance(event, NoteOn) for _, event in recording.events) > 0
    assert not recording.hanging()
    # OSC goes by the wall clock of the moment when a bar is sent.
    assert {i for i in follower.due if i <= last}
    assert {i for i in follower.due if i > last + 1}
    for index, due in follower.due.items():
        offset = before if index <= last else after
        assert abs(due - (dues[index] / 1e6 + offset)) < NEAR
