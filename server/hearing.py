"""Composed bars as they were heard: those that were not there in time were bridged."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import replace

from engine.bars import Bar
from engine.composer import Composer
from engine.fallback import BEFORE_A_FALLBACK, fallback_bar
from server.composing.spelling import sounding_key


class Heard:
    """Follows a stream from bar to bar. A fallback is as long as the bar before it, so that what
    comes after a late bar of another length begins earlier or later than composed."""

    def __init__(self, late: Collection[int]) -> None:
        self._late = set(late)
        self._before: deque[tuple[Bar, str]] = deque(maxlen=BEFORE_A_FALLBACK)

    def of(self, bar: Bar, composer: Composer) -> Bar:
        """What was heard of a bar that the composer has just finished."""
        if not self._late:
            return bar
        key = sounding_key(bar.plan.key, composer.controls.key, composer.lines[-1].transposition)
        heard = bar
        if self._before:
            bars, keys = zip(*self._before, strict=True)
            if bar.index in self._late:
                heard, key = fallback_bar(bars, keys, self._late), keys[-1]
            else:
                heard = _moved(bar, bars[-1].end - bar.start)
        self._before.append((heard, key))
        return heard


def _moved(bar: Bar, ticks: int) -> Bar:
    if not ticks:
        return bar
    notes = tuple(note._replace(onset=note.onset + ticks) for note in bar.notes)
    return replace(bar, start=bar.start + ticks, notes=notes)
