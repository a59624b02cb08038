"""Reads the plan out of a score: home key, and bar by bar key, chords, echo and attributes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.music.echoes import echoes
from engine.music.fields import ENDING_FAR, ENDING_LAST, PITCH_CLASSES, metre_index
from engine.music.harmony import key_id
from engine.music.measures import Ints, buckets, measure
from engine.music.plan import BarPlan
from engine.music.score import DRUMS, BarGrid, Score, bar_grid, moved_pitches, note_order
from engine.music.tonality import Sound, chord_path, home_merit, listen, local_keys, window_sum

HOME_TONIC = {False: 0, True: 9}  # C major, A minor


@dataclass(frozen=True, slots=True)
class Analysis:
    """A score in its normal key, and the plan that it follows.

    `shift` is what was added to the melodic pitches. `plans` has one int16 array over the bars
    for every column of `BarPlan`. `pitch_classes` [bars, 12] tells how much each pitch class
    sounds around a bar, the most frequent as 255; zeros in silence.
    """

    score: Score
    shift: int
    minor: bool
    grid: BarGrid
    plans: dict[str, NDArray[np.int16]]
    pitch_classes: NDArray[np.uint8]

    def bar(self, index: int) -> BarPlan:
        return BarPlan(*(int(self.plans[name][index]) for name in BarPlan._fields))


def analyse(score: Score, velocity_known: bool = True, *, keep_key: bool = False) -> Analysis:
    """The plan of a score; dynamics stay open unless the velocities are known.

    With `keep_key` the score is not transposed, and the plan tells keys and chords as they sound.
    """
    tonic, minor = home_key(score)
    shift = 0 if keep_key else shift_home(tonic, minor)
    normal = transposed(score, shift)
    grid = bar_grid(normal)
    bounds = bar_bounds(grid)
    home = key_id((tonic + shift) % 12, minor)
    plans, chroma = _harmony(normal, grid, bounds, home)
    plans["echo"], plans["source"] = _echoes(normal, grid)
    plans |= buckets(measure(normal.notes, bounds), velocity_known)
    plans["ending"] = _endings(len(grid.starts))
    return Analysis(normal, shift, minor, grid, plans, _shares(chroma))


def shift_home(tonic: int, minor: bool) -> int:
    """The semitones, at most six, that move a key to C major or A minor."""
    return (HOME_TONIC[minor] - tonic + 6) % 12 - 6


def home_key(score: Score) -> tuple[int, bool]:
    """(tonic, minor) of a whole piece as it stands; C major in silence."""
    best = int(home_fit(score).argmax())
    return best % 12, best >= 12


def home_fit(score: Score) -> NDArray[np.float64]:
    """How well each key fits as the home of a piece: twelve major ones, then twelve minor."""
    notes = score.notes[score.notes["part"] != DRUMS]
    end = notes["onset"].astype(np.int64) + notes["duration"]
    # Chords are not always released on one tick.
    final = notes["pitch"][end >= end.max(initial=0) - 2]
    sound = _sound(score, bar_bounds(bar_grid(score)))
    return home_merit(sound, int(final.min(initial=127)) % 12)


def transposed(score: Score, shift: int) -> Score:
    """The score with its melodic parts moved; notes that would leave MIDI's range fold back."""
    notes = score.notes.copy()
    pitch = moved_pitches(notes["pitch"].astype(np.int64), shift)
    notes["pitch"] = np.where(notes["part"] == DRUMS, notes["pitch"], pitch)
    return replace(score, notes=note_order(notes))


def bar_bounds(grid: BarGrid) -> Ints:
    """The bar lines of a grid with the end of the last bar."""
    return np.append(grid.starts, grid.starts[-1] + grid.metres[-1].ticks)


def _sound(score: Score, bounds: Ints) -> Sound:
    notes = score.notes[score.notes["part"] != DRUMS]
    onset = notes["onset"].astype(np.int64)
    return listen(onset, onset + notes["duration"], notes["pitch"].astype(np.int64), bounds)


def _harmony(
    score: Score, grid: BarGrid, bounds: Ints, home: int
) -> tuple[dict[str, NDArray[np.int16]], NDArray[np.float64]]:
    """Key, chord and half_chord of each bar, and the durations by pitch class of each bar."""
    bars = len(grid.starts)
    half = grid.starts + np.array([metre.half for metre in grid.metres])
    half = np.minimum(half, bounds[1:])
    halves = np.append(np.stack((grid.starts, half), axis=1).ravel(), bounds[-1])
    sound = _sound(score, halves)
    chroma = sound.chroma.reshape(bars, 2, PITCH_CLASSES).sum(axis=1)
    keys = local_keys(chroma, home)
    chords = chord_path(sound, np.repeat(keys, 2), np.arange(2 * bars) % 2 == 0).reshape(bars, 2)
    undivided = half == bounds[1:]
    found = {
        "key": keys,
        "chord": chords[:, 0],
        "half_chord": np.where(undivided, chords[:, 0], chords[:, 1]),
    }
    return {name: values.astype(np.int16) for name, values in found.items()}, chroma


def _echoes(score: Score, grid: BarGrid) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    notes = score.notes
    onset = notes["onset"].astype(np.int64)
    bar = grid.bar_of(onset)
    metre = np.array([metre_index(m) for m in grid.metres])
    pitch, part = notes["pitch"].astype(np.int64), notes["part"].astype(np.int64)
    return echoes(bar, onset - grid.starts[bar], pitch, part, metre)


def _endings(bars: int) -> NDArray[np.int16]:
    to_last = np.arange(bars)[::-1]
    return np.maximum(ENDING_LAST - to_last, ENDING_FAR).astype(np.int16)


def _shares(chroma: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Pitch-class shares from the bar before to the second bar after, the largest as 255."""
    around = window_sum(chroma, 1, 2)
    largest = np.maximum(around.max(axis=1, keepdims=True), 1e-9)
    found: NDArray[np.uint8] = np.rint(around * (255 / largest)).astype(np.uint8)
    return found
