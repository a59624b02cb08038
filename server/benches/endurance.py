"""Measuring whether a stream costs the same for ever: its late bars against its early ones."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from engine.composing.composer import Composer
from engine.library.bars import notes_of
from engine.network.runtime import Network
from server.benches.measuring import Stopwatch, resident_bytes

EARLY, WINDOW = 100, 1000  # bars before the early figures begin, and bars that a figure is of
SAMPLES = 1 << 16  # steps that a figure is of at most


@dataclass(frozen=True, slots=True)
class BarCost:
    """Medians over the bars from `first` up to `last`, in milliseconds.

    `step` is from note to note inside a bar, `bar_line` all that a bar takes besides: its first
    note, the planning and the bar line.
    """

    first: int
    last: int
    step: float
    bar_line: float


@dataclass(frozen=True, slots=True)
class BarCosts:
    """One stream of so many bars.

    `beside` are the paces of this stream at its end and of a fresh one at its beginning, composed
    in turns: whatever else the machine did meanwhile, it did to both.
    """

    bars: int
    notes: int
    seconds: float
    music_seconds: float
    early: BarCost
    late: BarCost
    beside: tuple[BarCost, BarCost]
    resident_bar: int  # bar at which memory was first read
    resident_early: int | None
    resident_late: int | None


class _Stream:
    """One stream on a row of its own, and the paces taken of it."""

    def __init__(self, network: Network, watch: Stopwatch) -> None:
        self.composer = Composer(network, network.pool(1), seed=1)
        self.watch = watch
        self.notes = 0
        self.music = 0
        # Filled at once and used again, so that measuring does not show as growth.
        self.steps, self.bar_lines = np.ones(SAMPLES), np.ones(SAMPLES)
        self.begin_pace()

    def begin_pace(self) -> None:
        self.first = self.composer.next_bar
        self.taken = self.turned = 0

    def pace(self) -> BarCost:
        medians = [
            float(np.median(samples[:count])) * 1e3 if count else float("nan")
            for samples, count in ((self.steps, self.taken), (self.bar_lines, self.turned))
        ]
        return BarCost(self.first, self.composer.next_bar, *medians)

    def compose(self) -> None:
        """One bar, timed."""
        self.watch.clear()
        start = perf_counter()
        bar = self.composer.compose_bar()
        self.composer.commit(self.composer.next_bar)
        end = perf_counter()
        self.notes += notes_of(bar)
        self.music += bar.length
        if ends := self.watch.ends:
            self._keep(np.diff(ends), ends[0] - start + end - ends[-1])

    def _keep(self, steps: np.ndarray, bar_line: float) -> None:
        steps = steps[: SAMPLES - self.taken]
        self.steps[self.taken : self.taken + len(steps)] = steps
        self.taken += len(steps)
        if self.turned < SAMPLES:
            self.bar_lines[self.turned] = bar_line
            self.turned += 1


def endure(network: Network, bars: int, tell: Callable[[], object]) -> BarCosts:
    """Compose so many bars, `tell` after each; some more follow beside a fresh stream."""
    window = min(WINDOW, max(1, bars // 4))
    early_from = min(EARLY, bars // 10)
    # After the first figure is worked out: what that takes must not show as growth.
    resident_bar = early_from + window
    with Stopwatch(network) as watch:
        stream = _Stream(network, watch)
        early = None
        resident_early = None
        begun = perf_counter()
        for bar in range(bars):
            if bar in (early_from, bars - window):
                stream.begin_pace()
            if bar == resident_bar:
                gc.collect()
                resident_early = resident_bytes()
            stream.compose()
            tell()
            if bar + 1 == early_from + window:
                early = stream.pace()
        seconds = perf_counter() - begun
        gc.collect()
        resident_late = resident_bytes()
        assert early is not None, "the early bars end before the stream does"
        late = stream.pace()
        notes, music = stream.notes, stream.music
        beside = _beside(network, watch, stream, early_from, window)
    return BarCosts(
        bars,
        notes,
        seconds,
        music / 1e6,
        early,
        late,
        beside,
        resident_bar,
        resident_early,
        resident_late,
    )


def _beside(
    network: Network, watch: Stopwatch, old: _Stream, skipped: int, bars: int
) -> tuple[BarCost, BarCost]:
    """The paces of a stream that goes on and of a fresh one, bar by bar in turns."""
    fresh = _Stream(network, watch)
    for _ in range(skipped):
        fresh.compose()
    old.begin_pace()
    fresh.begin_pace()
    for _ in range(bars):
        old.compose()
        fresh.compose()
    return old.pace(), fresh.pace()
