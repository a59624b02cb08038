"""What became of changes that were acknowledged: each must be heard in the bar that the server
named last.

Every change carries a mark that rises and that can be read off each bar: bars composed under it,
or under a later one, have its mark or a higher one. No clock, no sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from server.base.wire import WireBar
from server.web.outgoing import (
    Ack,
    BarMessage,
    FromServer,
    MovedMessage,
    PostponedMessage,
    State,
    SteeredMessage,
    TurnedMessage,
)

BRIDGED = -(1 << 30)  # in place of a mark: a bar made from others was composed under nothing


class BarPlace(NamedTuple):
    """Of a bar: bars of another epoch are other bars."""

    epoch: int
    bar: int


class Fate(Enum):
    AS_ANNOUNCED = "heard where it was announced first"
    POSTPONED = "postponed, and heard where it was announced last"
    VOID = "the stream began anew before it was due"
    UNACCOUNTED = "heard elsewhere, or not at all"


@dataclass(slots=True)
class Held:
    bar: WireBar
    due: int


@dataclass(slots=True)
class Known:
    """A stream as a client knows it that does what the protocol says."""

    epoch: int = 0
    bars: dict[BarPlace, Held] = field(default_factory=dict)
    announced: dict[int, list[BarPlace]] = field(default_factory=dict)  # by change, first to last
    void: set[int] = field(default_factory=set)  # changes of music that was given up
    too_late: int = 0  # bars that came when they had begun
    _past: int = 0  # bars still to come that may have begun before the client was there

    def take(self, message: FromServer, at: int) -> None:
        """Whatever the server says of the stream, in order, and when it came."""
        match message:
            case State(epoch=epoch, bars=bars):
                self.epoch, self._past = epoch, bars
            case BarMessage(epoch=epoch, due=due, bar=bar):
                self._take_bar(BarPlace(epoch, bar.index), Held(bar, due), at)
            case MovedMessage(bar=first, later=later):
                for place, held in self.bars.items():
                    if place >= (self.epoch, first):
                        held.due += later
            case SteeredMessage(change=change, bar=bar) if change:
                self.announce(change, bar)
            case PostponedMessage(change=change, bar=bar):
                self.announce(change, bar)
            case Ack(change=int(change), bar=int(bar)):
                self.announce(change, bar)
            case TurnedMessage(epoch=epoch) if epoch > self.epoch:
                self._begin_anew(epoch, at)
            case _:
                pass

    def announce(self, change: int, bar: int) -> None:
        places = self.announced.setdefault(change, [])
        place = BarPlace(self.epoch, bar)
        if not places or places[-1] != place:
            places.append(place)

    def heard(self, now: int) -> dict[BarPlace, WireBar]:
        """What has begun, as it was held then."""
        return {place: held.bar for place, held in self.bars.items() if held.due <= now}

    def next_line(self, after: int) -> int | None:
        """The first bar line that is due after this time, if one is known."""
        return min((held.due for held in self.bars.values() if held.due > after), default=None)

    def awaits(self, now: int) -> bool:
        """Whether a bar in which something is announced has not begun yet."""
        last = (places[-1] for change, places in self.announced.items() if change not in self.void)
        return any(place not in self.bars or self.bars[place].due > now for place in last)

    def _take_bar(self, place: BarPlace, new: Held, at: int) -> None:
        is_of_the_past, self._past = self._past > 0, max(0, self._past - 1)
        held = self.bars.get(place)
        if not is_of_the_past and min(new.due, held.due if held else new.due) < at:
            self.too_late += 1
            if held is not None:  # it has been played as it was
                return
        if held is None or new.bar.revision > held.bar.revision:
            self.bars[place] = new

    def _begin_anew(self, epoch: int, at: int) -> None:
        self.bars = {place: held for place, held in self.bars.items() if held.due <= at}
        for change, places in self.announced.items():
            if places[-1] not in self.bars:
                self.void.add(change)
        self.epoch = epoch


def marks(
    heard: Mapping[BarPlace, WireBar], mark_of: Callable[[WireBar], int]
) -> dict[BarPlace, int]:
    return {place: BRIDGED if bar.late else mark_of(bar) for place, bar in heard.items()}


def fate(mark: int, announced: Sequence[BarPlace], marks: Mapping[BarPlace, int]) -> Fate:
    """Of the change with this mark: the first bar with it must be the one announced last."""
    epoch = announced[-1].epoch
    composed = (place for place in marks if place.epoch == epoch and marks[place] >= mark)
    if min(composed, default=None) != announced[-1]:
        return Fate.UNACCOUNTED
    return Fate.AS_ANNOUNCED if len(announced) == 1 else Fate.POSTPONED
