"""Figures of music: what is counted in a piece, by window of bars.

Every figure is a set of samples (one a note, a bar or a window) that fall into fixed bins, so that
the histograms of any two collections of music can be laid over each other (`overlap`). Pieces are
cut into windows of about `WINDOW_BARS` bars: a long stream and many short pieces compare evenly.
Percussion counts for density, groove and repetition, never for pitch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.music.fields import LENGTHS
from engine.music.measures import Floats, Ints, polyphony
from engine.music.score import DRUMS, PARTS, Score, bar_grid, note_order
from engine.music.time import MAX_BAR_TICKS, TICKS_PER_QUARTER

Samples = tuple[Ints, Floats]  # window of each sample, its value

WINDOW_BARS = 16
RECENT_BARS = 16
LAGS = 32
NEARLY = 0.7

_MAJOR = np.isin(np.arange(12), (0, 2, 4, 5, 7, 9, 11)).astype(float)
_HARMONIC_MINOR = np.isin(np.arange(12), (0, 2, 3, 5, 7, 8, 11)).astype(float)
# Natural minor has the notes of its relative major.
_SCALES = np.array([np.roll(s, k) for s in (_MAJOR, _HARMONIC_MINOR) for k in range(12)])
# Tonic and dominant decide between two signatures that hold the notes equally well.
_SIGNATURE = _MAJOR + 1e-3 * np.isin(np.arange(12), (0, 7)) + 1e-3 * (np.arange(12) == 0)
_SIGNATURES = np.array([np.roll(_SIGNATURE, k) for k in range(12)])


@dataclass(frozen=True)
class MeasuredPiece:
    """A score with its notes placed in bars and its bars in windows."""

    notes: NDArray[np.void]
    starts: Ints  # first tick of each bar
    ticks: Ints  # length of each bar
    bar: Ints  # bar of each note
    windows: int

    @classmethod
    def of(cls, score: Score) -> MeasuredPiece:
        notes = note_order(score.notes)
        grid = bar_grid(score)
        last = grid.starts[-1] + grid.metres[-1].ticks
        ticks = np.diff(grid.starts, append=last)
        bar = grid.bar_of(notes["onset"].astype(np.int64))
        # A last window under half a window's length joins the one before it.
        windows = max(1, int(len(ticks) / WINDOW_BARS + 0.5))
        return cls(notes, grid.starts, ticks, bar, windows)

    @property
    def bars(self) -> int:
        return len(self.starts)

    @cached_property
    def window_of_bar(self) -> Ints:
        return np.minimum(np.arange(self.bars) // WINDOW_BARS, self.windows - 1)

    @cached_property
    def window(self) -> Ints:
        """Window of each note."""
        found: Ints = self.window_of_bar[self.bar]
        return found

    @cached_property
    def offset(self) -> Ints:
        """Ticks of each note since its bar line."""
        found: Ints = self.notes["onset"].astype(np.int64) - self.starts[self.bar]
        return found

    @cached_property
    def tuned(self) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = self.notes["part"] != DRUMS
        return found

    @cached_property
    def pitch_classes(self) -> Ints:
        """Counts [windows, 12] of the pitched notes."""
        cells = self.window * 12 + self.notes["pitch"] % 12
        counts = np.bincount(cells[self.tuned], minlength=12 * self.windows)
        return counts.reshape(self.windows, 12).astype(np.int64)

    @cached_property
    def likeness(self) -> Floats:
        """[bars, LAGS]: share of notes that a bar has in common with the bar 1, 2 … earlier.

        Notes in either bar count as the whole; equal notes stand at the same offset with the same
        pitch and part. Not a number where there is no earlier bar or both are empty.
        """
        keys = (self.offset * 128 + self.notes["pitch"]) * PARTS + self.notes["part"]
        return shared_by_lag(self.bar, keys, self.bars, LAGS)


def shared_by_lag(bar: Ints, keys: Ints, bars: int, lags: int) -> Floats:
    """[bars, lags]: intersection over union of each bar's set of keys and an earlier bar's."""
    span = 2 * MAX_BAR_TICKS * 128 * PARTS
    codes = np.unique(bar * span + keys)
    size = np.bincount(codes // span, minlength=bars)
    shares = np.full((bars, lags), np.nan)
    for lag in range(1, min(lags, bars - 1) + 1):
        earlier = codes - lag * span
        place = np.minimum(np.searchsorted(codes, earlier), max(0, len(codes) - 1))
        both = codes[codes[place] == earlier] // span
        shared = np.bincount(both, minlength=bars)[lag:]
        union = size[lag:] + size[:-lag] - shared
        shares[lag:, lag - 1] = np.where(union > 0, shared / np.maximum(union, 1), np.nan)
    return shares


def _of_notes(
    piece: MeasuredPiece, values: NDArray[np.generic], keep: NDArray[np.bool_]
) -> Samples:
    return piece.window[keep], values[keep].astype(np.float64)


def _of_bars(piece: MeasuredPiece, values: NDArray[np.generic]) -> Samples:
    found = values.astype(np.float64)
    known = ~np.isnan(found)
    return piece.window_of_bar[known], found[known]


def _of_windows(piece: MeasuredPiece, values: Floats) -> Samples:
    known = ~np.isnan(values)
    return np.arange(piece.windows)[known], values[known]


def _relative_pitch_class(piece: MeasuredPiece) -> Samples:
    signature = np.argmax(piece.pitch_classes @ _SIGNATURES.T, axis=1)
    relative = (piece.notes["pitch"].astype(np.int64) - signature[piece.window]) % 12
    return _of_notes(piece, relative, piece.tuned)


def _pitch(piece: MeasuredPiece) -> Samples:
    return _of_notes(piece, piece.notes["pitch"], piece.tuned)


def _interval(piece: MeasuredPiece) -> Samples:
    """Steps between the highest notes of successive onsets of one part."""
    notes, window = piece.notes[piece.tuned], piece.window[piece.tuned]
    order = np.lexsort((-notes["pitch"].astype(np.int64), notes["onset"], notes["part"]))
    notes, window = notes[order], window[order]
    fresh = np.ones(len(notes), bool)
    fresh[1:] = (np.diff(notes["onset"]) != 0) | (np.diff(notes["part"]) != 0)
    notes, window = notes[fresh], window[fresh]
    steps = np.diff(notes["pitch"].astype(np.int64))
    same = np.diff(notes["part"]) == 0
    return window[1:][same], steps[same].astype(np.float64)


def _duration(piece: MeasuredPiece) -> Samples:
    return _of_notes(piece, piece.notes["duration"], piece.notes["part"] != DRUMS)


def _gap(piece: MeasuredPiece) -> Samples:
    onsets = piece.notes["onset"].astype(np.int64)
    gaps = np.diff(onsets, append=onsets[-1:])
    return _of_notes(piece, gaps, gaps > 0)


def _beat_place(piece: MeasuredPiece) -> Samples:
    return _of_notes(piece, piece.offset % TICKS_PER_QUARTER, np.ones(len(piece.notes), bool))


def _velocity(piece: MeasuredPiece) -> Samples:
    return _of_notes(piece, piece.notes["velocity"], piece.notes["velocity"] > 0)


def _density(piece: MeasuredPiece) -> Samples:
    counts = np.bincount(piece.bar, minlength=piece.bars)
    return _of_bars(piece, counts * TICKS_PER_QUARTER / piece.ticks)


def _polyphony(piece: MeasuredPiece) -> Samples:
    bounds = np.append(piece.starts, piece.starts[-1] + piece.ticks[-1])
    return _of_bars(piece, polyphony(piece.notes[piece.tuned], bounds))


def _scale_consistency(piece: MeasuredPiece) -> Samples:
    total = piece.pitch_classes.sum(axis=1)
    best = (piece.pitch_classes @ _SCALES.T).max(axis=1)
    return _of_windows(piece, np.where(total > 0, best / np.maximum(total, 1), np.nan))


def _pitch_class_entropy(piece: MeasuredPiece) -> Samples:
    total = piece.pitch_classes.sum(axis=1, keepdims=True)
    share = piece.pitch_classes / np.maximum(total, 1)
    bits = -(share * np.log2(np.where(share > 0, share, 1.0))).sum(axis=1)
    return _of_windows(piece, np.where(total[:, 0] > 0, bits, np.nan))


def _groove(piece: MeasuredPiece) -> Samples:
    return _of_bars(piece, shared_by_lag(piece.bar, piece.offset, piece.bars, 1)[:, 0])


def _pitch_range(piece: MeasuredPiece) -> Samples:
    low = np.full(piece.windows, np.inf)
    high = np.full(piece.windows, -np.inf)
    np.minimum.at(low, piece.window[piece.tuned], piece.notes["pitch"][piece.tuned])
    np.maximum.at(high, piece.window[piece.tuned], piece.notes["pitch"][piece.tuned])
    return _of_windows(piece, np.where(high >= low, high - low, np.nan))


def _best_recent(piece: MeasuredPiece) -> Floats:
    """Likeness of each sounding bar to the most similar of the bars just before it."""
    recent = piece.likeness[:, :RECENT_BARS]
    best: Floats = np.where(np.isnan(recent), -1.0, recent).max(axis=1)
    sounding = np.bincount(piece.bar, minlength=piece.bars) > 0
    return np.where(sounding & (best >= 0), best, np.nan)


def _where_known(values: Floats, holds: NDArray[np.bool_]) -> Floats:
    return np.where(np.isnan(values), np.nan, holds)


def _repeated(piece: MeasuredPiece) -> Samples:
    best = _best_recent(piece)
    return _of_bars(piece, _where_known(best, best == 1.0))


def _nearly_repeated(piece: MeasuredPiece) -> Samples:
    best = _best_recent(piece)
    return _of_bars(piece, _where_known(best, best >= NEARLY))


def _empty(piece: MeasuredPiece) -> Samples:
    return _of_bars(piece, np.bincount(piece.bar, minlength=piece.bars) == 0)


@dataclass(frozen=True, slots=True)
class Figure:
    """One kind of sample and the bins it falls into; values past the ends count in the end bins.

    `averaged`: the mean of the samples means something.
    """

    name: str
    help: str
    edges: tuple[float, ...]
    samples: Callable[[MeasuredPiece], Samples]
    averaged: bool = True

    @property
    def bins(self) -> int:
        return len(self.edges) - 1

    def bin_of(self, values: Floats) -> Ints:
        found = np.searchsorted(self.edges, values, side="right") - 1
        return np.clip(found, 0, self.bins - 1)


def _whole(first: int, last: int) -> tuple[float, ...]:
    return tuple(v - 0.5 for v in range(first, last + 2))


def _even(first: float, last: float, bins: int) -> tuple[float, ...]:
    # Shifted by a hair, so that values on an edge do not depend on rounding.
    return tuple(float(v) - 1e-9 for v in np.linspace(first, last, bins + 1))


_LENGTH_EDGES = (0.5, *((a + b) / 2 for a, b in pairwise(LENGTHS)), 1e9)
_SHARE = (-0.5, 0.5, 1.5)

FIGURES = (
    Figure("pitch class", "against the key signature", _whole(0, 11), _relative_pitch_class, False),
    Figure("pitch", "MIDI pitch", _whole(0, 127), _pitch),
    Figure("interval", "semitones between a part's top notes", _whole(-24, 24), _interval),
    Figure("duration", "ticks", _LENGTH_EDGES, _duration),
    Figure("gap", "ticks between successive onsets", _LENGTH_EDGES, _gap),
    Figure("beat place", "onset's ticks since the quarter", _whole(0, 23), _beat_place, False),
    Figure("velocity", "known velocities", _even(0, 128, 32), _velocity),
    Figure("density", "notes a quarter, by bar", _even(0, 16, 32), _density),
    Figure("polyphony", "mean notes sounding, by bar", _even(1, 9, 32), _polyphony),
    Figure("scale", "share in the best scale", _even(0.6, 1, 20), _scale_consistency),
    Figure("tonal entropy", "bits of pitch class", _even(1.5, 3.6, 21), _pitch_class_entropy),
    Figure("groove", "onsets shared with the bar before", _even(0, 1.05, 21), _groove),
    Figure("range", "semitones, by window", _even(0, 96, 24), _pitch_range),
    Figure("repeated", "bars equal to one of the last 16", _SHARE, _repeated),
    Figure("nearly repeated", "bars sharing 70 % with one", _SHARE, _nearly_repeated),
    Figure("empty", "bars without an onset", _SHARE, _empty),
)
FIGURE = {figure.name: figure for figure in FIGURES}


@dataclass(frozen=True, slots=True)
class MeasuredMusic:
    """A piece in figures: histogram [windows, bins] and mean [windows] of each (nan: no sample).

    `similarity` is the mean likeness of bars 1, 2 … LAGS apart, `pairs` the number of pairs.
    """

    histograms: dict[str, Floats]
    means: dict[str, Floats]
    similarity: Floats
    pairs: Ints
    windows: int


def measure(score: Score) -> MeasuredMusic:
    """All figures of one piece or stream."""
    piece = MeasuredPiece.of(score)
    histograms: dict[str, Floats] = {}
    means: dict[str, Floats] = {}
    for figure in FIGURES:
        window, values = figure.samples(piece)
        cells = window * figure.bins + figure.bin_of(values)
        counts = np.bincount(cells, minlength=piece.windows * figure.bins)
        histograms[figure.name] = counts.reshape(piece.windows, figure.bins).astype(np.float64)
        number = np.bincount(window, minlength=piece.windows)
        total = np.bincount(window, values, minlength=piece.windows)
        means[figure.name] = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    known = ~np.isnan(piece.likeness)
    pairs = known.sum(axis=0)
    total = np.where(known, piece.likeness, 0.0).sum(axis=0)
    similarity = np.where(pairs > 0, total / np.maximum(pairs, 1), np.nan)
    return MeasuredMusic(histograms, means, similarity, pairs, piece.windows)


def mean_similarity(pieces: list[MeasuredMusic]) -> Floats:
    """Self-similarity by lag over several pieces, each pair of bars weighing the same."""
    pairs = np.sum([piece.pairs for piece in pieces], axis=0)
    total = np.nansum([piece.similarity * piece.pairs for piece in pieces], axis=0)
    return np.where(pairs > 0, total / np.maximum(pairs, 1), np.nan)
