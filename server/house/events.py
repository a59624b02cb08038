"""What listeners of a stream are told, and who they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from server.base.wire import WireBar, decode_bar

if TYPE_CHECKING:
    from server.house.stream import Stream

# How long before its due time a bar must be there, in microseconds, or a fallback takes its place.
NEEDED_BEFORE = 60_000
# The player has a bar ready so long before its first note, which may come before the bar line.
PREPARED_BEFORE = 40_000
NO_CHANGE = -1


@dataclass(slots=True)
class PlannedBar:
    """A bar and when it sounds (microseconds of the server's monotonic clock).

    `encoded` is its JSON, the same bytes for every listener; `bar` decodes it at first use.
    """

    index: int
    revision: int
    due: int
    length: int
    encoded: bytes
    _bar: WireBar | None = None
    serial: int = 0  # of the last change that it was composed under, NO_CHANGE for a fallback
    _early: int | None = None  # by how much its first note comes before its bar line

    @property
    def end(self) -> int:
        return self.due + self.length

    @property
    def bar(self) -> WireBar:
        if self._bar is None:
            self._bar = decode_bar(self.encoded)
        return self._bar

    def frontier(self, before: int) -> int:
        """When it cannot be revised any more: those who play it have it by then, `before` its bar
        line at the latest."""
        if self._early is None:
            # Not `bar`, which is kept: most bars are sent on as they came.
            self._early = (self._bar or decode_bar(self.encoded)).early
        return self.due - max(before, PREPARED_BEFORE + self._early)


@dataclass(frozen=True, slots=True)
class BarPlanned:
    """A bar was composed, or composed anew under a higher revision."""

    planned: PlannedBar


@dataclass(frozen=True, slots=True)
class ChangeAnnounced:
    """Controls or the plan were changed; heard from `bar` on, which is due at `due`.

    `by` tells who did it ("osc 127.0.0.1", a session's name, "preset study"). `change` numbers
    the promise that it is heard there: `ChangePostponed` takes it back for a later bar. `composed`
    is the first bar that was composed under it, which may have been too late to be heard. `saved`
    tells an asker whether it is on disk; None: nothing of this stream is."""

    controls: Mapping[str, Any]
    plan: Mapping[int, Mapping[str, int]]
    bar: int
    due: int
    by: str
    change: int = 0
    composed: int = -1
    saved: bool | None = None


@dataclass(frozen=True, slots=True)
class ChangePostponed:
    """What was announced to be heard from some bar on is not heard before `bar`, due at `due`: the
    one before it was not there in time."""

    change: int
    bar: int
    due: int


@dataclass(frozen=True, slots=True)
class BarKeptAsItWas:
    """A bar can no longer be revised, and stands as it was before a change that was to reach it:
    composing would not give it back. For those who write down what was heard."""

    planned: PlannedBar


@dataclass(frozen=True, slots=True)
class BarsLeapt:
    """What would have been composed as `bar` is bar number `to`, and begins at `tick`: those
    before it were not there in time. For those who write down what was heard."""

    bar: int
    to: int
    tick: int


@dataclass(frozen=True, slots=True)
class BarsMoved:
    """All bars from `bar` on are due later by so many microseconds: after a pause, or because a
    bar before them has another length now."""

    bar: int
    later: int


@dataclass(frozen=True, slots=True)
class StateTurned:
    """The stream's state changed: "playing", "stopped", or "ended" (then nothing follows).

    `reason` is a sentence. `epoch` counts how often the stream began anew (start, seed, load,
    prompt): bars of an earlier epoch are void.
    """

    state: str
    epoch: int
    reason: str


@dataclass(frozen=True, slots=True)
class Panicked:
    """Everything that sounds is to end now; the music goes on at the next note."""


StreamEvent = (
    BarPlanned
    | ChangeAnnounced
    | ChangePostponed
    | BarsMoved
    | StateTurned
    | Panicked
    | BarKeptAsItWas
    | BarsLeapt
)


class StreamListener(Protocol):
    """Told of everything that happens to a stream, in order, in the event loop.

    `hear` must not block and must not raise.
    """

    def hear(self, stream: Stream, event: StreamEvent) -> None: ...
