"""Has the house do what comes in, and tells whoever asked what came of it."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from common.errors import PerpetuoError
from server.house import requests
from server.house.events import ChangePostponed
from server.house.requests import RequestDone, StreamRequest
from server.osc.addresses import SetControl, SetModel, SetPreset, SetSeed, SetTransport, Steering
from server.osc.subscribers import Address

if TYPE_CHECKING:
    from server.house.house import House
    from server.house.stream import Stream

log = logging.getLogger("perpetuo.osc")

REMEMBERED = 256  # changes of which it is known who asked


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asked for something, and by which address."""

    sender: Address
    address: str

    @property
    def name(self) -> str:
        return f"osc {self.sender[0]}"


class AskerAnswers(Protocol):
    """How an asker is told what came of it."""

    def refused(self, asker: Asker, message: str) -> None: ...

    def done(self, asker: Asker, stream: Stream, what: str) -> None: ...

    def heard(self, asker: Asker, stream: Stream, what: str, bar: int) -> None:
        """It is heard from this bar on."""
        ...

    def unchanged(self, asker: Asker, stream: Stream, control: str) -> None:
        """The control had that value already."""
        ...

    def postponed(self, asker: Asker, stream: Stream, what: str, bar: int) -> None:
        """What was told to be heard earlier is heard from this bar on."""
        ...

    def unsaved(self, asker: Asker, stream: Stream, what: str) -> None:
        """It is done, and not on disk yet: lost if the server dies now."""
        ...


class OscSteering:
    """Requests on their way. All of it runs in the event loop's thread."""

    def __init__(self, house: House, answers: AskerAnswers) -> None:
        self._house, self._answers = house, answers
        self._tasks: set[asyncio.Task[None]] = set()
        # Who was told in which bar a change is heard, by stream and change; the latest ones.
        self._told: OrderedDict[tuple[str, int, int], list[tuple[Asker, str]]] = OrderedDict()

    def postponed(self, stream: Stream, event: ChangePostponed) -> None:
        """Tell whoever asked for it."""
        for asker, what in self._told.get((stream.name, stream.epoch, event.change), ()):
            self._answers.postponed(asker, stream, what, event.bar)

    def _remember(self, stream: Stream, change: int, asker: Asker, what: str) -> None:
        self._told.setdefault((stream.name, stream.epoch, change), []).append((asker, what))
        while len(self._told) > REMEMBERED:
            self._told.popitem(last=False)

    def take(self, stream: Stream, asked: Steering, asker: Asker) -> None:
        """Have it done soon; panic at once. A PerpetuoError if it cannot be."""
        if isinstance(asked, SetTransport) and asked.verb == "panic":
            self._house.panic(stream, by=asker.name)
            self._answers.done(asker, stream, "panic")
            return
        coming = self._house.steer(stream, _request(asked, asker.name))
        task = asyncio.get_running_loop().create_task(self._tell(stream, asked, asker, coming))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Leave what is not done yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _tell(
        self, stream: Stream, asked: Steering, asker: Asker, coming: asyncio.Future[RequestDone]
    ) -> None:
        try:
            carried = await coming
        except PerpetuoError as error:
            self._answers.refused(asker, str(error))
            return
        except Exception:
            log.exception("what came over OSC could not be done")
            self._answers.refused(asker, "this failed by a fault of the server: see its log")
            return
        what = _word(asked)
        if what in carried.superseded:
            return  # whoever gave it another value is told of that
        if what in carried.unchanged:
            self._answers.unchanged(asker, stream, what)
        elif carried.steered is not None:
            steered = stream.latest(carried.steered)
            self._remember(stream, steered.change, asker, what)
            self._answers.heard(asker, stream, what, steered.bar)
        else:
            self._answers.done(asker, stream, what)
        if carried.saved is False:
            self._answers.unsaved(asker, stream, what)


def _request(asked: Steering, by: str) -> StreamRequest:
    match asked:
        case SetControl(_, control, value):
            return requests.ChangeRequest(by=by, controls={control: value}, if_new=True)
        case SetPreset(_, name):
            return requests.PresetRequest(by=by, name=name)
        case SetSeed(_, seed):
            return requests.SeedRequest(by=by, seed=seed)
        case SetModel(_, model):
            return requests.ModelRequest(by=by, model=model)
        case SetTransport(_, "start"):
            return requests.StartRequest(by=by)
        case SetTransport(_, "stop"):
            return requests.StopRequest(by=by)
        case SetTransport():
            return requests.ContinueRequest(by=by)


def _word(asked: Steering) -> str:
    """By which an answer names what was asked for."""
    match asked:
        case SetControl(_, control, _):
            return control
        case SetPreset():
            return "preset"
        case SetSeed():
            return "seed"
        case SetModel():
            return "load"
        case SetTransport(_, verb):
            return verb
