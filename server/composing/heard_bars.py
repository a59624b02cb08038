"""Composed bars as they were heard: those that were not there in time were bridged, or were heard
as they stood before a change that came too late for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator

from common.errors import LogError
from engine.composing.composer import Composer
from engine.composing.fallback import BEFORE_A_FALLBACK, fallback_bar
from engine.files.bar_as_heard import BarAsHeard
from engine.files.control_log import ControlLog
from engine.library.bars import composed_bars
from engine.music.bars import Bar, moved
from server.composing.reports import sounding_key


def heard_again(composer: Composer, log: ControlLog) -> Iterator[Bar]:
    """Bars without end from where the composer stands, each change made at its bar, and as they
    were heard those that were not heard as they are composed."""
    heard = HeardBars(log.late, log.heard, composer.next_bar)
    return composed_bars(composer, log.changes, heard.of)


class HeardBars:
    """Follows a stream from bar to bar. A fallback is as long as the bar before it, so that what
    comes after a late bar of another length begins earlier or later than composed."""

    def __init__(
        self, late: Collection[int], heard: Iterable[BarAsHeard] = (), first: int | None = None
    ) -> None:
        """`first` is the bar with which it begins, if that may be one that was leapt over."""
        self._next = first
        self._late = set(late)
        self._written = {one.bar: one for one in heard}
        self._before: deque[tuple[Bar, str]] = deque(maxlen=BEFORE_A_FALLBACK)

    def of(self, bar: Bar, composer: Composer) -> list[Bar]:
        """What was heard in the place of a bar that the composer has just finished, after what
        was heard in those places before it that it leapt over."""
        if not (self._late or self._written):
            return [bar]
        places = range(bar.index if self._next is None else self._next, bar.index)
        found = [self._leapt_over(place) for place in places]
        self._next = bar.index + 1
        key = sounding_key(bar.plan.key, composer.controls.key, composer.lines[-1].transposition)
        heard = self._in_place_of(bar.index)
        if heard is None:
            start = self._before[-1][0].end if self._before else bar.start
            heard = moved(bar, start - bar.start), key
        self._before.append(heard)
        return [*found, heard[0]]

    def _leapt_over(self, index: int) -> Bar:
        heard = self._in_place_of(index)
        if heard is None:
            raise LogError(f"bar {index} was leapt over, and the log does not say what was heard")
        self._before.append(heard)
        return heard[0]

    def _in_place_of(self, index: int) -> tuple[Bar, str] | None:
        """What was heard instead of what is composed for this place, and its key; None if that
        was heard itself."""
        written = self._written.get(index)
        if written is not None:
            start = self._before[-1][0].end if self._before else written.tick
            return written.as_bar(start), written.key
        if index in self._late and self._before:
            bars, keys = zip(*self._before, strict=True)
            return fallback_bar(bars, keys, self._late), keys[-1]
        return None
