"""Steering for tests: request by request, waited for; and what stand-ins for the house do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from server.house import requests
from server.house.events import ChangeAnnounced
from server.house.house import House
from server.house.requests import RequestDone, StreamRequest
from server.house.stream import Stream

NO_PLAN: Mapping[int, Mapping[str, int]] = {}


async def change(
    house: House,
    stream: Stream,
    controls: Mapping[str, Any],
    plan: Mapping[int, Mapping[str, int]] = NO_PLAN,
    *,
    by: str = "test",
) -> ChangeAnnounced:
    carried = await house.steer(stream, requests.ChangeRequest(by=by, controls=controls, plan=plan))
    assert carried.steered is not None
    return carried.steered


async def apply_preset(house: House, stream: Stream, name: str) -> ChangeAnnounced:
    carried = await house.steer(stream, requests.PresetRequest(by="test", name=name))
    assert carried.steered is not None
    return carried.steered


async def start(house: House, stream: Stream) -> None:
    await house.steer(stream, requests.StartRequest(by="test"))


async def stop(house: House, stream: Stream) -> None:
    await house.steer(stream, requests.StopRequest(by="test"))


async def go_on(house: House, stream: Stream) -> None:
    await house.steer(stream, requests.ContinueRequest(by="test"))


async def reseed(house: House, stream: Stream, seed: int) -> None:
    await house.steer(stream, requests.SeedRequest(by="test", seed=seed))


async def load(house: House, stream: Stream, model: str) -> None:
    await house.steer(stream, requests.ModelRequest(by="test", model=model))


async def carried_out(house: Any, stream: Stream, request: StreamRequest) -> RequestDone:
    """What a stand-in does with a request: a method each, and nothing at once."""
    await asyncio.sleep(0)
    by = request.by
    match request:
        case requests.ChangeRequest(controls=controls, plan=plan):
            return RequestDone(await house.change(stream, controls, plan, by=by))
        case requests.PresetRequest(name=name):
            return RequestDone(await house.apply_preset(stream, name, by=by))
        case requests.StartRequest():
            await house.start(stream, by=by)
        case requests.StopRequest():
            await house.stop(stream, by=by)
        case requests.ContinueRequest():
            await house.go_on(stream, by=by)
        case requests.SeedRequest(seed=seed):
            await house.reseed(stream, seed, by=by)
        case requests.ModelRequest(model=model):
            await house.load(stream, model, by=by)
        case requests.PromptRequest(prompt=prompt):
            await house.prompt(stream, prompt, by=by)
    return RequestDone()
