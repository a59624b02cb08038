"""What is measured of a window: one table, each feature with a name and what it means.

Everything follows from onsets and pitches, as shares or as measures that do not depend on how many
notes there are. A feature that a window has nothing of is not a number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.music.measures import Floats, Ints
from engine.music.time import TICKS_PER_QUARTER
from export.evaluation.against.windows import Window

EIGHTH, SIXTEENTH = TICKS_PER_QUARTER // 2, TICKS_PER_QUARTER // 4
MAJOR = (0, 2, 4, 5, 7, 9, 11)  # at home; A minor has the same notes
TRIADS = [frozenset({r, (r + third) % 12, (r + 7) % 12}) for r in range(12) for third in (3, 4)]
PERFECT = (0, 7)


@dataclass(frozen=True, slots=True)
class Feature:
    name: str
    help: str
    of: Callable[[Window], float]


def share(holds: NDArray[np.bool_]) -> float:
    return float(holds.mean()) if holds.size else np.nan


def entropy(values: Ints) -> float:
    """Bits of the values' distribution."""
    if not values.size:
        return np.nan
    shares = np.unique(values, return_counts=True)[1] / values.size
    return float(-(shares * np.log2(shares)).sum())


def variation(counts: Floats | Ints) -> float:
    """Standard deviation as a share of the mean."""
    return float(counts.std() / counts.mean()) if counts.size and counts.mean() > 0 else np.nan


def common(first: set[int], second: set[int]) -> float:
    union = len(first | second)
    return len(first & second) / union if union else np.nan


def alike(bars: Sequence[set[int]], lag: int) -> float:
    """How much bars have in common with those so many before them, on the average."""
    found = [common(bars[i], bars[i - lag]) for i in range(lag, len(bars))]
    known = [one for one in found if not np.isnan(one)]
    return float(np.mean(known)) if known else np.nan


def rhythms(e: Window) -> list[set[int]]:
    return [set(e.place[e.struck_in == bar].tolist()) for bar in range(e.bars)]


def contents(e: Window) -> list[set[int]]:
    codes = (e.onset - e.bounds[e.bar]) * 128 + e.pitch
    return [set(codes[e.bar == bar].tolist()) for bar in range(e.bars)]


def pairs(e: Window) -> Ints:
    """Intervals between all notes that begin together, below an octave."""
    found = [
        (chord[:, None] - chord[None, :])[np.tril_indices(len(chord), -1)] % 12
        for chord in e.chords
        if len(chord) > 1
    ]
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def outer(e: Window) -> tuple[Ints, Ints, Ints]:
    """Of successive strikes of two notes or more: how far bottom and top move, and the interval
    that they had."""
    two = e.sizes > 1
    both = two[1:] & two[:-1]
    low, high = np.diff(e.bottom)[both], np.diff(e.top)[both]
    return low, high, (e.top - e.bottom)[:-1][both] % 12


def motion(e: Window, holds: Callable[[Ints, Ints], NDArray[np.bool_]]) -> float:
    low, high, _ = outer(e)
    return share(holds(low, high))


def parallels(e: Window) -> float:
    low, high, interval = outer(e)
    return share((low == high) & (low != 0) & np.isin(interval, PERFECT))


def moves(line: Ints, least: int, most: int) -> float:
    steps = np.abs(np.diff(line))
    return share((steps >= least) & (steps <= most))


def turns(line: Ints) -> float:
    """Share of moves that go the other way than the move before."""
    steps = np.sign(np.diff(line))
    steps = steps[steps != 0]
    return share(steps[1:] != steps[:-1])


def by_bar(e: Window, values: Ints, of: Callable[[Ints], float]) -> Floats:
    found = [of(values[e.bar == bar]) for bar in range(e.bars) if np.any(e.bar == bar)]
    return np.array(found, np.float64)


def doubled(e: Window) -> float:
    same = (np.diff(e.onset) == 0) & (np.diff(e.pitch) == 0)
    return float(np.count_nonzero(same) / len(e.pitch))


def octaves(e: Window) -> float:
    return share(
        np.array([len(set((c % 12).tolist())) < len(c) for c in e.chords if len(c) > 1], np.bool_)
    )


def triads(e: Window) -> float:
    """Share of the chords of three notes and more that hold nothing but a triad."""
    chords = [frozenset((c % 12).tolist()) for c in e.chords if len(c) > 2]
    return share(np.array([any(c <= triad for triad in TRIADS) for c in chords], np.bool_))


def last_bass(e: Window) -> float:
    return float(e.bottom[-1] % 12 in (0, 9))


def _interval(name: str, help: str, *classes: int) -> Feature:
    return Feature(name, help, lambda e: share(np.isin(pairs(e), classes)))


def _class(name: str, help: str, *classes: int) -> Feature:
    return Feature(name, help, lambda e: share(np.isin(e.pitch % 12, classes)))


FEATURES = (
    # rhythm
    Feature("on beats", "strikes on a quarter", lambda e: share(e.place % TICKS_PER_QUARTER == 0)),
    Feature("off eighths", "strikes on the eighth between", lambda e: share(
        e.place % TICKS_PER_QUARTER == EIGHTH)),
    Feature("sixteenths", "strikes on the other sixteenths", lambda e: share(
        (e.place % SIXTEENTH == 0) & (e.place % EIGHTH != 0))),
    Feature("bar lines", "bars that begin with a strike", lambda e: share(
        np.isin(e.bounds[:-1], e.strikes))),
    Feature("places", "bits of the places in the bar", lambda e: entropy(e.place)),
    Feature("gaps", "bits of the gaps between strikes", lambda e: entropy(np.diff(e.strikes))),
    Feature("even gaps", "gaps as long as the one before", lambda e: share(
        np.diff(np.diff(e.strikes)) == 0)),
    Feature("rhythm after 1", "strikes in common with the bar before", lambda e: alike(
        rhythms(e), 1)),
    Feature("rhythm after 2", "the same two bars apart", lambda e: alike(rhythms(e), 2)),
    Feature("rhythm after 4", "the same four bars apart", lambda e: alike(rhythms(e), 4)),
    Feature("busy and calm", "variation of the strikes by bar", lambda e: variation(
        np.bincount(e.struck_in, minlength=e.bars))),
    # chords
    Feature("thick and thin", "variation of the notes that begin together", lambda e: variation(
        e.sizes)),
    Feature("single notes", "strikes of one note", lambda e: share(e.sizes == 1)),
    Feature("pairs", "strikes of two notes", lambda e: share(e.sizes == 2)),
    Feature("threes", "strikes of three notes", lambda e: share(e.sizes == 3)),
    Feature("fours", "strikes of four notes and more", lambda e: share(e.sizes > 3)),
    Feature("doubled", "notes that begin twice at one pitch", doubled),
    Feature("octaves", "chords with a note in two octaves", octaves),
    Feature("triads", "chords of three notes and more that are triads", triads),
    _interval("seconds", "minor seconds and major sevenths among pairs", 1, 11),
    _interval("tones", "major seconds and minor sevenths", 2, 10),
    _interval("thirds", "thirds and sixths", 3, 4, 8, 9),
    _interval("fifths", "fifths and fourths", 5, 7),
    _interval("tritones", "tritones", 6),
    Feature("span", "semitones from bottom to top", lambda e: float(np.mean(e.top - e.bottom))),
    # lines
    Feature("top repeats", "repeated notes of the top line", lambda e: moves(e.top, 0, 0)),
    Feature("top steps", "steps of the top line", lambda e: moves(e.top, 1, 2)),
    Feature("top leaps", "leaps of the top line over a fourth", lambda e: moves(e.top, 6, 127)),
    Feature("top turns", "moves of the top line the other way", lambda e: turns(e.top)),
    Feature("bottom repeats", "repeated notes of the bottom line", lambda e: moves(
        e.bottom, 0, 0)),
    Feature("bottom steps", "steps of the bottom line", lambda e: moves(e.bottom, 1, 2)),
    Feature("bottom fifths", "fourths and fifths of the bottom line", lambda e: share(
        np.isin(np.abs(np.diff(e.bottom)), (5, 7)))),
    Feature("bottom turns", "moves of the bottom line the other way", lambda e: turns(e.bottom)),
    Feature("contrary", "outer lines move against each other", lambda e: motion(
        e, lambda low, high: low * high < 0)),
    Feature("similar", "outer lines move the same way", lambda e: motion(
        e, lambda low, high: low * high > 0)),
    Feature("oblique", "one outer line moves", lambda e: motion(
        e, lambda low, high: (low == 0) != (high == 0))),
    Feature("parallels", "outer lines move in fifths or octaves", parallels),
    # keys
    Feature("pitch classes", "bits of the pitch classes", lambda e: entropy(e.pitch % 12)),
    _class("scale", "notes in the scale of home", *MAJOR),
    _class("tonic", "C and A", 0, 9),
    _class("dominant", "G and E", 7, 4),
    _class("leading notes", "B and G sharp", 11, 8),
    Feature("last bass", "whether the last bass is the tonic", last_bass),
    # form
    Feature("bars after 1", "notes in common with the bar before", lambda e: alike(
        contents(e), 1)),
    Feature("bars after 2", "the same two bars apart", lambda e: alike(contents(e), 2)),
    Feature("bars after 4", "the same four bars apart", lambda e: alike(contents(e), 4)),
    Feature("height by bar", "spread of the bars' mean pitch", lambda e: float(
        by_bar(e, e.pitch, lambda p: float(p.mean())).std())),
    Feature("peaks by bar", "spread of the bars' highest pitch", lambda e: float(
        by_bar(e, e.pitch, lambda p: float(p.max())).std())),
    Feature("colours by bar", "pitch classes of a bar that the one before has not", lambda e: 1
        - alike([set((e.pitch[e.bar == b] % 12).tolist()) for b in range(e.bars)], 1)),
)  # fmt: skip
NAMES = tuple(feature.name for feature in FEATURES)


def measured(windows: Sequence[Window]) -> Floats:
    """[windows, features]."""
    rows = [[feature.of(window) for feature in FEATURES] for window in windows]
    return np.array(rows, np.float64).reshape(len(rows), len(FEATURES))


def feature_table() -> str:
    """For docs/evaluation.md."""
    rows = [f"| {feature.name} | {feature.help} |" for feature in FEATURES]
    return "\n".join(["| feature | what is measured in eight bars |", "|---|---|", *rows, ""])
