"""Promises: a change that is acknowledged is heard from the announced bar on, or it is said where.

Every change of a stream has a number that rises. A bar knows the last change that it was composed
under; when it can no longer be revised, it is known whether a promise was kept there. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(slots=True)
class ChangePromise:
    """Change number `change` is heard from `bar` on."""

    change: int
    bar: int


@dataclass(slots=True)
class PromiseCounts:
    """Since the start: made = kept + void + open, at any time. `void` are those of music that
    was given up before they could be kept: a new beginning, an end."""

    made: int = 0
    kept: int = 0
    void: int = 0
    postponed: int = 0  # by a bar or more, each time one is

    @property
    def open(self) -> int:
        return self.made - self.kept - self.void


class Promises:
    """The open promises of one stream, oldest first."""

    def __init__(self, counts: PromiseCounts) -> None:
        self.counts = counts
        self._open: list[ChangePromise] = []

    def __len__(self) -> int:
        return len(self._open)

    @property
    def bars(self) -> Iterable[int]:
        """In which they are to be kept next."""
        return (promise.bar for promise in self._open)

    def make(self, change: int, bar: int) -> ChangePromise:
        promise = ChangePromise(change, bar)
        self._open.append(promise)
        self.counts.made += 1
        return promise

    def settle(self, sealed: int, change_of: Callable[[int], int]) -> list[ChangePromise]:
        """Bars up to `sealed` are as they are heard, each composed under `change_of` it. Promises
        that were kept there are off the list; returned are those that had to be postponed."""
        postponed: list[ChangePromise] = []
        for promise in tuple(self._open):
            announced = promise.bar
            while promise.bar <= sealed and change_of(promise.bar) < promise.change:
                promise.bar += 1
            if promise.bar > announced:
                self.counts.postponed += 1
                postponed.append(promise)
            if promise.bar <= sealed:
                self.counts.kept += 1
                self._open.remove(promise)
        return postponed

    def void(self) -> None:
        """The music that they were about is over."""
        self.counts.void += len(self._open)
        self._open.clear()
