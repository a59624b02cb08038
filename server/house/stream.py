"""One live stream as the server knows it: what is planned, what sounds, who listens.

No clock, no sockets: whoever calls says what time it is (microseconds, monotonic).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from pathlib import PurePath

from engine.controls.controls import Controls
from engine.files.prompt import Prompt
from server.base.wire import WireBar, encode_bar
from server.house.events import (
    NEEDED_BEFORE,
    NO_CHANGE,
    BarsLeapt,
    ChangeAnnounced,
    PlannedBar,
    StreamEvent,
    StreamListener,
)
from server.house.promises import ChangePromise, PromiseCounts, Promises
from server.house.resume_state import ResumeState
from server.house.steering_queue import SteeringQueue

HISTORY = 256  # changes that late listeners are told of
REMEMBERED = 60_000_000  # microseconds for which bars that have sounded are kept
LATELY = 30_000_000  # microseconds for which a late bar is a bad sign
PLAYING, STOPPED, ENDED = "playing", "stopped", "ended"
SEALED_BEFORE = 100_000  # microseconds; time to send a bar to everybody who plays it
FIRST_WITHIN = 20_000_000  # microseconds after which a first bar is taken to come no more
WELL_PAST = 16  # bars beyond the place where composing failed after which it is over
SOON = 20_000  # microseconds until a fallback begins whose time has passed


@dataclass(frozen=True, slots=True)
class EpochStart:
    """With what an epoch begins."""

    seed: int
    model: str
    usual_model: str  # to which it returns from a preset that has a model of its own
    preset: str | None
    controls: Controls
    prompt: Prompt | None = None
    asked: frozenset[str] = frozenset()  # controls that the model must follow, or it is refused


@dataclass(frozen=True, slots=True)
class SealedBars:
    """What became of promises when bars were sealed: `outdated` are heard as they were before
    changes that were to reach them."""

    postponed: list[ChangePromise]
    outdated: list[PlannedBar]


class Stream:
    """A stream; see `House` for what can be done with it. Its attributes are for reading."""

    def __init__(
        self,
        name: str,
        seed: int,
        model: str,
        controls: Controls,
        preset: str | None,
        *,
        usual_model: str | None = None,
        prompt: Prompt | None = None,
        asked: frozenset[str] = frozenset(),
        counts: PromiseCounts | None = None,
        sealed_before: int = SEALED_BEFORE,
    ) -> None:
        """`sealed_before`: microseconds before its bar line from which on a bar is not revised."""
        self.name = name
        usual = usual_model or model
        self.opening = EpochStart(seed, model, usual, preset, controls, prompt, asked)
        self.sealed_before = sealed_before
        self.title = name  # as it is shown to people
        self.is_station = True
        self.owner = ""
        self.preset = preset  # that was chosen last
        self.sha256 = ""
        self.styles: tuple[str, ...] = ()
        self.unfollowed: dict[str, str] = {}  # controls that its model does not follow, and why
        self.controls = controls  # in force for what is composed from now on
        self.begun_with = controls  # when this epoch began
        self.state = PLAYING
        self.epoch = -1  # how often it began anew
        self.number = -1  # by which the composing process knows it
        self.first = 0  # index of the first bar of this epoch
        self.begins = 0  # when that one is due
        self.last_epoch_end = 0  # the bar before which the epoch before this one ended
        self.bars: dict[int, PlannedBar] = {}
        self.sealed = -1  # bars up to this one can no longer be revised
        # Index of the first bar after the last one that was composed: from there to the end of the
        # plan, however long that is, there are only fallbacks.
        self.composed_until = 0
        self.late_bars = 0
        self.listeners: list[StreamListener] = []
        self.observers: list[StreamListener] = []  # of all streams alike
        self.unheard_since: int | None = None
        self.history: deque[ChangeAnnounced] = deque(maxlen=HISTORY)
        self.kept = ResumeState()
        self.queue = SteeringQueue()
        self.promises = Promises(counts or PromiseCounts())
        self.changes = 0  # so many were made, or tried: the number of the last one
        self.in_step_since = 0  # when the composing process was last told of other due times
        self.watched = 0  # ticket of the last entry in the watch
        self.is_lost = False  # no process composes it at the moment
        self.failures = 0  # of composing it, in one place
        self._failed_at = 0  # the bar that was composed last before
        self._made: list[tuple[int, int]] = []  # bar that was composed first under it, change
        self._last_late: int | None = None  # when the last bridged bar was due
        self._rests_in = 0  # the bar in which it was stopped
        self._bridged: set[int] = set()  # bars that were played from a fallback

    # -- reading ---------------------------------------------------------------------------------

    @property
    def seed(self) -> int:
        return self.opening.seed

    @property
    def model(self) -> str:
        return self.opening.model

    @property
    def usual_model(self) -> str:
        return self.opening.usual_model

    @property
    def prompt(self) -> Prompt | None:
        """With which this epoch began."""
        return self.opening.prompt

    @property
    def model_name(self) -> str:
        """The model as everybody may know it: where its file lies is nobody's business."""
        return public_name(self.model)

    @property
    def missing(self) -> int:
        """Index of the first bar that is not planned yet."""
        return max(self.bars) + 1 if self.bars else self.first

    @property
    def planned_until(self) -> int:
        """When the plan ends."""
        return self.bars[self.missing - 1].end if self.bars else self.begins

    def playing_at(self, now: int) -> PlannedBar | None:
        """The bar that sounds (or was about to go on when the stream was stopped)."""
        sounding = None
        for index in sorted(self.bars):
            if self.bars[index].due > now:
                break
            sounding = self.bars[index]
        return sounding

    def was_late(self, now: int, lately: int = LATELY) -> bool:
        """Whether composing did not keep up within so many microseconds."""
        return self._last_late is not None and now - self._last_late < lately

    def is_bridged(self, bar: int) -> bool:
        """Whether a fallback stands in the place of this bar."""
        return bar in self._bridged

    def resting_bar(self, now: int) -> int:
        """The bar in which a stream is stopped, or would be now."""
        if self.state == STOPPED:
            return self._rests_in
        playing = self.playing_at(now)
        return playing.index if playing else self.first

    def first_open(self, now: int, horizon: int) -> int:
        """The first planned bar that does not sound within the horizon, or the one after all."""
        open_bars = (i for i in sorted(self.bars) if self.bars[i].due > now + horizon)
        return next(open_bars, self.missing)

    def recent(self, count: int) -> list[WireBar]:
        """The last planned bars, oldest first."""
        indices = sorted(self.bars)[-count:]
        return [self.bars[index].bar for index in indices]

    def due_of(self, bar: int) -> int | None:
        """When a bar is due, if that is known: it is planned, or the first that is not."""
        held = self.bars.get(bar)
        if held is not None:
            return held.due
        before = self.bars.get(bar - 1)
        return before.end if before is not None else None

    def next_look(self) -> int | None:
        """When the next bar must be there, or a promise falls due; None if nothing is awaited."""
        if self.state != PLAYING or (not self.bars and self.is_lost):
            return None
        if not self.bars:  # there is nothing that could be bridged
            return self.begins + FIRST_WITHIN
        coming = (self._frontier(bar) for bar in self.promises.bars if bar in self.bars)
        return min((self.planned_until - NEEDED_BEFORE, *coming))

    # -- what happens to it ----------------------------------------------------------------------

    def stop(self, now: int) -> None:
        """Rest in the bar that sounds."""
        self._rests_in = self.resting_bar(now)
        self.state = STOPPED

    def go_on(self, due: int) -> tuple[int, int]:
        """Play on: the bar in which it rested sounds again at `due`. Returns its index, and by
        how much everything from there on is due later."""
        bar = self._rests_in
        held = self.bars.get(bar)
        later = due - (held.due if held else self.begins)
        self.move(bar, later)
        self.state = PLAYING
        return bar, later

    def begin(self, opening: EpochStart, number: int, first: int, due: int) -> None:
        """Begin anew under another number: the bars of the epoch before are void."""
        sounded = (i + 1 for i, planned in self.bars.items() if planned.due < due)
        self.last_epoch_end = max(sounded, default=self.first)
        self.opening, self.preset, self.controls = opening, opening.preset, opening.controls
        self.number, self.first, self.begins, self.sealed = number, first, due, first - 1
        self.epoch += 1
        self.composed_until = first
        self.bars.clear()
        self._bridged.clear()
        self._made.clear()
        self.promises.void()
        self.history.clear()
        self.kept = ResumeState(first)
        self.in_step_since = 0
        self.begun_with = opening.controls
        self.is_lost = False
        self.state = PLAYING

    def seal(self, now: int) -> None:
        """What is about to sound stays as it is from now on, however late its revision comes."""
        if self.state != PLAYING:
            return
        while self.sealed + 1 in self.bars and self._frontier(self.sealed + 1) <= now:
            self.sealed += 1

    def _frontier(self, bar: int) -> int:
        return self.bars[bar].frontier(self.sealed_before)

    def settle(self, now: int) -> SealedBars:
        """Seal what is due, and see what it means for changes that were promised."""
        before = self.sealed
        self.seal(now)
        sealed = range(before + 1, self.sealed + 1)
        outdated = [bar for bar in map(self._if_outdated, sealed) if bar is not None]
        return SealedBars(self.promises.settle(self.sealed, self._change_of), outdated)

    def accept(self, planned: PlannedBar) -> int | None:
        """Take a composed bar: it is due when the one before it ends, whatever the composing
        process took for that end. None if it comes too late or is older than what is held; else
        by how much the held bars after it are due later now, because its length is another.
        Settle what is due before."""
        held = self.bars.get(planned.index)
        if not self.sealed < planned.index <= self.missing:
            return None
        if held is not None and planned.revision <= held.revision:
            return None
        planned.due = self.due_of(planned.index) or planned.due
        self.bars[planned.index] = planned
        self.composed_until = max(self.composed_until, planned.index + 1)
        if planned.index > self._failed_at + WELL_PAST:
            self.failures = 0
        after = self.bars.get(planned.index + 1)
        later = planned.end - after.due if after else 0
        if later:
            self.move(planned.index + 1, later)
        return later

    def bridge(self, bar: WireBar, now: int) -> PlannedBar:
        """Put a fallback in the place of the bar that is missing; the composed one is not taken
        any more. Where even that is late, because everything stood still, it begins soon."""
        due = self.planned_until
        if due < now:
            due = now + SOON
        planned = PlannedBar(
            bar.index, bar.revision, due, bar.length, encode_bar(bar), bar, NO_CHANGE
        )
        self.bars[bar.index] = planned
        self.sealed = max(self.sealed, bar.index)
        self._bridged.add(bar.index)
        self.kept.late.add(bar.index)
        self.kept.hear(bar)
        self.late_bars += 1
        self._last_late = planned.due
        return planned

    def failed(self) -> None:
        """It could not be composed on."""
        self.failures += 1
        self._failed_at = self.missing

    def leapt(self, leap: BarsLeapt) -> None:
        """The composing process has pushed its music back."""
        by = leap.to - leap.bar
        self._made = [(bar + by * (bar > leap.bar), change) for bar, change in self._made]
        self.kept.leap(leap.bar, leap.to, leap.tick)

    def move(self, bar: int, later: int) -> None:
        """All planned bars from `bar` on are due later."""
        if bar <= self.first:
            self.begins += later
        for index, planned in self.bars.items():
            if index >= bar:
                self.bars[index] = replace(planned, due=planned.due + later)

    # -- changes ---------------------------------------------------------------------------------

    def promise(self, change: int, composed: int) -> tuple[ChangePromise, list[PlannedBar]]:
        """A change was made; `composed` is the first bar that is composed under it. The promise,
        and the bars that are heard as they were before it, though it was to reach them."""
        self._made.append((composed, change))
        reached = range(composed, self.sealed + 1)
        outdated = [bar for bar in map(self._if_outdated, reached) if bar is not None]
        promise = self.promises.make(change, composed)
        # Where it cannot be kept is known now: it need not be announced and then taken back.
        while promise.bar <= self.sealed and self._change_of(promise.bar) < change:
            promise.bar += 1
        return promise, outdated

    def note(self, events: list[ChangeAnnounced]) -> None:
        """What was changed, for late listeners and for whoever takes this up."""
        for event in events:
            self.history.append(event)
            self.kept.change(event.composed, event.controls, event.plan)

    def postpone(self, change: int, bar: int, due: int) -> None:
        """Late listeners are told the bar in which it is heard."""
        for place, event in enumerate(self.history):
            if event.change == change:
                self.history[place] = replace(event, bar=bar, due=due)

    def latest(self, event: ChangeAnnounced) -> ChangeAnnounced:
        """What was told of a change, with the bar in which it is heard as far as is known now."""
        known = (one for one in self.history if (one.change, one.by) == (event.change, event.by))
        return next(known, event)

    def _change_of(self, bar: int) -> int:
        held = self.bars.get(bar)
        return held.serial if held is not None else NO_CHANGE

    def _if_outdated(self, bar: int) -> PlannedBar | None:
        """The bar, if it was composed before a change that composing made in it."""
        held = self.bars.get(bar)
        if held is None or bar in self._bridged or bar in self.kept.heard:
            return None
        asked = max((change for made, change in self._made if made <= bar), default=NO_CHANGE)
        if held.serial >= asked:
            return None
        self.kept.hear(held.bar)
        return held

    # -- housekeeping ----------------------------------------------------------------------------

    def was_kept(self, bar: int, path: str) -> None:
        self.kept = self.kept.since(bar, path)

    def forget(self, now: int) -> None:
        """Drop the bars that sounded long ago."""
        for index in [i for i, planned in self.bars.items() if planned.end < now - REMEMBERED]:
            if index < self.missing - 1:
                del self.bars[index]
                self._bridged.discard(index)
        # Of the changes before the bars that are held, the last one alone matters.
        oldest = min(self.bars, default=self.first)
        past = [one for one in self._made if one[0] <= oldest]
        self._made = [*past[-1:], *(one for one in self._made if one[0] > oldest)]

    def tell(self, event: StreamEvent) -> None:
        for listener in (*self.observers, *self.listeners):
            listener.hear(self, event)


def public_name(model: str) -> str:
    """A model as everybody may know it: of a path, the name of the file without its ending."""
    return PurePath(model).stem if model.endswith(".onnx") else model
