"""What becomes of a stream over thousands of bars: drift, loops and silences."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import log2, sqrt
from typing import NamedTuple

from engine.music.bars import Bar
from engine.music.fields import ECHO_NEAR
from engine.music.score import DRUMS, TIED_FROM, Note
from engine.music.time import TICKS_PER_QUARTER

BLOCK_BARS = 500
ENTROPY_BARS = 100
LOOP_BARS = 8


@dataclass(frozen=True, slots=True)
class BarBlock:
    """Figures of consecutive bars. Means over notes; None where no note could tell.

    `repeated`: bars that complete `LOOP_BARS` bars heard before, note for note. Entropies in
    bits: of pitches, and of gaps between onsets.
    """

    first: int
    bars: int
    pitch: float | None
    density: float
    velocity: float | None
    repeated: int
    pitch_entropy: float
    gap_entropy: float


@dataclass(frozen=True, slots=True)
class Spread:
    """How far bars lie around their mean, as standard deviations."""

    pitch: float
    density: float
    velocity: float


@dataclass(frozen=True, slots=True)
class Endurance:
    """A stream by blocks of `BLOCK_BARS`; `entropy`: its figures by blocks of `ENTROPY_BARS`.

    `unasked` are those repeated bars that complete eight of which the plan did not ask each to
    echo an earlier one closely. `longest_silence` is in quarters and includes one at the end.
    """

    bars: int
    notes: int
    repeated: int
    unasked: int
    longest_silence: float
    spread: Spread
    blocks: tuple[BarBlock, ...]
    entropy: tuple[BarBlock, ...]


@dataclass(slots=True)
class _Tally:
    """Counts of the bars since the last block was closed."""

    first: int = 0
    bars: int = 0
    ticks: int = 0
    notes: int = 0
    repeated: int = 0
    velocity: int = 0
    pitches: Counter[int] = field(default_factory=Counter)
    gaps: Counter[int] = field(default_factory=Counter)

    def close(self) -> BarBlock:
        pitched = self.pitches.total()
        return BarBlock(
            self.first,
            self.bars,
            sum(p * n for p, n in self.pitches.items()) / pitched if pitched else None,
            self.notes * TICKS_PER_QUARTER / self.ticks,
            self.velocity / self.notes if self.notes else None,
            self.repeated,
            entropy(self.pitches),
            entropy(self.gaps),
        )


def entropy(counts: Counter[int]) -> float:
    """Entropy of what was counted, in bits."""
    total = counts.total()
    return 0.0 - sum(n / total * log2(n / total) for n in counts.values() if n)


def endure(bars: Iterable[Bar]) -> Endurance:
    """Follow a stream to its end."""
    follower = Follower()
    for bar in bars:
        follower.hear(bar)
    return follower.found()


class Follower:
    """Hears a stream bar by bar. Memory grows by one number a bar, to know what came before."""

    def __init__(self) -> None:
        self._long, self._short = _Tally(), _Tally()
        self._blocks: list[BarBlock] = []
        self._entropies: list[BarBlock] = []
        self._listener = _Listener()
        self._moments = tuple(_Moments() for _ in range(3))
        self._bars = self._notes = self._repeated = self._unasked = 0

    def hear(self, bar: Bar) -> None:
        for tally in (self._long, self._short):
            if not tally.bars:
                tally.first = self._bars
        self._bars += 1
        heard = self._listener.hear(bar, (self._long, self._short))
        self._notes += heard.notes
        self._repeated += heard.repeated
        self._unasked += heard.repeated and not heard.asked
        self._measure(bar)
        if self._long.bars == BLOCK_BARS:
            self._blocks.append(self._long.close())
            self._long = _Tally()
        if self._short.bars == ENTROPY_BARS:
            self._entropies.append(self._short.close())
            self._short = _Tally()

    def _measure(self, bar: Bar) -> None:
        begun = [note for note in bar.notes if not note.tie & TIED_FROM]
        pitches = [note.pitch for note in begun if note.part != DRUMS]
        pitch, density, velocity = self._moments
        density.add(len(begun) * TICKS_PER_QUARTER / bar.metre.ticks)
        if pitches:
            pitch.add(sum(pitches) / len(pitches))
        if begun:
            velocity.add(sum(note.velocity for note in begun) / len(begun))

    def found(self) -> Endurance:
        """All of it so far, the blocks under way included."""
        blocks, entropies = [*self._blocks], [*self._entropies]
        for tally, closed in ((self._long, blocks), (self._short, entropies)):
            if tally.bars:
                closed.append(tally.close())
        return Endurance(
            self._bars,
            self._notes,
            self._repeated,
            self._unasked,
            self._listener.silence() / TICKS_PER_QUARTER,
            Spread(*(moments.deviation for moments in self._moments)),
            tuple(blocks),
            tuple(entropies),
        )


@dataclass(slots=True)
class _Moments:
    """Mean and spread of numbers that come one by one (Welford)."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        self.count += 1
        before = value - self.mean
        self.mean += before / self.count
        self.squares += before * (value - self.mean)

    @property
    def deviation(self) -> float:
        return sqrt(self.squares / self.count) if self.count else 0.0


class _HeardBars(NamedTuple):
    notes: int
    repeated: bool
    asked: bool  # each of the latest eight bars to be like an earlier one


class _Listener:
    """What has to be remembered from bar to bar."""

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.recent: deque[int] = deque(maxlen=LOOP_BARS)
        self.asked: deque[bool] = deque(maxlen=LOOP_BARS)
        self.sounding_until = 0
        self.end = 0
        self.last_onset: int | None = None
        self.longest_silence = 0

    def hear(self, bar: Bar, tallies: Sequence[_Tally]) -> _HeardBars:
        repeated = self._loops(bar)
        self.asked.append(bar.plan.echo >= ECHO_NEAR)
        fresh = 0
        for note in sorted(bar.notes):
            self._sound(note)
            if not note.tie & TIED_FROM:
                fresh += 1
                self._count(note, tallies)
        self.end = bar.end
        for tally in tallies:
            tally.bars += 1
            tally.ticks += bar.metre.ticks
            tally.notes += fresh
            tally.repeated += repeated
        return _HeardBars(fresh, repeated, all(self.asked))

    def silence(self) -> int:
        return max(self.longest_silence, self.end - self.sounding_until)

    def _sound(self, note: Note) -> None:
        self.longest_silence = max(self.longest_silence, note.onset - self.sounding_until)
        self.sounding_until = max(self.sounding_until, note.onset + note.duration)

    def _count(self, note: Note, tallies: Sequence[_Tally]) -> None:
        gap = note.onset - self.last_onset if self.last_onset is not None else 0
        self.last_onset = note.onset
        for tally in tallies:
            tally.velocity += note.velocity
            if note.part != DRUMS:
                tally.pitches[note.pitch] += 1
            if gap:
                tally.gaps[gap] += 1

    def _loops(self, bar: Bar) -> bool:
        """Whether this bar completes a run of bars that was heard before; silence is no loop."""
        rows = ((n.onset - bar.start, n.duration, n.pitch, n.part) for n in bar.notes)
        self.recent.append(hash(tuple(sorted(rows))))
        if len(self.recent) < LOOP_BARS or set(self.recent) == {_EMPTY_BAR}:
            return False
        run = hash(tuple(self.recent))
        known = run in self.seen
        self.seen.add(run)
        return known


_EMPTY_BAR = hash(())
