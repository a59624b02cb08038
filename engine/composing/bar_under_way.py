"""What is drawn of a bar, note by note."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.composing.bar_line import BarLine
from engine.composing.counterpoint import Lines
from engine.composing.step_context import HeardBar, StepContext, remember
from engine.music.score import Note
from engine.representations.codec import Codec, Cursor
from engine.representations.limits import Limits


@dataclass(slots=True)
class BarUnderWay:
    """A bar from tick `start` to `end` as far as it is drawn: `event` is the last one, `surprise`
    the sum of that of `drawn` events."""

    start: int
    end: int
    cursor: Cursor
    lines: Lines
    event: list[int]
    notes: list[Note]
    told: HeardBar[int] = field(default_factory=lambda: array("i"))  # for bars that echo it
    surprise: float = 0.0
    drawn: int = 0

    @property
    def mean_surprise(self) -> float:
        return self.surprise / max(self.drawn, 1)

    @property
    def span(self) -> tuple[int, int]:
        return self.start, self.end

    @property
    def is_full(self) -> bool:
        return self.cursor.tick >= self.end

    def take(
        self,
        event: list[int],
        likelihood: Sequence[float],
        limits: Limits,
        codec: Codec,
        context: StepContext,
    ) -> Note | None:
        """Go on by an event that was drawn; the note that it is, if it is one."""
        self.surprise -= sum(likelihood)
        self.drawn += 1
        cursor = self.cursor
        tick, rank = cursor.tick, cursor.rank
        note = cursor.accept(event, limits)
        self.event = event
        if note is not None:
            self.notes.append(note)
            self.lines.strike(note)
            values = codec.echoed(event)
            if values is not None:
                remember(self.told, tick - self.start, rank, values)
                context.take(tick - self.start, values[0])
        return note


def begun_at(line: BarLine, ticks: int) -> BarUnderWay:
    """The bar after a bar line, of so many ticks, of which nothing is drawn yet."""
    cursor = line.cursor.copy()
    start, end = line.start, line.start + ticks
    notes = cursor.enter_bar(start, end)
    return BarUnderWay(start, end, cursor, Lines.resume(line.lines), list(line.event), notes)
