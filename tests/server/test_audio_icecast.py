"""What is sent to an Icecast that behaves in every wrong way first: it is always tried again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from server.audio import icecast
from server.audio.icecast import IcecastSource
from server.audio.settings import IcecastSettings

pytestmark = pytest.mark.in_time

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PATIENCE = 20.0


class FakeRadio:
    """One station; who joins hears two pieces at once."""

    def __init__(self) -> None:
        self.stations = {"study": SimpleNamespace(title="Study")}
        self.settings = SimpleNamespace(mp3_bitrate=128, opus_bitrate=96)
        self.faults = 0  # that joining still has

    @contextmanager
    def joined(self, station: str, form: str, listener: IcecastSource) -> Iterator[None]:
        if self.faults:
            self.faults -= 1
            raise ZeroDivisionError("nobody thought of this")
        listener.write(b"mu", "One")
        listener.write(b"sic", "One")
        yield


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n" + b"x" * 200_000)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """It goes away at once."""


async def no_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"what?\r\n\r\n")


async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 401 Unauthorized\r\n\r\n")


async def good(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    await reader.readexactly(5)


class FakeIcecast:
    """Behaves as told, once each; in the end it is good, and `is_heard`."""

    def __init__(self, *behaviours: Behaviour) -> None:
        self._behaviours = list(behaviours)
        self.visits = 0
        self.is_heard = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        behave = self._behaviours.pop(0) if self._behaviours else good
        try:
            await behave(reader, writer)
            if behave is good:
                self.is_heard.set()
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def pushed(
    radio: FakeRadio, server: FakeIcecast, **more: Any
) -> AsyncIterator[IcecastSource]:
    async with await asyncio.start_server(server, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        settings = IcecastSettings(
            host="127.0.0.1", port=port, mount="/study", password="secret", **more
        )
        push = IcecastSource(radio, settings, "study")  # type: ignore[arg-type]
        running = asyncio.create_task(push.run())
        try:
            async with asyncio.timeout(PATIENCE):
                yield push
        finally:
            running.cancel()
            (ended,) = await asyncio.gather(running, return_exceptions=True)
            assert isinstance(ended, asyncio.CancelledError)


@pytest.fixture(autouse=True)
def _swift(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(icecast, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(icecast, "LONGEST_WAIT", 0.004)
    monkeypatch.setattr(icecast, "ANSWER_WITHIN", 0.2)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (endless, "it answers without end"),
        (silent, "it does not answer"),
        (deaf, "it closed the connection"),
        (no_http, "it does not speak HTTP"),
        (refusing, "it refuses the password"),
    ],
)
def test_whatever_is_wrong_it_is_tried_again_and_told_once(
    behaviour: Behaviour, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "perpetuo.audio")

    async def go() -> None:
        server = FakeIcecast(behaviour, behaviour, behaviour)
        async with pushed(FakeRadio(), server) as push:
            await server.is_heard.wait()
            assert (server.visits, push.failures, push.connections) == (4, 3, 1)
            assert push.is_up

    asyncio.run(go())
    said = [record.getMessage() for record in caplog.records if "not sent" in record.getMessage()]
    assert len(said) == 1, said
    assert reason in said[0]


def test_a_fault_of_ours_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    async def go() -> None:
        radio, server = FakeRadio(), FakeIcecast()
        radio.faults = 2
        async with pushed(radio, server) as push:
            await server.is_heard.wait()
            assert push.failures == 2

    asyncio.run(go())
    assert "a fault of ours (ZeroDivisionError)" in caplog.text


def test_pauses_grow_though_it_is_taken_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An Icecast that takes everybody and lets go at once is not knocked at every second."""
    waits: list[float] = []

    async def brief(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await good(reader, writer)

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=0)

    class Waiting:
        sleep = staticmethod(wait)

        def __getattr__(self, name: str) -> Any:
            return getattr(asyncio, name)

    async def go() -> None:
        server = FakeIcecast(*[brief] * 4)
        monkeypatch.setattr(icecast, "asyncio", Waiting())
        async with pushed(FakeRadio(), server, format="opus"):
            await server.is_heard.wait()

    asyncio.run(go())
    assert waits[:4] == [0.001, 0.002, 0.004, 0.004]
