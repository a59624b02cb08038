"""Does what requests ask of a stream: changes, promises what they mean, begins it anew.

For each stream one thing at a time; see `server.house.steering`. Use in the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from common.errors import StreamError
from engine.controls.controls import Controls, control_named
from engine.controls.values import Json
from server.composing.messages import ChangeOrder, ChangeReport
from server.house.events import BarsMoved, ChangeAnnounced, StateTurned
from server.house.house_preset import HousePreset
from server.house.requests import (
    ChangeRequest,
    ContinueRequest,
    ModelRequest,
    PresetRequest,
    PromptRequest,
    RequestDone,
    SeedRequest,
    StartRequest,
    StopRequest,
    StreamRequest,
)
from server.house.settings import MAX_SEED
from server.house.steering_queue import Group
from server.house.stream import ENDED, PLAYING, STOPPED, EpochStart, Stream
from server.house.stream_composing import StreamComposing

RESUME_LEAD = 120_000  # microseconds from a "continue" to the bar that goes on

PresetOf = Callable[[str], HousePreset]


class RequestExecution:
    """See the module. `preset_of` raises a StreamError if there is no preset of that name."""

    def __init__(self, composing: StreamComposing, preset_of: PresetOf) -> None:
        self._composing, self._preset_of = composing, preset_of
        self._asked: dict[Stream, _PendingChange] = {}

    def check(self, stream: Stream, request: StreamRequest) -> None:
        """What is wrong in itself need not wait: a PerpetuoError."""
        match request:
            case ChangeRequest(controls=controls):
                for name, value in controls.items():  # what goes with what is seen when it is made
                    control_named(name).parse(value)
            case PresetRequest(name=name):
                self._preset_of(name)
            case SeedRequest(seed=seed) if not 0 <= seed <= MAX_SEED:
                raise StreamError(
                    f"the seed cannot be {seed}: give a whole number from 0 to 2^53-1"
                )
            case _:
                pass

    async def do(self, stream: Stream, group: Group) -> None:
        """Carry out requests that were gathered, and answer them; a PerpetuoError if they are
        refused, and nothing was done."""
        request = group[0].request
        if isinstance(request, ChangeRequest):
            await self._steer(stream, group)
            return
        (queued,) = group
        steered = None
        match request:
            case PresetRequest():
                steered = await self._use_preset(stream, request)
            case StopRequest():
                self.stop(stream, request)
            case ContinueRequest():
                self._go_on(stream, request)
            case _:
                await self.begin_anew(stream, *self._opening(stream, request))
        queued.carried(RequestDone(steered))

    async def _steer(self, stream: Stream, group: Group) -> None:
        """Changes that were gathered, made together; the last value of each control counts."""
        asked = [queued.request for queued in group if isinstance(queued.request, ChangeRequest)]
        assert len(asked) == len(group), "only those are gathered"
        last = {name: steer for steer in asked for name in steer.controls}
        stands = {
            name
            for name, steer in last.items()
            if steer.if_new and _stands(stream.controls, name, steer.controls[name])
        }
        values = {name: one.controls[name] for name, one in last.items() if name not in stands}
        plan = asked[-1].plan  # with one there is nothing else
        events: list[ChangeAnnounced] = []
        if values or plan:
            by = {name: last[name].by for name in values} or {"": asked[-1].by}
            events = await self._change(stream, values, plan, by, stream.preset)
        for queued, steer in zip(group, asked, strict=True):
            own = {name for name in steer.controls if last[name] is steer}
            told = next((one for one in events if one.by == steer.by), None)
            told = told or (events[-1] if events else None)
            over = frozenset(steer.controls.keys() - own)
            queued.carried(RequestDone(told, frozenset(own & stands), over))

    async def _change(
        self,
        stream: Stream,
        values: Mapping[str, Json],
        plan: Mapping[int, Mapping[str, int]],
        by: Mapping[str, str],
        preset: str | None,
        *,
        by_preset: bool = False,
    ) -> list[ChangeAnnounced]:
        """Make a change, and promise in which bar it is heard; an event for each who asked. Of a
        preset is left out what the model does not follow."""
        stream.changes += 1
        by_bar = {bar: dict(columns) for bar, columns in plan.items()}
        order = ChangeOrder(
            0, stream.number, dict(values), by_bar, stream.changes, by_preset=by_preset
        )
        asked = self._asked[stream] = _PendingChange(stream.changes, plan, by, preset)
        try:
            await self._composing.ask(order, ChangeReport)
        finally:
            del self._asked[stream]
        if stream.state == ENDED:
            raise StreamError(f"'{stream.name}' has ended")
        return asked.events

    def changed(self, stream: Stream, changed: ChangeReport) -> None:
        """Composing has made a change. It is taken down before anything that it says after this:
        the order of a stream's log is that of its music."""
        asked = self._asked.get(stream)
        if asked is None:
            return  # the server ends, and nobody was told that it is made
        composing, number = self._composing, asked.change
        composing.time.settle(stream)
        promise, outdated = stream.promise(number, changed.bar)
        due = stream.due_of(promise.bar) or changed.due
        stream.controls = stream.controls.with_values(changed.controls)
        stream.preset = asked.preset
        asked.events = _events(changed, asked.plan, asked.by, promise.bar, due, number)
        stream.note(asked.events)
        for event in asked.events:
            stream.tell(event)
        composing.counters.changes += 1
        composing.time.tell_outdated(stream, outdated)
        composing.time.watch.expect(stream)

    async def _use_preset(self, stream: Stream, request: PresetRequest) -> ChangeAnnounced:
        preset = self._preset_of(request.name)
        model = preset.model or stream.usual_model
        if model == stream.model:
            setting = Controls().with_values(preset.controls(stream.seed))
            by = dict.fromkeys(setting.complete(), request.by)
            values = setting.complete()
            (event,) = await self._change(stream, values, {}, by, request.name, by_preset=True)
            return event
        now = self.as_it_is(stream)
        setting = Controls().with_values(
            preset.controls(stream.seed, prompted=now.prompt is not None)
        )
        opening = replace(now, model=model, controls=setting, preset=request.name)
        await self.begin_anew(stream, opening, f"preset {request.name} by {request.by}")
        # With what a prompt lends to what the preset leaves open.
        known = stream.controls.complete()
        event = ChangeAnnounced(known, {}, stream.first, stream.begins, request.by)
        stream.tell(event)
        return event

    def _opening(self, stream: Stream, request: StreamRequest) -> tuple[EpochStart, str]:
        """With what a stream begins anew, and why."""
        opening, by = self.as_it_is(stream), request.by
        preset = self._preset_that(stream)
        match request:
            case SeedRequest(seed=seed):
                controls = opening.controls
                if preset is not None:
                    controls = preset.reseeded(controls, stream.seed, seed)
                changed = replace(opening, seed=seed, prompt=None, controls=controls)
                return changed, f"seed {seed} by {by}"
            case ModelRequest(model=model):
                changed = replace(opening, model=model, usual_model=model)
                return changed, f"model {model} by {by}"
            case PromptRequest(prompt=prompt):
                controls = opening.controls
                if preset is not None:
                    controls = preset.prompted(controls, stream.seed)
                return replace(opening, prompt=prompt, controls=controls), f"prompt by {by}"
        assert isinstance(request, StartRequest), "everything else does not begin anew"
        return opening, f"started by {by}"

    def _preset_that(self, stream: Stream) -> HousePreset | None:
        """The preset that was chosen last, unless it is gone since the presets were read again."""
        try:
            return self._preset_of(stream.preset) if stream.preset else None
        except StreamError:
            return None

    def as_it_is(self, stream: Stream) -> EpochStart:
        return replace(stream.opening, preset=stream.preset, controls=stream.controls)

    async def begin_anew(self, stream: Stream, opening: EpochStart, reason: str) -> None:
        """Another epoch, from the next bar line on. If it is refused, the old one goes on."""
        playing = stream.playing_at(self._composing.now()) if stream.state == PLAYING else None
        due = playing.end if playing is not None else 0
        await self._composing.begin(stream, opening, reason, due=due)

    def stop(self, stream: Stream, request: StopRequest) -> None:
        if stream.state != PLAYING:
            return
        composing = self._composing
        composing.time.settle(stream)
        stream.stop(composing.now())
        composing.time.rest(stream)
        stream.tell(StateTurned(STOPPED, stream.epoch, f"stopped by {request.by}"))

    def _go_on(self, stream: Stream, request: ContinueRequest) -> None:
        if stream.state != STOPPED:
            return
        composing = self._composing
        bar, later = stream.go_on(composing.now() + RESUME_LEAD)
        stream.tell(BarsMoved(bar, later))
        stream.tell(StateTurned(PLAYING, stream.epoch, f"continued by {request.by}"))
        composing.time.play_on(stream, bar)


@dataclass(slots=True)
class _PendingChange:
    """A change that composing was asked to make; `events` tell of it when it has."""

    change: int
    plan: Mapping[int, Mapping[str, int]]
    by: Mapping[str, str]  # who asked for each control last
    preset: str | None
    events: list[ChangeAnnounced] = field(default_factory=list)


def _events(
    changed: ChangeReport,
    plan: Mapping[int, Mapping[str, int]],
    by: Mapping[str, str],
    bar: int,
    due: int,
    change: int,
) -> list[ChangeAnnounced]:
    """An event for each who asked for some of it, in the order of their last word."""
    askers = dict.fromkeys(reversed(list(by.values())))
    events = []
    for asker in reversed(list(askers)):
        values = {name: value for name, value in changed.controls.items() if by[name] == asker}
        events.append(ChangeAnnounced(values, plan, bar, due, asker, change, changed.bar))
    return events


def _stands(controls: Controls, name: str, value: Json) -> bool:
    return bool(control_named(name).parse(value) == getattr(controls, name))
