"""What becomes of a stream over thousands of bars: drift, loops and silences."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import log2
from typing import NamedTuple

from engine.bars import Bar
from engine.score import DRUMS, TIED_FROM, Note
from engine.time import TICKS_PER_QUARTER

BLOCK_BARS = 500
ENTROPY_BARS = 100
LOOP_BARS = 8


@dataclass(frozen=True, slots=True)
class Block:
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
class Endurance:
    """A stream by blocks of `BLOCK_BARS`; `entropy`: its figures by blocks of `ENTROPY_BARS`.

    `longest_silence` is in quarters and includes one at the end.
    """

    bars: int
    notes: int
    repeated: int
    longest_silence: float
    blocks: tuple[Block, ...]
    entropy: tuple[Block, ...]


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

    def close(self) -> Block:
        pitched = self.pitches.total()
        return Block(
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
    """Follow a stream to its end. Memory grows by one number a bar, to know what came before."""
    long, short = _Tally(), _Tally()
    blocks: list[Block] = []
    entropies: list[Block] = []
    listener = _Listener()
    count = notes = repeated = 0
    for count, bar in enumerate(bars, 1):
        for tally in (long, short):
            if not tally.bars:
                tally.first = count - 1
        heard = listener.hear(bar, (long, short))
        notes += heard.notes
        repeated += heard.repeated
        if long.bars == BLOCK_BARS:
            blocks.append(long.close())
            long = _Tally()
        if short.bars == ENTROPY_BARS:
            entropies.append(short.close())
            short = _Tally()
    for tally, closed in ((long, blocks), (short, entropies)):
        if tally.bars:
            closed.append(tally.close())
    silence = listener.silence() / TICKS_PER_QUARTER
    return Endurance(count, notes, repeated, silence, tuple(blocks), tuple(entropies))


class _Heard(NamedTuple):
    notes: int
    repeated: bool


class _Listener:
    """What has to be remembered from bar to bar."""

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.recent: deque[int] = deque(maxlen=LOOP_BARS)
        self.sounding_until = 0
        self.end = 0
        self.last_onset: int | None = None
        self.longest_silence = 0

    def hear(self, bar: Bar, tallies: Sequence[_Tally]) -> _Heard:
        repeated = self._loops(bar)
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
        return _Heard(fresh, repeated)

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
