"""Per-bar quantities of music: the one definition behind training, obedience and guards.

A bar without notes has a density of 0 and no other quantity (NaN in arrays). Drums count in
density and dynamics only: their pitches are not a register and their durations mean nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.music.fields import ATTRIBUTES
from engine.music.score import DRUMS, Note, as_array
from engine.music.time import TICKS_PER_QUARTER, Metre

MAX_ARTICULATION = 2.0

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def bar_attributes(notes: Sequence[Note], metre: Metre, start: int = 0) -> dict[str, float]:
    """Raw values of `fields.ATTRIBUTES` for the bar from tick `start`, undefined ones left out.

    `notes` may reach beyond the bar: notes held from before count in polyphony, the first onsets
    after it let the last ones of the bar have an articulation. The continuation of a tied note
    counts as one note with its beginning if that is given too, as a new note otherwise.
    """
    bounds = np.array([start, start + metre.ticks], np.int64)
    values = measure(as_array(list(notes)), bounds)
    return {name: float(v[0]) for name, v in values.items() if not np.isnan(v[0])}


def buckets(values: dict[str, Floats], velocity_known: bool) -> dict[str, NDArray[np.int16]]:
    """Raw values of bars as field values: 0 where a quantity is undefined."""
    found = {}
    for attribute in ATTRIBUTES:
        raw = values[attribute.name]
        known = ~np.isnan(raw) & (velocity_known or attribute.name != "dynamics")
        bucket = attribute.bucket(np.where(known, raw, 0.0)).astype(np.int16)
        found[attribute.name] = np.where(known, bucket, 0).astype(np.int16)
    return found


def measure(notes: NDArray[np.void], bounds: Ints) -> dict[str, Floats]:
    """Values of `fields.ATTRIBUTES` for the bars between consecutive ticks of `bounds`."""
    bars = len(bounds) - 1
    onset = notes["onset"].astype(np.int64)
    bar = np.searchsorted(bounds, onset, side="right") - 1
    inside = (bar >= 0) & (bar < bars)
    melodic = notes["part"] != DRUMS
    quarters = np.maximum(np.diff(bounds), 1) / TICKS_PER_QUARTER

    def mean(values: Floats, where: NDArray[np.bool_]) -> Floats:
        chosen = inside & where
        count = np.bincount(bar[chosen], minlength=bars)
        total = np.bincount(bar[chosen], values[chosen], minlength=bars)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    touch = articulations(notes)
    everything = np.ones(len(notes), np.bool_)
    return {
        "density": np.bincount(bar[inside], minlength=bars) / quarters,
        "register": mean(notes["pitch"].astype(np.float64), melodic),
        "polyphony": polyphony(notes[melodic], bounds),
        "dynamics": mean(notes["velocity"].astype(np.float64), everything),
        "articulation": mean(touch, melodic & ~np.isnan(touch)),
    }


def articulations(notes: NDArray[np.void]) -> Floats:
    """Duration over the gap to the next later onset in the same part; NaN for the last ones."""
    order = np.lexsort((notes["onset"], notes["part"]))
    # One number that rises by part, then onset, so that the next larger value is the next onset.
    reach = np.int64(notes["onset"].max(initial=0)) + 1
    place = notes["part"][order].astype(np.int64) * reach + notes["onset"][order]
    after = np.searchsorted(place, place, side="right")
    follows = after < len(place)
    after = np.where(follows, after, 0)
    same_part = follows & (notes["part"][order][after] == notes["part"][order])
    gap = np.where(same_part, place[after] - place, 1)
    ratio = np.minimum(notes["duration"][order] / gap, MAX_ARTICULATION)
    found = np.empty(len(notes))
    found[order] = np.where(same_part, ratio, np.nan)
    return found


def polyphony(notes: NDArray[np.void], bounds: Ints) -> Floats:
    """Mean number of notes sounding over the time when something sounds, NaN in silence."""
    first, last = int(bounds[0]), int(bounds[-1])
    start = np.clip(notes["onset"].astype(np.int64), first, last) - first
    stop = np.clip(notes["onset"].astype(np.int64) + notes["duration"], first, last) - first
    length = last - first
    change = np.bincount(start, minlength=length + 1) - np.bincount(stop, minlength=length + 1)
    voices = np.concatenate(([0], np.cumsum(change[:length])))
    total = np.concatenate(([0], np.cumsum(voices[1:])))
    time = np.concatenate(([0], np.cumsum(voices[1:] > 0)))
    edges = bounds - first
    sounding = np.diff(time[edges])
    return np.where(sounding > 0, np.diff(total[edges]) / np.maximum(sounding, 1), np.nan)
