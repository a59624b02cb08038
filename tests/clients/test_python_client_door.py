"""The Python client at the server's own door, with a house that plans bars by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from perpetuo_client import Prompt, Refused, StreamEnded, connect
from perpetuo_client.player import local_now

from server.web.door import WebDoor
from server.web.settings import WebSettings
from tests.clients.client_bars import note
from tests.clients.test_python_client_server import in_a_loop
from tests.server.web_house import WebHouse


@asynccontextmanager
async def at_the_door(**settings: Any) -> AsyncIterator[tuple[WebHouse, str]]:
    door, house = WebDoor(), WebHouse(local_now)
    page = await door.open(house, WebSettings(port=0, **settings))  # type: ignore[arg-type]
    try:
        yield house, page.replace("http", "ws", 1)
    finally:
        await door.close()


@in_a_loop
async def test_it_listens_steers_and_hears_what_was_composed_anew() -> None:
    async with at_the_door() as (house, address), connect(address) as server:
        assert list(server.stations) == ["study", "dance"]
        assert server.controls["density"].low is not None
        assert abs(server.now() - local_now()) < 10**6
        stream = await server.listen()
        ahead = stream.bars(ahead=True)
        assert [(await anext(ahead)).index for _ in range(4)] == [0, 1, 2, 3]
        assert stream.playing is not None
        assert stream.playing.index == 0
        heard = await stream.steer(density=5)
        assert house.streams["study"].bars[heard.bar].due == heard.due
        assert stream.controls["density"] == 5
        revised = await anext(ahead)
        assert (revised.index, revised.revision) == (heard.bar, 1)
        with pytest.raises(Refused, match="density") as caught:
            await stream.steer(density=99)
        assert caught.value.code == "bad_control"
        with pytest.raises(Refused, match="dance"):
            await server.listen("danse")


@in_a_loop
async def test_an_own_stream_begins_anew_and_ends() -> None:
    async with at_the_door() as (house, address), connect(address) as server:
        prompt = Prompt([note(60), note(64, tick=24)])
        stream = await server.open(preset="study", seed=5, prompt=prompt, density=3)
        assert (stream.seed, stream.is_station) == (5, False)
        await stream.stop()
        assert stream.state == "stopped"
        await stream.go_on()
        await stream.panic()
        await stream.reseed(11)
        assert (stream.seed, stream.epoch) == (11, 1)
        await stream.choose_preset("dance")
        await stream.close()
        with pytest.raises(StreamEnded):
            await stream.steer(density=3)
        assert list(house.streams) == ["study", "dance"]


@in_a_loop
async def test_a_cut_connection_is_taken_up_without_gap_or_double() -> None:
    async with at_the_door() as (house, address), connect(address) as server:
        stream = await server.listen()
        ahead = stream.bars(ahead=True)
        found = [(await anext(ahead)).index for _ in range(4)]
        for _ in range(3):
            assert server.connection._socket is not None
            server.connection._socket.transport.abort()
            house.plan(house.streams["study"])
            house.plan(house.streams["study"])
            found += [(await anext(ahead)).index for _ in range(2)]
        assert found == list(range(10))
        assert server.you == "web-1"


@in_a_loop
async def test_the_token_opens_the_door() -> None:
    async with at_the_door(token="open-sesame") as (_, address):
        with pytest.raises(Refused) as caught:
            await connect(address)
        assert caught.value.code == "unauthorised"
        async with connect(address, token="open-sesame") as server:
            assert server.you == "web-1"
