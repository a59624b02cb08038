"""One live stream as the server knows it: what is planned, what sounds, who listens.

No clock, no sockets: whoever calls says what time it is (microseconds, monotonic).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from engine.control_prompt import Prompt
from engine.controls import Controls
from server.composing.messages import LoggedChange
from server.house.events import Listener, PlannedBar, Steered, StreamEvent
from server.wire import WireBar, encode_bar

HISTORY = 256  # changes that late listeners are told of
REMEMBERED = 60_000_000  # microseconds for which bars that have sounded are kept
LATELY = 30_000_000  # microseconds for which a late bar is a bad sign
PLAYING, STOPPED, ENDED = "playing", "stopped", "ended"
# While a stream is stopped the composing process is told that its bars are due in the far future.
FAR = 1 << 60


@dataclass(slots=True)
class Kept:
    """What the composing process last saved of a stream: it can go on from `bar`, under the
    changes that came since. No path: nothing yet, it would begin anew from its seed."""

    bar: int = 0
    path: str = ""
    changes: list[LoggedChange] = field(default_factory=list)


class Stream:
    """A stream; see `House` for what can be done with it. Its attributes are for reading."""

    def __init__(self, name: str, seed: int, model: str, controls: Controls, preset: str | None):
        self.name, self.seed, self.model, self.preset = name, seed, model, preset
        self.usual_model = model  # to which it returns from a preset that has a model of its own
        self.title = name  # as it is shown to people
        self.is_station = True
        self.owner = ""
        self.prompt: Prompt | None = None  # with which this epoch begins
        self.sha256 = ""
        self.styles: tuple[str, ...] = ()
        self.controls = controls  # in force for what is composed from now on
        self.begun_with = controls  # when this epoch began
        self.state = PLAYING
        self.epoch = -1  # how often it began anew
        self.number = -1  # by which the composing process knows it
        self.first = 0  # index of the first bar of this epoch
        self.begins = 0  # when that one is due
        self.last_epoch_end = 0  # the bar before which the epoch before this one ended
        self.bars: dict[int, PlannedBar] = {}
        self.late_bars = 0
        self.listeners: list[Listener] = []
        self.observers: list[Listener] = []  # of all streams alike
        self.unheard_since: int | None = None
        self.history: deque[Steered] = deque(maxlen=HISTORY)
        self.kept = Kept()
        self.in_step_since = 0  # when the composing process was last told of other due times
        self._last_late: int | None = None  # when the last bridged bar was due
        self._rests_in = 0  # the bar in which it was stopped
        self._bridged: set[int] = set()  # bars that were played from a fallback

    # -- reading ---------------------------------------------------------------------------------

    @property
    def model_name(self) -> str:
        """The model as everybody may know it: where its file lies is nobody's business."""
        return PurePath(self.model).stem if self.model.endswith(".onnx") else self.model

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

    def was_late(self, now: int) -> bool:
        """Whether composing did not keep up lately."""
        return self._last_late is not None and now - self._last_late < LATELY

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

    # -- what happens to it ----------------------------------------------------------------------

    def stop(self, now: int) -> int:
        """Rest in the bar that sounds; returns its index."""
        self._rests_in = self.resting_bar(now)
        self.state = STOPPED
        return self._rests_in

    def go_on(self, due: int) -> tuple[int, int]:
        """Play on: the bar in which it rested sounds again at `due`. Returns its index, and by
        how much everything from there on is due later."""
        bar = self._rests_in
        held = self.bars.get(bar)
        later = due - (held.due if held else self.begins)
        self.move(bar, later)
        self.state = PLAYING
        return bar, later

    def begin(self, number: int, first: int, due: int) -> None:
        """Begin anew under another number: the bars of the epoch before are void."""
        sounded = (i + 1 for i, planned in self.bars.items() if planned.due < due)
        self.last_epoch_end = max(sounded, default=self.first)
        self.number, self.first, self.begins = number, first, due
        self.epoch += 1
        self.bars.clear()
        self._bridged.clear()
        self.history.clear()
        self.kept = Kept(first)
        self.in_step_since = 0
        self.begun_with = self.controls
        self.state = PLAYING

    def accept(self, planned: PlannedBar, now: int) -> int | None:
        """Take a composed bar: it is due when the one before it ends, whatever the composing
        process took for that end. None if it comes too late or is older than what is held; else
        by how much the held bars after it are due later now, because its length is another."""
        held = self.bars.get(planned.index)
        if planned.index in self._bridged or planned.index > self.missing:
            return None
        if held is not None and (planned.revision <= held.revision or self._has_begun(held, now)):
            return None
        planned.due = self.due_of(planned.index) or planned.due
        self.bars[planned.index] = planned
        after = self.bars.get(planned.index + 1)
        later = planned.end - after.due if after else 0
        if later:
            self.move(planned.index + 1, later)
        return later

    def due_of(self, bar: int) -> int | None:
        """When a bar is due, if that is known: it is planned, or the first that is not."""
        before, held = self.bars.get(bar - 1), self.bars.get(bar)
        if before is not None:
            return before.end
        return held.due if held else None

    def _has_begun(self, planned: PlannedBar, now: int) -> bool:
        return self.state == PLAYING and planned.due <= now

    def bridge(self, bar: WireBar) -> PlannedBar:
        """Put a fallback in the place of the bar that is missing; the composed one is not taken
        any more."""
        planned = PlannedBar(
            bar.index, bar.revision, self.planned_until, bar.length, encode_bar(bar), bar
        )
        self.bars[bar.index] = planned
        self._bridged.add(bar.index)
        self.late_bars += 1
        self._last_late = planned.due
        return planned

    def move(self, bar: int, later: int) -> None:
        """All planned bars from `bar` on are due later."""
        if bar <= self.first:
            self.begins += later
        for index, planned in self.bars.items():
            if index >= bar:
                self.bars[index] = replace(planned, due=planned.due + later)

    def steered(self, event: Steered) -> None:
        self.history.append(event)
        plan = {bar: dict(columns) for bar, columns in event.plan.items()}
        changes, values = self.kept.changes, dict(event.controls)
        if changes and changes[-1].bar == event.bar and not (plan or changes[-1].plan):
            values = {**changes.pop().set, **values}  # a fader that is moved: its end counts
        changes.append(LoggedChange(event.bar, values, plan))

    def was_kept(self, bar: int, path: str) -> None:
        since = [change for change in self.kept.changes if change.bar >= bar]
        self.kept = Kept(bar, path, since)

    def forget(self, now: int) -> None:
        """Drop the bars that sounded long ago."""
        for index in [i for i, planned in self.bars.items() if planned.end < now - REMEMBERED]:
            if index < self.missing - 1:
                del self.bars[index]
                self._bridged.discard(index)

    def tell(self, event: StreamEvent) -> None:
        for listener in (*self.observers, *self.listeners):
            listener.hear(self, event)
