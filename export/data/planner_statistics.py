"""Learns the planner's statistics from the plans of a prepared set.

Counting, nothing else: which chord follows which two, what phrases and closes prefer, where keys
go, how the attributes move, how bars echo bars. See `engine.planning.planner_table` for what comes
out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.music.fields import (
    ATTRIBUTES,
    CHORDS,
    ECHO_EXACT,
    ECHO_NEW,
    ENDING_FAR,
    ENDING_LAST,
    FIRST_CHORD,
    KEYS,
    NO_CHORD,
    PHRASE_BARS,
)
from engine.music.harmony import CHORD_SHIFT
from engine.music.plan import BarPlan
from engine.planning.planner_table import (
    LEVELS,
    MAX_BYTES,
    MAX_ECHO,
    PlannerTable,
    chord_context,
    chord_counts,
)
from export.data.dataset import Dataset

STYLE_BARS = 400  # a style with fewer bars is known by what all music does
_PRIOR_BARS = 100  # weight of all music in the habits of one style, in bars
_TILT_PRIOR = 400  # observations that a place must outweigh before its chords count as its own
_TILT_RANGE = (0.05, 20.0)
_MAX_PART_SETS = 64
# A bucket is a rounded level, and the planner rounds again: this much variance is of rounding.
_ROUNDING = 1 / 6

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Bars:
    """The plans of many pieces, one row a bar: columns of BarPlan and where the bar belongs.

    `number` counts from the first bar with notes, as phrases do. `style` is an index, `minor` the
    mode of the piece's home.
    """

    plans: dict[str, Ints]
    piece: Ints
    number: Ints
    style: Ints
    minor: Flags


def learn(dataset: Dataset, split: str = "train") -> PlannerTable:
    """The statistics of one split of a prepared set."""
    pieces = dataset.pieces[dataset.pieces_of(split)]
    first, count = pieces["first_bar"].astype(np.int64), pieces["bar_count"].astype(np.int64)
    piece = np.repeat(np.arange(len(pieces)), count)
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    rows = dataset.plans[first[piece] + within].astype(np.int64)
    sounding = dataset.bars[pieces["start"].astype(np.int64)].astype(np.int64) - first
    bars = Bars(
        plans={name: rows[:, i] for i, name in enumerate(BarPlan._fields)},
        piece=piece,
        number=within - sounding[piece],
        style=pieces["style"].astype(np.int64)[piece],
        minor=pieces["minor"].astype(bool)[piece],
    )
    styles, parts = pieces["style"].astype(np.int64), pieces["parts"].astype(np.int64)
    return learn_from(tuple(dataset.style_names), bars, styles, parts)


def learn_from(
    styles: tuple[str, ...], bars: Bars, piece_styles: Ints, parts: Ints
) -> PlannerTable:
    """The statistics of bars; `piece_styles` and `parts` (bit masks) have one value a piece."""
    tables: dict[str, Any] = {"styles": styles}
    pairs, tilts = _chords(bars, len(styles))
    tables |= tilts | _keys(bars) | _attributes(bars, len(styles)) | _echoes(bars, len(styles))
    tables |= _part_sets(piece_styles, parts, len(styles))
    least = 1
    while True:
        table = PlannerTable(**tables, **chord_counts(pairs, least))
        if len(table.to_bytes()) <= MAX_BYTES:
            return table
        least *= 2


def _chords(bars: Bars, styles: int) -> tuple[Ints, dict[str, Any]]:
    """(context, chord) of every half bar whose chord is known, and the tilts."""
    plans = bars.plans
    chord = np.stack((plans["chord"], plans["half_chord"]), axis=1).ravel()
    known = chord >= FIRST_CHORD
    chord, bar = chord[known], np.repeat(np.arange(len(bars.piece)), 2)[known]
    half = np.tile((0, 1), len(bars.piece))[known]
    tonic, minor = _local_keys(bars)
    down = (-(tonic - 9 * minor) % 12)[bar]
    mode, piece = minor[bar], bars.piece[bar]
    now = CHORD_SHIFT[down, chord].astype(np.int64)
    last, before = (CHORD_SHIFT[down, _earlier(chord, piece, lag, NO_CHORD)] for lag in (1, 2))
    last, before, anything = last.astype(np.int64), before.astype(np.int64), np.zeros_like(now)
    every, own = np.full_like(now, styles), bars.style[bar]
    contexts = (
        *((every, anything, anything), (every, anything, last)),
        *((every, before, last), (own, before, last)),
    )
    codes = [chord_context(a, b, c, mode, half) for a, b, c in contexts]
    pairs = np.stack((np.concatenate(codes), np.tile(now, len(codes))), axis=1)
    phrase = bars.number[bar] % PHRASE_BARS
    ending = np.maximum(plans["ending"][bar], ENDING_FAR)
    return pairs, {
        "phrase_tilt": _tilt(mode, phrase, half, now, PHRASE_BARS),
        "ending_tilt": _tilt(mode, ending, half, now, 1 + ENDING_LAST),
    }


def _local_keys(bars: Bars) -> tuple[Ints, Ints]:
    """(tonic, 1 if minor) of each bar's local key, that of home where it is open."""
    key = bars.plans["key"]
    tonic = np.where(key > 0, (key - 1) % 12, 9 * bars.minor)
    return tonic, np.where(key > 0, key > 12, bars.minor).astype(np.int64)


def _earlier(values: Ints, piece: Ints, lag: int, otherwise: int = 0) -> Ints:
    """The value `lag` places before in the same piece, `otherwise` where there is none."""
    found = np.full_like(values, otherwise)
    found[lag:] = np.where(piece[lag:] == piece[:-lag], values[:-lag], otherwise)
    return found


def _tilt(mode: Ints, place: Ints, half: Ints, chord: Ints, places: int) -> NDArray[np.float32]:
    """How much more often each chord stands at a place than anywhere in that half of the bar."""
    count = np.zeros((2, places, 2, CHORDS))
    np.add.at(count, (mode, place, half, chord), 1)
    anywhere = count.sum(axis=1, keepdims=True)
    share = (anywhere + 0.5) / (anywhere + 0.5).sum(axis=3, keepdims=True)
    here = count + _TILT_PRIOR * share
    ratio: Floats = here / here.sum(axis=3, keepdims=True) / share
    return ratio.clip(*_TILT_RANGE).astype(np.float32)


def _keys(bars: Bars) -> dict[str, Any]:
    """How often a bar leaves the home key or comes back, and where it goes."""
    key = bars.plans["key"]
    before = _earlier(key, bars.piece, 1)
    home = np.where(bars.minor, 22, 1)
    known = (key > 0) & (before > 0)
    leaves = known & (before == home) & (key != home)
    moves = np.zeros((2, KEYS))
    np.add.at(moves, (bars.minor[leaves].astype(np.int64), key[leaves]), 1)
    leave, away = np.zeros(2), np.zeros(2)
    for mode in range(2):
        own = bars.minor == mode
        at_home = (known & own & (before == home)).sum()
        leave[mode] = ((leaves & own).sum() + 20 * 0.03) / (at_home + 20)
        share = ((key > 0) & own & (key != home)).sum() / max(((key > 0) & own).sum(), 1)
        away[mode] = min(max(share, 0.02), 0.5)
    # Not counted but set, so that music without end is as seldom away from home as pieces are.
    returns = np.minimum(leave * (1 - away) / away, 0.5)
    return {
        "key_leave": leave.astype(np.float32),
        "key_return": returns.astype(np.float32),
        "key_moves": (moves / np.maximum(moves.sum(axis=1, keepdims=True), 1)).astype(np.float32),
    }


def _rows(style: Ints, styles: int) -> list[Flags]:
    """Which bars each row of a table by style is made of; all of them where a style has few."""
    chosen = [style == index for index in range(styles)]
    everything = np.ones(len(style), np.bool_)
    return [own if own.sum() >= STYLE_BARS else everything for own in chosen] + [everything]


def _attributes(bars: Bars, styles: int) -> dict[str, Any]:
    """Means, spreads within a piece, correlation from bar to bar and between attributes."""
    levels = np.stack([bars.plans[a.name] for a in ATTRIBUTES], axis=1)
    known = levels > 0
    of_pieces = _piece_means(levels, known, bars.piece)
    deviation = np.where(known, levels - of_pieces, 0.0)
    both = np.zeros_like(known)
    both[1:] = known[1:] & known[:-1] & (bars.piece[1:] == bars.piece[:-1])[:, None]
    product = deviation * np.roll(deviation, 1, axis=0)
    plain = PlannerTable.plain()
    means, spreads, between, persistence = [], [], [], []
    for row in _rows(bars.style, styles):
        heard = known & row[:, None]
        count = heard.sum(axis=0)
        mean = np.where(heard, levels, 0).sum(axis=0) / np.maximum(count, 1)
        variance = (deviation**2 * heard).sum(axis=0) / np.maximum(count, 1)
        steps = both & row[:, None]
        shared = (product * steps).sum(axis=0) / np.maximum(steps.sum(axis=0), 1)
        latent = np.maximum(variance - _ROUNDING, 0.05)
        told = count >= STYLE_BARS
        apart = (np.where(heard, of_pieces - mean, 0.0) ** 2).sum(axis=0) / np.maximum(count, 1)
        means.append(np.where(told, mean, plain.means[-1]))
        spreads.append(np.where(told, np.sqrt(latent), plain.spreads[-1]))
        between.append(np.where(told, np.sqrt(apart), plain.between[-1]))
        rho = np.clip(shared / latent, 0, 0.98)
        persistence.append(np.where(told, rho, plain.persistence[-1]))
    return {
        "means": np.array(means, np.float32),
        "spreads": np.array(spreads, np.float32),
        "between": np.array(between, np.float32),
        "persistence": np.array(persistence, np.float32),
        "mixing": _mixing(deviation, known),
    }


def _piece_means(levels: Ints, known: Flags, piece: Ints) -> Floats:
    total = np.zeros((int(piece.max(initial=0)) + 1, levels.shape[1]))
    count = np.zeros_like(total)
    np.add.at(total, piece, np.where(known, levels, 0))
    np.add.at(count, piece, known)
    return (total / np.maximum(count, 1))[piece]


def _mixing(deviation: Floats, known: Flags) -> NDArray[np.float32]:
    """Lower triangle that turns independent numbers into ones correlated as the attributes are."""
    size = deviation.shape[1]
    correlation = np.eye(size)
    for i in range(size):
        for j in range(i):
            both = known[:, i] & known[:, j]
            a, b = deviation[both, i], deviation[both, j]
            scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
            correlation[i, j] = correlation[j, i] = 0.9 * float((a * b).sum()) / max(scale, 1.0)
    # Pairs are known in different bars, so that the whole may not be a correlation: shrink it.
    values, vectors = np.linalg.eigh(correlation)
    mended = vectors @ np.diag(np.maximum(values, 0.05)) @ vectors.T
    unit = np.sqrt(np.diag(mended))
    return np.linalg.cholesky(mended / np.outer(unit, unit)).astype(np.float32)


def _echoes(bars: Bars, styles: int) -> dict[str, Any]:
    """Levels by the bar before and the place in the phrase, distances, and how echoes go on."""
    level = np.clip(bars.plans["echo"], ECHO_NEW, ECHO_EXACT)
    index = np.arange(len(level)) - bars.plans["source"]
    first = np.searchsorted(bars.piece, bars.piece)
    echoed = (level > ECHO_NEW) & (bars.plans["source"] >= 0)
    distance = np.where(echoed, index - first, 0)
    before, distance_before = (_earlier(v, bars.piece, 1) for v in (level, distance))
    before = np.maximum(before, ECHO_NEW)
    phrase = bars.number % PHRASE_BARS
    goes_on = echoed & (distance_before > 0)
    everything = np.ones(len(level), np.bool_)
    prior = np.full((LEVELS, PHRASE_BARS, LEVELS), 1 / LEVELS)
    far_prior = np.full(MAX_ECHO, 1 / MAX_ECHO)
    levels, distances, same = [], [], []
    for number, row in enumerate([everything, *_rows(bars.style, styles)]):
        count = np.zeros((LEVELS, PHRASE_BARS, LEVELS))
        np.add.at(count, (before[row] - 1, phrase[row], level[row] - 1), 1)
        habit = count + _PRIOR_BARS / (LEVELS * PHRASE_BARS) * prior
        habit /= habit.sum(axis=2, keepdims=True)
        fresh = row & echoed & (distance != distance_before) & (distance <= MAX_ECHO)
        far = np.bincount(distance[fresh] - 1, minlength=MAX_ECHO) + _PRIOR_BARS * far_prior
        far /= far.sum()
        kept = (row & goes_on & (distance == distance_before)).sum()
        if number == 0:  # all music comes first, as what every style is held to
            prior, far_prior = habit, far
            continue
        levels.append(habit)
        distances.append(far)
        same.append((kept + 14) / ((row & goes_on).sum() + 20))
    return {
        "echo_levels": np.array(levels, np.float32),
        "echo_distances": np.array(distances, np.float32),
        "echo_goes_on": np.array(same, np.float32),
    }


def _part_sets(piece_styles: Ints, parts: Ints, styles: int) -> dict[str, Any]:
    """The most frequent sets of parts, weighed by style; all alike in a style without any."""
    found, count = np.unique(parts[parts > 0], return_counts=True)
    order = np.lexsort((found, -count))[:_MAX_PART_SETS]
    masks = np.sort(found[order]) if len(order) else np.array([1])
    weights = np.zeros((styles + 1, len(masks)))
    for row in range(styles + 1):
        own = parts[piece_styles == row] if row < styles else parts
        weights[row] = (own[:, None] == masks).sum(axis=0)
        if not weights[row].any():
            weights[row] = 1
    weights /= weights.sum(axis=1, keepdims=True)
    return {"part_masks": masks.astype(np.uint8), "part_weights": weights.astype(np.float32)}
