"""What listeners of a stream are told, and who they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from server.wire import WireBar, decode_bar

if TYPE_CHECKING:
    from server.house.stream import Stream


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

    @property
    def end(self) -> int:
        return self.due + self.length

    @property
    def bar(self) -> WireBar:
        if self._bar is None:
            self._bar = decode_bar(self.encoded)
        return self._bar


@dataclass(frozen=True, slots=True)
class BarPlanned:
    """A bar was composed, or composed anew under a higher revision."""

    planned: PlannedBar


@dataclass(frozen=True, slots=True)
class Steered:
    """Controls or the plan were changed; heard from `bar` on, which is due at `due`.

    `by` tells who did it ("osc 127.0.0.1", a session's name, "preset study").
    """

    controls: Mapping[str, Any]
    plan: Mapping[int, Mapping[str, int]]
    bar: int
    due: int
    by: str


@dataclass(frozen=True, slots=True)
class Moved:
    """All bars from `bar` on are due later by so many microseconds: after a pause, or because a
    bar before them has another length now."""

    bar: int
    later: int


@dataclass(frozen=True, slots=True)
class Turned:
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


StreamEvent = BarPlanned | Steered | Moved | Turned | Panicked


class Listener(Protocol):
    """Told of everything that happens to a stream, in order, in the event loop.

    `hear` must not block and must not raise.
    """

    def hear(self, stream: Stream, event: StreamEvent) -> None: ...
