"""A stream as the composing process has it."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.composing.composer import Composer
from engine.ensemble.stream_clock import StreamClock
from server.composing import messages
from server.composing.models import LoadedModel


@dataclass(eq=False)
class ComposedStream:
    """A stream as it was asked for. `held` are orders that come before its time: it still
    catches up, or stands in a bar that cannot be taken back."""

    stream: int
    name: str
    loaded_model: LoadedModel
    kept: int  # the bar at which it was last saved
    held: list[messages.ChangeOrder | messages.SnapshotOrder | messages.GoOnOrder] = field(
        default_factory=list
    )
    # The first bar composed under a change, and its number; the latest two matter.
    changes: list[tuple[int, int]] = field(default_factory=list)

    @property
    def member(self) -> StreamClock:
        return self.loaded_model.ensemble.members[self.stream]

    @property
    def composer(self) -> Composer:
        return self.member.composer

    def change_of(self, bar: int) -> int:
        """Number of the last change that a bar is composed under."""
        return max((change for first, change in self.changes if first <= bar), default=0)

    def changed(self, bar: int, change: int) -> None:
        """A change was made, from this bar on: those that come to nothing by it are forgotten."""
        self.changes = [*[one for one in self.changes if one[0] < bar][-1:], (bar, change)]

    def leapt(self, bar: int, to: int) -> None:
        """What would have been `bar` is bar number `to`."""
        self.changes = [(b + (to - bar) * (b > bar), change) for b, change in self.changes]

    @property
    def is_being_revised(self) -> bool:
        """Whether the first bar under the last change is still to be composed."""
        return bool(self.changes) and self.composer.next_bar <= self.changes[-1][0]

    @property
    def can_be_saved(self) -> bool:
        return self.composer.first_open <= self.composer.next_bar
