"""Which sustain pedals of a stream are down as it is played."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from engine.music.time import Timeline
from server.base.wire import WireBar
from server.playing.outputs import Sustain


class TimedPedal(NamedTuple):
    """A pedal of a bar, from when to when it is down."""

    part: int
    down: int
    up: int


def timed_pedals(bar: WireBar, timeline: Timeline) -> Iterator[TimedPedal]:
    """The pedals of a bar on its timeline, each down for a moment at least."""
    for pedal in bar.pedals:
        first = bar.tick + pedal.tick
        down, up = timeline.time_of(first), timeline.time_of(first + pedal.length)
        yield TimedPedal(pedal.part, down, max(down + 1, up))


class PressedPedals:
    """Every one that goes down comes up once."""

    def __init__(self) -> None:
        self._down: dict[int, int] = {}  # by part, the number of the pedal that is down

    def events(self, event: Sustain, number: int, *, stale: bool) -> Iterator[Sustain]:
        """What is to be sent of an event. A pedal comes up if it is the one that is down; what
        goes down comes up first, and not at all if that is `stale`."""
        if not event.down:
            if self._down.get(event.part) == number:
                del self._down[event.part]
                yield event
        elif not stale:
            if event.part in self._down:
                yield Sustain(event.part, down=False)
            self._down[event.part] = number
            yield event

    def release(self) -> list[Sustain]:
        """All come up."""
        parts = sorted(self._down)
        self._down.clear()
        return [Sustain(part, down=False) for part in parts]
