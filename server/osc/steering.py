"""Carries out what steers a stream, one thing after another, without holding anything else up.

Changes of controls that come while something is under way are gathered and made together: a fader
that sends a hundred values a second has the music composed anew as often as can be followed, and
its last value always counts.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from engine.control_values import Json
from engine.controls import control_named
from engine.errors import PerpetuoError
from server.osc.addresses import (
    LoadModel,
    OscError,
    Reseed,
    SetControl,
    Steering,
    Transport,
    UsePreset,
)
from server.osc.audience import Address

if TYPE_CHECKING:
    from server.house.house import House
    from server.house.stream import Stream

log = logging.getLogger("perpetuo.osc")

MAX_WAITING = 64  # things to be done to one stream


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asked for something, and by which address."""

    sender: Address
    address: str

    @property
    def name(self) -> str:
        return f"osc {self.sender[0]}"


class Answers(Protocol):
    """How an asker is told what came of it."""

    def refused(self, asker: Asker, message: str) -> None: ...

    def done(self, asker: Asker, stream: Stream, what: str) -> None: ...

    def heard(self, asker: Asker, stream: Stream, what: str, bar: int) -> None:
        """It is heard from this bar on."""
        ...

    def unchanged(self, asker: Asker, stream: Stream, control: str) -> None:
        """The control had that value already."""
        ...


@dataclass(frozen=True, slots=True)
class _Changes:
    """Controls to be set together, and who asked for each last."""

    values: dict[str, Json] = field(default_factory=dict)
    askers: dict[str, Asker] = field(default_factory=dict)

    def add(self, control: str, value: Json, asker: Asker) -> None:
        self.values[control] = value
        self.askers[control] = asker


@dataclass(frozen=True, slots=True)
class _Deed:
    request: Transport | UsePreset | Reseed | LoadModel
    asker: Asker


class Helm:
    """One queue for each stream. All of it runs in the event loop's thread."""

    def __init__(self, house: House, answers: Answers) -> None:
        self._house, self._answers = house, answers
        self._queues: dict[str, deque[_Changes | _Deed]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, stream: Stream, request: Steering, asker: Asker) -> None:
        """Have it done soon; panic at once. A PerpetuoError if it cannot be."""
        if isinstance(request, Transport) and request.verb == "panic":
            self._house.panic(stream, by=asker.name)
            self._answers.done(asker, stream, "panic")
            return
        if isinstance(request, SetControl):
            control_named(request.control).parse(request.value)
        queue = self._queues.get(stream.name)
        if queue is None:
            queue = self._queues[stream.name] = deque()
            task = asyncio.get_running_loop().create_task(self._work(stream, queue))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if not isinstance(request, SetControl):
            self._room_in(queue).append(_Deed(request, asker))
            return
        last = queue[-1] if queue else None
        if not isinstance(last, _Changes):
            last = _Changes()
            self._room_in(queue).append(last)
        last.add(request.control, request.value, asker)

    async def close(self) -> None:
        """Leave what is not done yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _room_in(self, queue: deque[_Changes | _Deed]) -> deque[_Changes | _Deed]:
        if len(queue) >= MAX_WAITING:
            raise OscError(f"{MAX_WAITING} things wait to be done to this stream: try again later")
        return queue

    async def _work(self, stream: Stream, queue: deque[_Changes | _Deed]) -> None:
        try:
            while queue:
                todo = queue.popleft()
                if isinstance(todo, _Changes):
                    await self._change(stream, todo)
                else:
                    await self._do(stream, todo)
        finally:
            del self._queues[stream.name]

    async def _change(self, stream: Stream, changes: _Changes) -> None:
        values = {}
        for name, value in changes.values.items():
            if control_named(name).parse(value) == getattr(stream.controls, name):
                self._answers.unchanged(changes.askers[name], stream, name)
            else:
                values[name] = value
        if not values:
            return
        askers = [changes.askers[name] for name in values]
        try:
            steered = await self._house.change(stream, values, by=askers[-1].name)
        except PerpetuoError as error:
            await self._one_by_one(stream, values, changes.askers, error)
        except Exception:
            self._failed(askers)
        else:
            for name, asker in zip(values, askers, strict=True):
                self._answers.heard(asker, stream, name, steered.bar)

    async def _one_by_one(
        self,
        stream: Stream,
        values: dict[str, Json],
        askers: dict[str, Asker],
        error: PerpetuoError,
    ) -> None:
        """One bad value does not spoil the others that happened to be gathered with it."""
        if len(values) == 1:
            (name,) = values
            self._answers.refused(askers[name], str(error))
            return
        for name, value in values.items():
            single = _Changes()
            single.add(name, value, askers[name])
            await self._change(stream, single)

    async def _do(self, stream: Stream, deed: _Deed) -> None:
        house, asker, by = self._house, deed.asker, deed.asker.name
        try:
            match deed.request:
                case UsePreset(_, name):
                    steered = await house.apply_preset(stream, name, by=by)
                    self._answers.heard(asker, stream, "preset", steered.bar)
                    return
                case Reseed(_, seed):
                    what = "seed"
                    await house.reseed(stream, seed, by=by)
                case LoadModel(_, model):
                    what = "load"
                    await house.load(stream, model, by=by)
                case Transport(_, what):
                    act = {"start": house.start, "stop": house.stop, "continue": house.go_on}[what]
                    await act(stream, by=by)
        except PerpetuoError as error:
            self._answers.refused(asker, str(error))
        except Exception:
            self._failed([asker])
        else:
            self._answers.done(asker, stream, what)

    def _failed(self, askers: list[Asker]) -> None:
        """A fault of ours: the log has it, the music and what else waits go on."""
        log.exception("what came over OSC could not be done")
        for asker in askers:
            self._answers.refused(asker, "this failed by a fault of the server: see its log")
