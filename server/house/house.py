"""All streams of a running server: opening, steering, the late policy, recovery.

Everything here runs in the event loop's thread. Composing happens in other processes at the other
end of `Composers`; what they report comes in through `composing.take`. `lost` is called when one
has ended, `composing_is_back` when one is there again: every stream is then taken up where it was.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from common.errors import BundleError, CapacityError, StreamError
from common.words import nearest
from engine.controls.controls import Controls
from engine.controls.values import Json
from engine.files.prompt import Prompt
from engine.library.models import embedded_models
from engine.library.presets import Preset
from server.base.clock import monotonic_us
from server.composing.messages import ResumePoint
from server.house.events import Panicked, StateTurned, StreamListener
from server.house.house_preset import HousePreset
from server.house.metrics import Counters
from server.house.requests import ModelRequest, RequestDone, StreamRequest
from server.house.resume_state import ResumeState
from server.house.settings import MAX_SEED
from server.house.steering import Steering
from server.house.stream import ENDED, SEALED_BEFORE, Stream, public_name
from server.house.stream_composing import Composers, StreamComposing

log = logging.getLogger("perpetuo.house")

# A stream is begun no more while one in so many was late within so many microseconds.
SHARE_LATE, JUST_NOW = 10, 5_000_000


@dataclass(frozen=True, slots=True)
class HouseRules:
    """What the house goes by; times in microseconds."""

    horizon: int = 150_000  # bars due within it are not composed again
    sealed: int = SEALED_BEFORE  # nor revised within this: what was composed by then is late
    max_streams: int = 0  # 0: as many as the composing process can carry
    idle: int = 60_000_000  # an own stream to which nobody listens ends after this
    model: str = "default"


class House:
    """See the module; public names here are what doors (WebSocket, OSC, MIDI) may use."""

    def __init__(
        self,
        composers: Composers,
        rules: HouseRules,
        presets: Mapping[str, Preset],
        clock: Callable[[], int] = monotonic_us,
    ) -> None:
        self.rules, self.now = rules, clock
        self.presets = dict(presets)
        self.streams: dict[str, Stream] = {}
        self.counters = Counters()
        self.styles: tuple[str, ...] = ()  # of the default model, once that is known
        self.newcomers: list[StreamListener] = []  # listen to every station
        self.observers: list[
            StreamListener
        ] = []  # told of every stream, and no reason for it to go on
        self.composing = StreamComposing(
            composers,
            clock,
            self.counters,
            rules.horizon,
            lambda stream: self.steering.lose([stream]),
            lambda stream, message: self.steering.failed(stream, message),
            lambda stream, changed: self.steering.execution.changed(stream, changed),
        )
        self.steering = Steering(self.composing, self._preset_of, self.end)
        # Has where a station is written to disk; whether it was, in time.
        self.saver: Callable[[Stream], Awaitable[bool]] | None = None
        self._opening = 0  # own streams that are to begin

    def _admit(self, stream: Stream) -> None:
        self.streams[stream.name] = stream
        stream.observers = self.observers
        if stream.is_station:
            for listener in self.newcomers:
                self.listen(stream, listener)

    # -- finding ---------------------------------------------------------------------------------

    @property
    def stations(self) -> dict[str, Stream]:
        return {name: stream for name, stream in self.streams.items() if stream.is_station}

    def find(self, name: str) -> Stream:
        found = self.streams.get(name)
        if found is None:
            raise StreamError(f"there is no stream '{name[:40]}': {nearest(name, self.stations)}")
        return found

    def first_station(self) -> Stream:
        for stream in self.streams.values():
            if stream.is_station:
                return stream
        raise StreamError("this server has no station: name the stream that is meant")

    def preset(self, name: str) -> Preset:
        found = self.presets.get(name)
        if found is None:
            raise StreamError(f"there is no preset '{name[:40]}': {nearest(name, self.presets)}")
        return found

    def _preset_of(self, name: str) -> HousePreset:
        return HousePreset(self.preset(name), self.styles)

    def models(self) -> dict[str, str]:
        """What may be loaded, by the names that everybody may know: the models of stations and
        presets, and embedded ones. No path that anybody names is opened."""
        known = {name: name for name in _embedded()}
        made_for = [preset.model for preset in self.presets.values() if preset.model]
        used = [stream.usual_model for stream in self.stations.values()]
        for model in (
            self.rules.model,
            *made_for,
            *used,
            *(one.model for one in self.stations.values()),
        ):
            known[public_name(model)] = model
        return dict(sorted(known.items()))

    # -- coming and going ------------------------------------------------------------------------

    async def open(
        self,
        *,
        preset: str | None = None,
        seed: int | None = None,
        controls: Mapping[str, Json] | None = None,
        prompt: Prompt | None = None,
        owner: str,
    ) -> Stream:
        """Begin an own stream; CapacityError if this machine could not carry it."""
        own = self._opening + sum(not stream.is_station for stream in self.streams.values())
        if self.rules.max_streams and own >= self.rules.max_streams:
            raise CapacityError(
                f"all {self.rules.max_streams} own streams are taken: try again when one has ended"
            )
        if self._is_overloaded():
            raise CapacityError(
                "composing does not keep up with the streams there are: try again in a moment"
            )
        name = f"own-{secrets.token_hex(4)}"
        stream = self._new(name, preset, seed, controls or {}, None, prompt)
        stream.is_station, stream.owner = False, owner
        self._opening += 1
        try:
            await self._begin(stream, "begun")
        finally:
            self._opening -= 1
        stream.unheard_since = self.now()
        self.counters.streams_opened += 1
        return stream

    def _is_overloaded(self) -> bool:
        """Whether streams were late just now: one more would make it worse."""
        now = self.now()
        late = sum(stream.was_late(now, JUST_NOW) for stream in self.streams.values())
        return late > 0 and late * SHARE_LATE >= len(self.streams)

    async def add_station(
        self,
        name: str,
        *,
        preset: str | None,
        seed: int | None,
        controls: Mapping[str, Json],
        model: str | None = None,
        prompt: Prompt | None = None,
        kept: ResumeState | None = None,
        bar: int = 0,
        usual_model: str | None = None,
        asked: Collection[str] | None = None,
    ) -> Stream:
        """Begin a station; with what was kept of it, at this bar. `controls` are those with which
        it first began; no `model` is the preset's, or the house's. ControlError if the model does
        not follow the controls that are `asked` for: all of them, if nothing is said."""
        stream = self._new(name, preset, seed, controls, model, prompt, usual_model, asked)
        if kept is None:
            await self._begin(stream, "begun")
        else:
            stream.kept = kept
            resume = ResumePoint(kept.path, tuple(kept.changes), bar, 0, kept=kept.bar)
            await self._begin(stream, "goes on", resume)
        return stream

    async def _begin(self, stream: Stream, reason: str, resume: ResumePoint | None = None) -> None:
        await self.composing.begin(
            stream, stream.opening, reason, resume=resume, admit=lambda: self._admit(stream)
        )

    def _new(
        self,
        name: str,
        preset: str | None,
        seed: int | None,
        controls: Mapping[str, Json],
        model: str | None,
        prompt: Prompt | None,
        usual_model: str | None = None,
        asked: Collection[str] | None = None,
    ) -> Stream:
        chosen = secrets.randbelow(MAX_SEED) if seed is None else seed
        found = self._preset_of(preset) if preset else None
        base = found.controls(chosen, prompted=prompt is not None) if found else {}
        setting = Controls().with_values({**base, **controls})
        usual = model or self.rules.model
        return Stream(
            name,
            chosen,
            model or (found and found.model) or usual,
            setting,
            preset,
            usual_model=usual_model or usual,
            prompt=prompt,
            asked=frozenset(controls if asked is None else asked),
            counts=self.counters.promises,
            sealed_before=self.rules.sealed,
        )

    async def close(self, stream: Stream, reason: str) -> None:
        """End a stream; its listeners are told and let go."""
        self.end(stream, reason)

    def end(self, stream: Stream, reason: str) -> None:
        """As `close`: nothing is waited for, and what was asked of it is refused."""
        if stream.state == ENDED:
            return
        self.streams.pop(stream.name, None)
        self.composing.dismiss(stream)
        stream.state = ENDED
        self.steering.dismiss(stream)
        stream.tell(StateTurned(ENDED, stream.epoch, reason))
        stream.listeners.clear()
        self.counters.streams_closed += 1
        log.info("%s ended: %s", stream.name, reason)

    def listen(self, stream: Stream, listener: StreamListener) -> None:
        if listener not in stream.listeners:
            stream.listeners.append(listener)
        stream.unheard_since = None

    def unlisten(self, stream: Stream, listener: StreamListener) -> None:
        if listener in stream.listeners:
            stream.listeners.remove(listener)
        if not stream.listeners:
            stream.unheard_since = self.now()

    # -- steering --------------------------------------------------------------------------------

    def steer(self, stream: Stream, request: StreamRequest) -> asyncio.Future[RequestDone]:
        """Have something done to a stream, after what was asked of it before. The future has what
        came of it, once that is on disk or is known not to be; it may be left alone. A
        PerpetuoError at once, and nothing changes, if the request is wrong in itself."""
        if isinstance(request, ModelRequest):
            request = replace(request, model=self._model(request.model))
        posted = self.steering.post(stream, request)
        if self.saver is None or not stream.is_station:
            return posted
        return asyncio.ensure_future(self._saved(stream, posted, self.saver))

    async def _saved(
        self,
        stream: Stream,
        posted: asyncio.Future[RequestDone],
        saver: Callable[[Stream], Awaitable[bool]],
    ) -> RequestDone:
        carried = await posted
        saved = await saver(stream)
        self.counters.unsaved += not saved
        steered = None
        if carried.steered is not None:  # it may have been postponed meanwhile
            steered = replace(stream.latest(carried.steered), saved=saved)
        return replace(carried, steered=steered, saved=saved)

    def _model(self, name: str) -> str:
        models = self.models()
        if name not in models:
            raise BundleError(f"there is no model '{name[:40]}': {nearest(name, models)}")
        return models[name]

    def panic(self, stream: Stream, *, by: str) -> None:
        """End everything that sounds; the music goes on with the next note."""
        log.info("%s: panic by %s", stream.name, by)
        stream.tell(Panicked())

    # -- the composing processes ---------------------------------------------------------------

    def lost(self, numbers: frozenset[int]) -> None:
        """A composing process has ended: these were its streams."""
        self.steering.lose(self.composing.lose(numbers))

    def composing_is_back(self) -> None:
        """Another process is there in place of one that ended."""
        self.counters.composer_restarts += 1
        self.steering.recovery.composing_is_back()

    # -- once a second -----------------------------------------------------------------------------

    def tick(self) -> None:
        """Forget what sounded long ago; end own streams to which nobody listens."""
        now = self.now()
        for stream in list(self.streams.values()):
            self.composing.time.settle(stream)
            stream.forget(now)
            unheard = stream.unheard_since
            if stream.is_station or unheard is None or now - unheard < self.rules.idle:
                continue
            seconds = self.rules.idle // 1_000_000
            self.end(stream, f"nobody listened for {seconds} seconds")

    def status(self) -> dict[str, Any]:
        """Plain JSON for a health check."""
        now = self.now()
        late = [s.name for s in self.streams.values() if s.was_late(now)]
        lost = [s.name for s in self.streams.values() if s.is_lost]
        state = "starting" if not self.streams else "degraded" if late or lost else "ok"
        return {
            "status": state,
            "stations": {
                name: {"state": stream.state, "late_bars": stream.late_bars}
                for name, stream in self.stations.items()
            },
            "own_streams": len(self.streams) - len(self.stations),
            "late": late[:20],
            "not_composed": lost[:20],
        }


@cache
def _embedded() -> tuple[str, ...]:
    return tuple(path.stem for path in embedded_models())
