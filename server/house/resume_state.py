"""What is needed to take a stream up again, and to write down what was heard of it since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from engine.files.bar_as_heard import BarAsHeard
from server.base.wire import WireBar
from server.composing.messages import PastChange

MOST_HEARD = 64  # bars; bounds what hours without composing make of memory and of files


@dataclass(slots=True)
class ResumeState:
    """What the composing process last saved of a stream: it can go on from `bar`, under the
    changes that came since. No path: nothing yet, it would begin anew from its seed.

    Of the bars since: those that were `late`, and those that were `heard` as they were before a
    change that came too late for them.
    """

    bar: int = 0
    path: str = ""
    changes: list[PastChange] = field(default_factory=list)
    late: set[int] = field(default_factory=set)
    heard: dict[int, WireBar] = field(default_factory=dict)

    def change(self, bar: int, controls: Mapping[str, Any], plan: Mapping[int, Any]) -> None:
        """A change was made that composing hears from this bar on."""
        by_bar = {place: dict(columns) for place, columns in plan.items()}
        values, last = dict(controls), self.changes[-1] if self.changes else None
        is_fader = not by_bar and last is not None and not last.plan and last.to is None
        if is_fader and last is not None and last.bar == bar:
            values = {**last.set, **values}  # a fader that is moved: its end counts
            self.changes.pop()
        self.changes.append(PastChange(bar, values, by_bar))

    def hear(self, bar: WireBar) -> None:
        """A bar is heard otherwise than composing gives it back. Of very many the latest are kept:
        a replay makes fallbacks again from what was heard before them."""
        self.heard[bar.index] = bar
        while len(self.heard) > MOST_HEARD:
            del self.heard[min(self.heard)]

    def leap(self, bar: int, to: int, tick: int) -> None:
        """See `engine.files.control_log.with_leap`."""
        by = to - bar
        before = [change for change in self.changes if change.bar <= bar]
        after = [replace(one, bar=one.bar + by) for one in self.changes if one.bar > bar]
        self.changes = [*before, PastChange(bar, {}, {}, to, tick), *after]

    def since(self, bar: int, path: str) -> ResumeState:
        """After it was saved again."""
        return ResumeState(
            bar,
            path,
            [change for change in self.changes if change.bar >= bar],
            {late for late in self.late if late >= bar},
            {index: heard for index, heard in self.heard.items() if index >= bar},
        )


def heard_as(bar: WireBar) -> BarAsHeard:
    """A bar as a control log holds what was heard."""
    notes = tuple(
        (n.part, n.pitch, n.velocity, n.tick, n.length, n.shift, n.tie) for n in bar.notes
    )
    pedals = tuple((pedal.part, pedal.tick, pedal.length) for pedal in bar.pedals)
    controllers = tuple((turn.part, turn.number, turn.value) for turn in bar.controllers)
    return BarAsHeard(
        *(bar.index, bar.tick, bar.metre, bar.tempo, bar.key, bar.programs),
        *(notes, pedals, controllers),
    )
