"""All streams of a running server: opening, steering, the late policy, recovery.

Everything here runs in the event loop's thread. Composing happens in another process at the other
end of `Line`; what it reports comes in through `take_report`; when it has been started again after
a crash, `recover` has it go on with every stream.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from engine.control_prompt import Prompt
from engine.control_values import Json
from engine.controls import Controls, nearest
from engine.errors import CapacityError, PerpetuoError, StreamError
from server.clock import monotonic_us
from server.composing.link import LineLost
from server.composing.messages import Change, Changed, Report, Resume, Shift
from server.configuration.presets import Preset
from server.house.counters import Counters
from server.house.desk import Desk, Line
from server.house.events import Listener, Moved, Panicked, Steered, Turned
from server.house.stream import ENDED, FAR, PLAYING, STOPPED, Kept, Stream

log = logging.getLogger("perpetuo.house")

NO_PLAN: Mapping[int, Mapping[str, int]] = {}
RESUME_LEAD = 120_000  # from a "continue" to the bar that goes on
MAX_SEED = 2**53 - 1  # that JSON carries exactly


@dataclass(frozen=True, slots=True)
class HouseRules:
    """What the house goes by; times in microseconds."""

    horizon: int = 150_000
    max_streams: int = 0  # 0: as many as the composing process can carry
    idle: int = 60_000_000  # an own stream to which nobody listens ends after this
    model: str = "default"


class House:
    """See the module; public names here are what doors (WebSocket, OSC, MIDI) may use."""

    def __init__(
        self,
        line: Line,
        rules: HouseRules,
        presets: Mapping[str, Preset],
        clock: Callable[[], int] = monotonic_us,
    ) -> None:
        self.rules, self.now = rules, clock
        self.presets = dict(presets)
        self.streams: dict[str, Stream] = {}
        self.counters = Counters()
        self.styles: tuple[str, ...] = ()  # of the default model, once that is known
        self.newcomers: list[Listener] = []  # listen to every station
        self.observers: list[Listener] = []  # told of every stream, and no reason for it to go on
        self._lost: set[int] = set()  # of streams that nobody composes
        self._recovering: set[asyncio.Future[None]] = set()
        self.desk = Desk(line, clock, self.counters, rules.horizon, self._announce)

    def _announce(self, stream: Stream) -> None:
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

    def _preset_controls(self, name: str) -> Mapping[str, Json]:
        """A preset's controls, without styles that the default model does not know."""
        preset = self.preset(name)
        foreign = preset.model is not None
        return preset.controls if foreign or not self.styles else preset.fitting(self.styles)

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
        own = sum(not stream.is_station for stream in self.streams.values())
        if self.rules.max_streams and own >= self.rules.max_streams:
            raise CapacityError(
                f"all {self.rules.max_streams} own streams are taken: try again when one has ended"
            )
        name = f"own-{secrets.token_hex(4)}"
        stream = self._new(name, preset, seed, controls or {}, None)
        stream.is_station, stream.owner, stream.prompt = False, owner, prompt
        await self.desk.begin(stream)
        stream.unheard_since = self.now()
        self.counters.streams_opened += 1
        return stream

    async def add_station(
        self,
        name: str,
        *,
        preset: str | None,
        seed: int | None,
        controls: Mapping[str, Json],
        model: str | None = None,
        prompt: Prompt | None = None,
        kept: Kept | None = None,
        bar: int = 0,
    ) -> Stream:
        """Begin a station; with what was kept of it, at this bar. `controls` are those with which
        it first began; no `model` is the preset's, or the house's."""
        stream = self._new(name, preset, seed, controls, model)
        stream.is_station, stream.prompt = True, prompt
        if kept is None:
            await self.desk.begin(stream)
        else:
            stream.kept = kept
            resume = Resume(kept.path, tuple(kept.changes), bar, 0)
            await self.desk.begin(stream, reason="goes on", resume=resume)
        return stream

    def _new(
        self,
        name: str,
        preset: str | None,
        seed: int | None,
        controls: Mapping[str, Json],
        model: str | None,
    ) -> Stream:
        base = self._preset_controls(preset) if preset else {}
        setting = Controls().with_values({**base, **controls})
        chosen = secrets.randbelow(MAX_SEED) if seed is None else seed
        usual = model or self.rules.model
        made_for = self.preset(preset).model if preset else None
        stream = Stream(name, chosen, model or made_for or usual, setting, preset)
        stream.usual_model = usual
        return stream

    async def close(self, stream: Stream, reason: str) -> None:
        """End a stream; its listeners are told and let go."""
        if self.streams.pop(stream.name, None) is None:
            return
        self.desk.dismiss(stream)
        stream.state = ENDED
        stream.tell(Turned(ENDED, stream.epoch, reason))
        stream.listeners.clear()
        self.counters.streams_closed += 1
        log.info("%s ended: %s", stream.name, reason)

    def listen(self, stream: Stream, listener: Listener) -> None:
        if listener not in stream.listeners:
            stream.listeners.append(listener)
        stream.unheard_since = None

    def unlisten(self, stream: Stream, listener: Listener) -> None:
        if listener in stream.listeners:
            stream.listeners.remove(listener)
        if not stream.listeners:
            stream.unheard_since = self.now()

    # -- steering --------------------------------------------------------------------------------

    async def change(
        self,
        stream: Stream,
        controls: Mapping[str, Json],
        plan: Mapping[int, Mapping[str, int]] = NO_PLAN,
        *,
        by: str,
    ) -> Steered:
        """Steer a stream; a PerpetuoError and nothing changed if a value is bad."""
        stream.controls.with_values(controls)  # bad values need not travel
        return await self._change(stream, controls, plan, by, stream.preset)

    async def _change(
        self,
        stream: Stream,
        controls: Mapping[str, Json],
        plan: Mapping[int, Mapping[str, int]],
        by: str,
        preset: str | None,
    ) -> Steered:
        by_bar = {bar: dict(columns) for bar, columns in plan.items()}
        order = Change(0, stream.number, dict(controls), by_bar)  # the line numbers it
        epoch = stream.epoch
        changed = await self.desk.ask(order, Changed)
        due = stream.due_of(changed.bar) or changed.due
        event = Steered(changed.controls, plan, changed.bar, due, by)
        if stream.epoch == epoch and stream.state != ENDED:
            stream.controls = stream.controls.with_values(changed.controls)
            stream.preset = preset
            stream.steered(event)
            stream.tell(event)
        self.counters.changes += 1
        return event

    async def apply_preset(self, stream: Stream, name: str, *, by: str) -> Steered:
        """Set every control as the preset has it: what it leaves out takes its default. If it is
        made for another model than the stream's, the stream begins anew with that."""
        setting = Controls().with_values(self._preset_controls(name))
        model = self.preset(name).model or stream.usual_model
        if model != stream.model:
            changed = {"model": model, "controls": setting, "preset": name}
            await self.desk.begin_anew(stream, f"preset {name} by {by}", **changed)
            event = Steered(setting.complete(), NO_PLAN, stream.first, stream.begins, by)
            stream.tell(event)
            return event
        return await self._change(stream, setting.complete(), NO_PLAN, by, name)

    async def start(self, stream: Stream, *, by: str) -> None:
        """Begin anew from the first bar, with the same seed and the controls as they are."""
        await self.desk.begin_anew(stream, f"started by {by}", state=PLAYING)

    async def reseed(self, stream: Stream, seed: int, *, by: str) -> None:
        if not 0 <= seed <= MAX_SEED:
            raise StreamError(f"the seed cannot be {seed}: give a whole number from 0 to 2^53-1")
        await self.desk.begin_anew(stream, f"seed {seed} by {by}", seed=seed, prompt=None)

    async def load(self, stream: Stream, model: str, *, by: str) -> None:
        """Go on with another model, from its beginning."""
        changed = {"model": model, "usual_model": model}
        await self.desk.begin_anew(stream, f"model {model} by {by}", **changed)

    async def prompt(self, stream: Stream, prompt: Prompt, *, by: str) -> None:
        """Begin anew with this music before it."""
        await self.desk.begin_anew(stream, f"prompt by {by}", prompt=prompt)

    async def stop(self, stream: Stream, *, by: str) -> None:
        """Pause: what sounds ends at once."""
        if stream.state != PLAYING:
            return
        bar = stream.stop(self.now())
        self.desk.line.send(Shift(stream.number, bar + 1, FAR))
        stream.tell(Turned(STOPPED, stream.epoch, f"stopped by {by}"))

    async def go_on(self, stream: Stream, *, by: str) -> None:
        """Go on from the beginning of the bar in which the stream was stopped."""
        if stream.state != STOPPED:
            return
        bar, later = stream.go_on(self.now() + RESUME_LEAD)
        self.desk.line.send(Shift(stream.number, bar + 1, later - FAR))
        stream.tell(Moved(bar, later))
        stream.tell(Turned(PLAYING, stream.epoch, f"continued by {by}"))
        self.desk.watch.expect(stream)

    def panic(self, stream: Stream, *, by: str) -> None:
        """End everything that sounds; the music goes on with the next note."""
        log.info("%s: panic by %s", stream.name, by)
        stream.tell(Panicked())

    # -- the composing process -----------------------------------------------------------------

    def take_report(self, report: Report) -> None:
        """Everything it says but the answers to requests."""
        self.desk.take(report)

    def lost(self, numbers: frozenset[int]) -> None:
        """A composing process has failed that had these."""
        self._lost |= numbers

    def composing_is_back(self) -> None:
        """Have what was lost taken up again."""
        lost, self._lost = self._lost, set()
        task = asyncio.ensure_future(self.recover(lost))
        self._recovering.add(task)
        task.add_done_callback(self._recovering.discard)

    async def recover(self, lost: Collection[int]) -> None:
        """A composing process has died: have these of its streams taken up where they were."""
        self.counters.composer_restarts += 1
        streams = [stream for stream in self.streams.values() if stream.number in lost]
        by_need = sorted(streams, key=lambda s: (not s.is_station, s.planned_until))
        for stream in by_need:
            try:
                await self.desk.take_up(stream)
            except LineLost:
                self._lost.add(stream.number)  # until the next one is there
            except PerpetuoError as error:
                log.error("%s cannot go on: %s", stream.name, error)
                if not stream.is_station:
                    await self.close(stream, str(error))

    # -- once a second -----------------------------------------------------------------------------

    async def tick(self) -> None:
        """Forget what sounded long ago; end own streams to which nobody listens."""
        now = self.now()
        for stream in list(self.streams.values()):
            stream.forget(now)
            unheard = stream.unheard_since
            if stream.is_station or unheard is None or now - unheard < self.rules.idle:
                continue
            seconds = self.rules.idle // 1_000_000
            await self.close(stream, f"nobody listened for {seconds} seconds")

    def status(self) -> dict[str, Any]:
        """Plain JSON for a health check."""
        now = self.now()
        late = [s.name for s in self.streams.values() if s.was_late(now)]
        state = "starting" if not self.streams else "degraded" if late else "ok"
        return {
            "status": state,
            "stations": {
                name: {"state": stream.state, "late_bars": stream.late_bars}
                for name, stream in self.stations.items()
            },
            "own_streams": len(self.streams) - len(self.stations),
            "late": late[:20],
        }
