"""The longest runs of notes that composed music shares with training pieces.

A piece is read as a sequence of steps, each from one note to the next: (pitch interval, ticks
between the onsets). So a run counts as shared in any key, with any durations and velocities.
Two readings: "texture" takes all notes in order, "line" each part's highest notes. Percussion is
left out: its patterns are common property.

Matching: all runs of the least length are hashed on both sides; only places found on both sides
are looked at with one step more, and so on until none is left. Every level costs what survived the
one before. Training music passes through in chunks, so memory does not grow with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.music.measures import Ints
from engine.music.score import DRUMS, Score, note_order

Hashes = NDArray[np.uint64]

READINGS = ("texture", "line")
LEAST_RUN = 8
LONG_RUN = 16
EXCERPT = 256
CHUNK = 1_000_000
_MAX_GAP = 1 << 12
_BASE = 0x9E3779B97F4A7C15 | 1
_MASK = (1 << 64) - 1
_INVERSE = pow(_BASE, -1, 1 << 64)


def mixed(values: NDArray[np.integer]) -> Hashes:
    """Each integer scattered over 64 bits (the finaliser of splitmix64)."""
    with np.errstate(over="ignore"):
        h = values.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        scattered: Hashes = h ^ (h >> np.uint64(31))
    return scattered


def _powers(base: int, number: int) -> Hashes:
    row = np.full(number, base, np.uint64)
    row[:1] = 1
    powers: Hashes = np.cumprod(row, dtype=np.uint64)
    return powers


def steps_of(score: Score, reading: str) -> list[Ints]:
    """The sequences of steps of one piece, as integers."""
    notes = note_order(score.notes[score.notes["part"] != DRUMS])
    if reading == "texture":
        return [_steps(notes)]
    lines = []
    for part in np.unique(notes["part"]):
        line = notes[notes["part"] == part]
        # In note order the first note of an onset is its highest.
        lines.append(_steps(line[np.diff(line["onset"], prepend=-1) > 0]))
    return lines


def _steps(notes: NDArray[np.void]) -> Ints:
    pitch, onset = notes["pitch"].astype(np.int64), notes["onset"].astype(np.int64)
    gaps = np.minimum(onset[1:] - onset[:-1], _MAX_GAP - 1)
    found: Ints = (pitch[1:] - pitch[:-1] + 128) * _MAX_GAP + gaps
    return found


@dataclass(frozen=True, slots=True)
class Sequences:
    """Steps of many pieces end to end. `limit[i]` is one past the last step of i's sequence,
    `piece[i]` the number of its piece."""

    prefix: Hashes
    unshift: Hashes
    limit: Ints
    piece: Ints

    def __len__(self) -> int:
        return len(self.limit)

    @classmethod
    def of(cls, scores: Iterable[tuple[int, Score]], reading: str) -> Sequences:
        rows = [(n, steps) for n, score in scores for steps in steps_of(score, reading)]
        lengths = np.array([len(steps) for _, steps in rows], np.int64)
        tokens = mixed(np.concatenate([np.zeros(0, np.int64), *(steps for _, steps in rows)]))
        prefix = np.zeros(len(tokens) + 1, np.uint64)
        # Sums and products wrap round at 64 bits, where an odd base has an inverse.
        np.cumsum(tokens * _powers(_BASE, len(tokens)), out=prefix[1:])
        limit = np.repeat(np.cumsum(lengths), lengths)
        piece = np.repeat(np.array([n for n, _ in rows], np.int64), lengths)
        return cls(prefix, _powers(_INVERSE, len(tokens)), limit, piece)

    def hashes(self, places: Ints, steps: int) -> Hashes:
        """Hash of the run of so many steps from each place on."""
        found: Hashes = (self.prefix[places + steps] - self.prefix[places]) * self.unshift[places]
        return found

    def with_room(self, places: Ints, steps: int) -> Ints:
        return places[places + steps <= self.limit[places]]


@dataclass(frozen=True, slots=True)
class Runs:
    """For each place of the music in question: notes in the longest shared run that starts there
    (0 if under `LEAST_RUN`), and the number of a piece that has it (-1 if none)."""

    length: Ints
    source: Ints
    sequences: Sequences


def longest_runs(
    music: Sequence[Score], training: Iterable[Score], reading: str = "texture"
) -> Runs:
    sequences = Sequences.of(enumerate(music), reading)
    runs = Runs(
        np.zeros(len(sequences), np.int64), np.full(len(sequences), -1, np.int64), sequences
    )
    for chunk in _chunks(training, reading):
        _extend(runs, chunk)
    return runs


def _chunks(scores: Iterable[Score], reading: str) -> Iterator[Sequences]:
    waiting: list[tuple[int, Score]] = []
    notes = 0
    for number, score in enumerate(scores):
        waiting.append((number, score))
        notes += len(score.notes)
        if notes >= CHUNK:
            yield Sequences.of(waiting, reading)
            waiting, notes = [], 0
    if waiting:
        yield Sequences.of(waiting, reading)


def _extend(runs: Runs, chunk: Sequences) -> None:
    """Raise the runs to what the chunk shares with the music."""
    music = runs.sequences
    here, there = np.arange(len(music)), np.arange(len(chunk))
    steps = LEAST_RUN - 1
    while True:
        here, there = music.with_room(here, steps), chunk.with_room(there, steps)
        ours, theirs = music.hashes(here, steps), chunk.hashes(there, steps)
        kept, _ = _find(theirs, np.unique(ours))
        there, theirs = there[kept], theirs[kept]
        known, first = np.unique(theirs, return_index=True)
        found, place = _find(ours, known)
        here = here[found]
        if not len(here):
            return
        longer = runs.length[here] < steps + 1
        improved = here[longer]
        runs.length[improved] = steps + 1
        runs.source[improved] = chunk.piece[there[first[place[longer]]]]
        steps += 1


def _find(values: Hashes, known: Hashes) -> tuple[NDArray[np.bool_], Ints]:
    """Which values are among the sorted `known`, and where those stand."""
    if not len(known):
        return np.zeros(len(values), bool), np.zeros(0, np.int64)
    place = np.minimum(np.searchsorted(known, values), len(known) - 1)
    found = known[place] == values
    return found, place[found]


@dataclass(frozen=True, slots=True)
class Copying:
    """Shared runs in notes. Percentiles are over excerpts of `EXCERPT` notes: the longest run
    that starts in each. `covered` is the share of notes inside a shared run of `LONG_RUN` or
    more; `source` the number of the training piece that has the longest run."""

    reading: str
    notes: int
    longest: int
    median: float
    p90: float
    p99: float
    covered: float
    source: int


def copying(music: Sequence[Score], training: Iterable[Score], reading: str = "texture") -> Copying:
    """What `music` shares with the training pieces.

    For the yardstick call it again with held-out real music of the same amount.
    """
    runs = longest_runs(music, training, reading)
    number = len(runs.length)
    if not number:
        return Copying(reading, 0, 0, 0.0, 0.0, 0.0, 0.0, -1)
    by_excerpt = np.maximum.reduceat(runs.length, np.arange(0, number, EXCERPT))
    median, p90, p99 = (float(v) for v in np.percentile(by_excerpt, (50, 90, 99)))
    top = int(np.argmax(runs.length))
    return Copying(
        reading,
        number,
        int(runs.length[top]),
        median,
        p90,
        p99,
        covered_share(runs.length),
        int(runs.source[top]),
    )


def covered_share(lengths: Ints) -> float:
    """Share of places inside a run of `LONG_RUN` or more notes."""
    starts = np.flatnonzero(lengths >= LONG_RUN)
    # A run of n notes has n - 1 steps.
    change = np.zeros(len(lengths) + 1, np.int64)
    np.add.at(change, starts, 1)
    np.add.at(change, starts + lengths[starts] - 1, -1)
    return float((np.cumsum(change)[:-1] > 0).mean())
