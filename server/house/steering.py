"""Carries out what is asked of streams: for each one thing after another, in the order in which it
was asked, whatever door it came through.

A stream that lost its composing process is taken up again first; what is asked of it waits. One
task works for each stream that has something to be done. Use in the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from engine.control_values import Json
from engine.controls import Controls, control_named
from engine.errors import CapacityError, PerpetuoError, StreamError
from server.composing.link import LineLost
from server.composing.messages import Change, Changed
from server.house.desk import Desk
from server.house.events import Moved, Panicked, Steered, Turned
from server.house.mailbox import Group, Letter
from server.house.requests import (
    Carried,
    Continue,
    GivePrompt,
    Load,
    Request,
    Reseed,
    Start,
    Steer,
    Stop,
    UsePreset,
)
from server.house.stream import ENDED, PLAYING, STOPPED, Opening, Stream

log = logging.getLogger("perpetuo.house")

RESUME_LEAD = 120_000  # microseconds from a "continue" to the bar that goes on
MAX_SEED = 2**53 - 1  # that JSON carries exactly
PATIENCE = 8.0  # seconds that a request waits for composing to come back
# Seconds between attempts to take a stream up again: short at first, then longer.
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 15.0
LOOK_EVERY = 1.0  # seconds between looks for requests that have waited too long
# So many attempts to go on where it was, before a stream begins anew.
GO_ON_TRIES = 2
TAKEN_UP_AT_ONCE = 2


class Steering:
    """See the module. `preset_controls` gives a preset's controls and its model, StreamError if
    there is none of that name; `close` ends an own stream."""

    def __init__(
        self,
        desk: Desk,
        preset_of: Callable[[str], tuple[Mapping[str, Json], str | None]],
        close: Callable[[Stream, str], None],
    ) -> None:
        self._desk, self._preset_of, self._close = desk, preset_of, close
        self._tasks: dict[Stream, asyncio.Task[None]] = {}
        self._in_hand: set[Stream] = set()  # for which something is being done
        self._asked: dict[Stream, _Asked] = {}
        self._back = asyncio.Event()  # set while composing is believed to be there
        self._back.set()
        self._taking_up = asyncio.Semaphore(TAKEN_UP_AT_ONCE)
        self._is_closing = False

    # -- what is asked ---------------------------------------------------------------------------

    def post(self, stream: Stream, request: Request) -> asyncio.Future[Carried]:
        """Have something done; the future has what came of it. A PerpetuoError at once, and
        nothing changes, if it cannot be asked for."""
        loop = asyncio.get_running_loop()
        if stream.state == ENDED or self._is_closing:
            raise StreamError(f"'{stream.name}' has ended")
        self._check(stream, request)
        letter = Letter(request, loop.time(), loop.create_future())
        if isinstance(request, Stop):
            # It is heard at once, and holds against what was asked before and is not done yet.
            self._stop(stream, request)
            if stream not in self._in_hand and not stream.mailbox:
                letter.carried(Carried())
                return letter.answer
        stream.mailbox.put(letter)
        self._wake(stream)
        return letter.answer

    def panic(self, stream: Stream, *, by: str) -> None:
        """End everything that sounds; the music goes on with the next note."""
        log.info("%s: panic by %s", stream.name, by)
        stream.tell(Panicked())

    def _check(self, stream: Stream, request: Request) -> None:
        """What is wrong in itself need not wait."""
        match request:
            case Steer(controls=controls):
                for name, value in controls.items():  # what goes with what is seen when it is made
                    control_named(name).parse(value)
            case UsePreset(name=name):
                self._preset_of(name)
            case Reseed(seed=seed) if not 0 <= seed <= MAX_SEED:
                raise StreamError(
                    f"the seed cannot be {seed}: give a whole number from 0 to 2^53-1"
                )
            case _:
                pass

    # -- composing goes away and comes back --------------------------------------------------------

    def lose(self, streams: Iterable[Stream]) -> None:
        """No process composes these any more: they are taken up again, stations first, then
        whoever has the least music left."""
        for stream in sorted(streams, key=lambda s: (not s.is_station, s.planned_until)):
            if stream.state != ENDED:
                stream.is_lost = True
                self._wake(stream)

    def composing_is_back(self) -> None:
        self._back.set()

    def failed(self, stream: Stream, message: str) -> None:
        """Composing one stream went wrong, and only that one."""
        stream.failed()
        log.error("%s could not be composed (%s): it is taken up again", stream.name, message)
        self.lose([stream])

    def dismiss(self, stream: Stream) -> None:
        """It has ended: what is asked of it is refused."""
        stream.promises.void()
        for letter in stream.mailbox.empty():
            letter.refuse(StreamError(f"'{stream.name}' has ended"))

    async def close(self) -> None:
        """Leave what is not done yet."""
        self._is_closing = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- one task a stream -------------------------------------------------------------------------

    def _wake(self, stream: Stream) -> None:
        if stream in self._tasks or self._is_closing:
            return
        task = asyncio.get_running_loop().create_task(self._work(stream))
        self._tasks[stream] = task
        task.add_done_callback(lambda _: self._rest(stream))

    def _rest(self, stream: Stream) -> None:
        self._tasks.pop(stream, None)
        if self._is_closing or stream.state == ENDED:
            self.dismiss(stream)
        elif stream.mailbox or stream.is_lost:  # something came after its last look
            self._wake(stream)

    async def _work(self, stream: Stream) -> None:
        while stream.state != ENDED:
            if stream.is_lost:
                await self._regain(stream)
            elif stream.mailbox:
                await self._carry_out(stream, stream.mailbox.take())
            else:
                return

    async def _carry_out(self, stream: Stream, group: Group) -> None:
        self._in_hand.add(stream)
        try:
            await self._do(stream, group)
        except LineLost as error:
            await self._try_again(stream, group, error)
        except PerpetuoError as error:
            if len(group) > 1:  # a bad value does not spoil those that are asked for with it
                for letter in reversed(group):
                    stream.mailbox.put_back([letter])
            else:
                group[0].refuse(error)
        except asyncio.CancelledError:
            for letter in group:
                letter.refuse(StreamError(f"'{stream.name}' has ended"))
            raise
        except Exception:
            log.exception("what was asked of %s could not be done", stream.name)
            for letter in group:
                letter.refuse(StreamError("this failed by a fault of the server: see its log"))
        finally:
            self._in_hand.discard(stream)

    async def _try_again(self, stream: Stream, group: Group, error: LineLost) -> None:
        """The process ended before it answered: nothing was done. It is asked of the next one."""
        stream.mailbox.put_back(group)
        self._expire(stream, error)
        if not stream.is_lost:
            await asyncio.sleep(FIRST_PAUSE)

    def _expire(self, stream: Stream, error: PerpetuoError) -> None:
        before = asyncio.get_running_loop().time() - PATIENCE
        for letter in stream.mailbox.expire(before):
            letter.refuse(error)

    # -- taking up ---------------------------------------------------------------------------------

    async def _regain(self, stream: Stream) -> None:
        """Have a stream composed again, however long that takes."""
        pause = FIRST_PAUSE
        refused = 0
        while stream.is_lost and stream.state != ENDED:
            try:
                async with self._taking_up:
                    await self._take_up(stream, refused)
            except (LineLost, CapacityError) as error:
                reason: PerpetuoError = error
            except PerpetuoError as error:
                refused, reason = refused + 1, error
                log.error("%s cannot go on: %s", stream.name, error)
            except Exception:
                log.exception("%s could not be taken up again", stream.name)
                refused, reason = refused + 1, StreamError("a fault of the server: see its log")
            else:
                return
            if stream.state == ENDED:
                return
            if not (stream.is_station or isinstance(reason, LineLost)):
                self._close(stream, str(reason))
                return
            await self._pause(stream, reason, pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _take_up(self, stream: Stream, refused: int) -> None:
        """Where it was, if that works; else from a beginning. One that cannot be composed where
        it stands takes another course."""
        if refused < GO_ON_TRIES and stream.failures < GO_ON_TRIES:
            await self._desk.take_up(stream)
            return
        opening = self._as_it_is(stream)
        if stream.failures >= GO_ON_TRIES:
            opening = replace(opening, seed=(opening.seed + 1) % MAX_SEED, prompt=None)
        stream.failures = 0
        was_stopped = stream.state == STOPPED
        await self._begin_anew(stream, opening, "it could not go on where it was")
        if was_stopped:
            self._stop(stream, Stop(by="the server"))

    async def _pause(self, stream: Stream, reason: PerpetuoError, seconds: float) -> None:
        """So long, or until composing is back. What was asked does not wait for that long."""
        self._back.clear()
        while seconds > 0 and not self._back.is_set():
            self._expire(stream, reason)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(seconds, LOOK_EVERY)):
                    await self._back.wait()
            seconds -= LOOK_EVERY

    # -- doing it ----------------------------------------------------------------------------------

    async def _do(self, stream: Stream, group: Group) -> None:
        (request, *_) = (letter.request for letter in group)
        if isinstance(request, Steer):
            await self._steer(stream, group)
            return
        (letter,) = group
        steered = None
        match request:
            case UsePreset():
                steered = await self._use_preset(stream, request)
            case Stop():
                self._stop(stream, request)
            case Continue():
                self._go_on(stream, request)
            case _:
                await self._begin_anew(stream, *self._opening(stream, request))
        letter.carried(Carried(steered))

    async def _steer(self, stream: Stream, group: Group) -> None:
        """Changes that were gathered, made together; the last value of each control counts."""
        askers: dict[str, Letter] = {}
        plan: Mapping[int, Mapping[str, int]] = {}
        unchanged: dict[Letter, set[str]] = {letter: set() for letter in group}
        for letter in group:
            request = letter.request
            assert isinstance(request, Steer), "only those are gathered"
            plan = request.plan or plan
            askers |= dict.fromkeys(request.controls, letter)
        values: dict[str, Json] = {}
        for name, letter in askers.items():
            request = letter.request
            assert isinstance(request, Steer), "only those are gathered"
            if request.if_new and _stands(stream.controls, name, request.controls[name]):
                unchanged[letter].add(name)
            else:
                values[name] = request.controls[name]
        events: list[Steered] = []
        if values or plan:
            by = {name: askers[name].request.by for name in values}
            names = by or {"": group[-1].request.by}
            events = await self._change(stream, values, plan, names, stream.preset)
        for letter in group:
            request = letter.request
            assert isinstance(request, Steer), "only those are gathered"
            over = {name for name in request.controls if askers[name] is not letter}
            told = next((one for one in events if one.by == request.by), None)
            told = told or (events[-1] if events else None)
            letter.carried(Carried(told, frozenset(unchanged[letter]), frozenset(over)))

    async def _change(
        self,
        stream: Stream,
        values: Mapping[str, Json],
        plan: Mapping[int, Mapping[str, int]],
        by: Mapping[str, str],
        preset: str | None,
    ) -> list[Steered]:
        """Make a change, and promise in which bar it is heard; an event for each who asked."""
        stream.changes += 1
        by_bar = {bar: dict(columns) for bar, columns in plan.items()}
        order = Change(0, stream.number, dict(values), by_bar, stream.changes)
        asked = self._asked[stream] = _Asked(stream.changes, plan, by, preset)
        try:
            await self._desk.ask(order, Changed)
        finally:
            del self._asked[stream]
        if stream.state == ENDED:
            raise StreamError(f"'{stream.name}' has ended")
        return asked.events

    def changed(self, stream: Stream, changed: Changed) -> None:
        """Composing has made a change. It is taken down before anything that it says after this:
        the order of a stream's log is that of its music."""
        asked = self._asked.get(stream)
        if asked is None:
            return  # the server ends, and nobody was told that it is made
        desk, number = self._desk, asked.change
        desk.settle(stream)
        promise, outdated = stream.promise(number, changed.bar)
        due = stream.due_of(promise.bar) or changed.due
        stream.controls = stream.controls.with_values(changed.controls)
        stream.preset = asked.preset
        asked.events = _events(changed, asked.plan, asked.by, promise.bar, due, number)
        stream.note(asked.events)
        for event in asked.events:
            stream.tell(event)
        desk.counters.changes += 1
        desk.tell_outdated(stream, outdated)
        desk.watch.expect(stream)

    async def _use_preset(self, stream: Stream, request: UsePreset) -> Steered:
        controls, model = self._preset_of(request.name)
        setting = Controls().with_values(controls)
        model = model or stream.usual_model
        if model == stream.model:
            by = dict.fromkeys(setting.complete(), request.by)
            (event,) = await self._change(stream, setting.complete(), {}, by, request.name)
            return event
        opening = replace(
            self._as_it_is(stream), model=model, controls=setting, preset=request.name
        )
        await self._begin_anew(stream, opening, f"preset {request.name} by {request.by}")
        # With what a prompt lends to what the preset leaves open.
        known = stream.controls.complete()
        event = Steered(known, {}, stream.first, stream.begins, request.by)
        stream.tell(event)
        return event

    def _opening(self, stream: Stream, request: Request) -> tuple[Opening, str]:
        """With what a stream begins anew, and why."""
        opening, by = self._as_it_is(stream), request.by
        match request:
            case Reseed(seed=seed):
                return replace(opening, seed=seed, prompt=None), f"seed {seed} by {by}"
            case Load(model=model):
                changed = replace(opening, model=model, usual_model=model)
                return changed, f"model {model} by {by}"
            case GivePrompt(prompt=prompt):
                return replace(opening, prompt=prompt), f"prompt by {by}"
        assert isinstance(request, Start), "everything else does not begin anew"
        return opening, f"started by {by}"

    def _as_it_is(self, stream: Stream) -> Opening:
        return replace(stream.opening, preset=stream.preset, controls=stream.controls)

    async def _begin_anew(self, stream: Stream, opening: Opening, reason: str) -> None:
        """Another epoch, from the next bar line on. If it is refused, the old one goes on."""
        playing = stream.playing_at(self._desk.now()) if stream.state == PLAYING else None
        due = playing.end if playing is not None else 0
        await self._desk.begin(stream, opening, reason, due=due)

    def _stop(self, stream: Stream, request: Stop) -> None:
        if stream.state != PLAYING:
            return
        desk = self._desk
        desk.settle(stream)
        stream.stop(desk.now())
        desk.rest(stream)
        stream.tell(Turned(STOPPED, stream.epoch, f"stopped by {request.by}"))

    def _go_on(self, stream: Stream, request: Continue) -> None:
        if stream.state != STOPPED:
            return
        desk = self._desk
        bar, later = stream.go_on(desk.now() + RESUME_LEAD)
        stream.tell(Moved(bar, later))
        stream.tell(Turned(PLAYING, stream.epoch, f"continued by {request.by}"))
        desk.play_on(stream, bar)


@dataclass(slots=True)
class _Asked:
    """A change that composing was asked to make; `events` tell of it when it has."""

    change: int
    plan: Mapping[int, Mapping[str, int]]
    by: Mapping[str, str]  # who asked for each control last
    preset: str | None
    events: list[Steered] = field(default_factory=list)


def _events(
    changed: Changed,
    plan: Mapping[int, Mapping[str, int]],
    by: Mapping[str, str],
    bar: int,
    due: int,
    change: int,
) -> list[Steered]:
    """An event for each who asked for some of it, in the order of their last word."""
    askers = dict.fromkeys(reversed(list(by.values())))
    events = []
    for asker in reversed(list(askers)):
        values = {name: value for name, value in changed.controls.items() if by[name] == asker}
        events.append(Steered(values, plan, bar, due, asker, change, changed.bar))
    return events


def _stands(controls: Controls, name: str, value: Json) -> bool:
    return bool(control_named(name).parse(value) == getattr(controls, name))
