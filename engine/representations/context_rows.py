"""The context rows of encoded music, computed for a whole piece at once.

The composer computes the same values note by note (`engine.composing.step_context`); a test holds
both to each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.music.analysis import Analysis
from engine.music.fields import (
    ATTRIBUTES,
    ECHO_NEW,
    ECHO_WAITS,
    MAX_COUNT,
    MAX_RANK,
    MAX_VOICES,
    PHRASE_BARS,
    metre_index,
)

Ints = NDArray[np.int64]
_KEY_TICKS = 4096  # one bar's worth of echo keys: 192 ticks times 16 ranks, rounded up
KEY_RANKS = 16  # of one tick; more notes than that share a key


def ranks(places: Ints) -> Ints:
    """How many events stand before each one at the same place (an onset, a bar)."""
    index = np.arange(len(places))
    fresh = np.concatenate(([True], places[1:] != places[:-1]))
    return index - np.maximum.accumulate(np.where(fresh, index, 0))


def voices(onsets: Ints, durations: Ints) -> Ints:
    """How many earlier notes still sound where each one begins."""
    ended = np.searchsorted(np.sort(onsets + durations), onsets, side="right")
    return np.arange(len(onsets)) - ended


def echo_key(tick: Ints, rank: Ints) -> Ints:
    """Order of a note inside its bar; a note is echoed by the first one at or after its key."""
    return tick * KEY_RANKS + np.minimum(rank, KEY_RANKS - 1)


def position_columns(analysis: Analysis, onsets: Ints, bars: Ints) -> dict[str, Ints]:
    grid = analysis.grid
    metre_of_bar = np.array([metre_index(m) for m in grid.metres])
    first = int(bars[0]) if len(bars) else 0
    return {
        "tick": 1 + onsets - grid.starts[bars],
        "metre": metre_of_bar[bars],
        "phrase": 1 + (bars - first) % PHRASE_BARS,
        "rank": 1 + np.minimum(ranks(onsets), MAX_RANK - 1),
    }


def progress_columns(onsets: Ints, durations: Ints, bars: Ints) -> dict[str, Ints]:
    """How far the music has come: what a network needs to keep to a density or a polyphony."""
    return {
        "count": 1 + np.minimum(ranks(bars), MAX_COUNT - 1),
        "voices": 1 + np.minimum(voices(onsets, durations), MAX_VOICES - 1),
    }


def plan_columns(analysis: Analysis, onsets: Ints, bars: Ints) -> dict[str, Ints]:
    """Everything of the plan but the echo's notes."""
    plans = analysis.plans
    grid = analysis.grid
    half_of_bar = np.array([m.half for m in grid.metres])
    late = onsets - grid.starts[bars] >= half_of_bar[bars]
    next_bar_chord = np.append(plans["chord"][1:], 0)
    columns = {
        "key": plans["key"][bars],
        "chord": np.where(late, plans["half_chord"][bars], plans["chord"][bars]),
        "next_chord": np.where(late, next_bar_chord[bars], plans["half_chord"][bars]),
        "ending": plans["ending"][bars],
    }
    for attribute in ATTRIBUTES:
        columns[attribute.name] = plans[attribute.name][bars]
    return columns


def echo_columns(
    analysis: Analysis, onsets: Ints, bars: Ints, pitch: Ints, duration: Ints, part: Ints
) -> dict[str, Ints]:
    """For each note the note that the echoed bar has at this place or next after it.

    `pitch`, `duration` and `part` are the field values of the notes themselves.
    """
    tick = onsets - analysis.grid.starts[bars]
    own = bars * _KEY_TICKS + echo_key(tick, ranks(onsets))
    source = analysis.plans["source"].astype(np.int64)[bars]
    level = analysis.plans["echo"].astype(np.int64)[bars]
    found = np.searchsorted(own, source * _KEY_TICKS + own % _KEY_TICKS)
    inside = np.minimum(found, len(own) - 1)
    there = (source >= 0) & (level > ECHO_NEW) & (found < len(own)) & (bars[inside] == source)
    wait = 1 + np.searchsorted(ECHO_WAITS, tick[inside] - tick)
    return {
        "echo": level,
        "echo_pitch": np.where(there, pitch[inside], 0),
        "echo_wait": np.where(there, wait, 0),
        "echo_length": np.where(there, duration[inside], 0),
        "echo_part": np.where(there, part[inside], 0),
    }
