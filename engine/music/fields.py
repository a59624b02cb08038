"""The table of what a network may be told beside the last event.

Each step of a network gets one row of small integers, its *context*: where the next event stands
(position) and what the plan asks of it (plan). In every field 0 means "open": not known or not
asked for; training drops plan fields to 0 at random, so any of them may be left open. A bundle
names the context fields it was trained with; training, export and the composer derive from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from engine.music.score import PARTS
from engine.music.time import MAX_BAR_TICKS, Metre


@dataclass(frozen=True, slots=True)
class Field:
    """One categorical input or output: values 0 … size-1, 0 meaning open."""

    name: str
    size: int
    help: str
    group: str = ""


# Bundles are trained on these indices: the order is part of the format.
_METRES = ("4/4", "3/4", "2/4", "6/8", "3/8", "12/8", "9/8", "6/4", "5/4", "4/8", "7/8", "5/8")
METRES = tuple(Metre.parse(text) for text in (*_METRES, "8/4", "2/8", "7/4"))
METRE_INDEX = {metre: i + 1 for i, metre in enumerate(METRES)}

PHRASE_BARS = 8
MAX_RANK = 8
MAX_COUNT = 64
MAX_VOICES = 12
MELODIC_PITCHES = 128
DRUM_PITCHES = tuple(range(35, 82))  # General MIDI percussion keys
PITCHES = MELODIC_PITCHES + len(DRUM_PITCHES)

# Lengths that notes and gaps may have, in ticks: all up to an eighth, then every binary, dotted
# and triplet value and their simple sums, then longer and coarser. Index 0 is "open".
_FINE = [t for t in range(1, 97) if t <= 12 or t % 3 == 0 or t % 4 == 0]
LENGTHS = (*_FINE, *range(108, 193, 12), *range(216, 385, 24))

QUALITIES = ("maj", "min", "dim", "7", "maj7", "min7")
NO_CHORD = 1
FIRST_CHORD = 2
CHORDS = FIRST_CHORD + 12 * len(QUALITIES)
KEYS = 25  # 1 … 12: major on C, C#, …; 13 … 24: minor

ECHO_NEW, ECHO_LOOSE, ECHO_NEAR, ECHO_EXACT = 1, 2, 3, 4
# How far ahead of the current place the echoed note stands, as upper bounds in ticks.
ECHO_WAITS = (0, 3, 6, 12, 24, 48, 96)

# Bars to the close of a piece or section: 1 far, then 4, 3, 2 and the last bar.
ENDING_FAR, ENDING_LAST = 1, 5


@dataclass(frozen=True, slots=True)
class Attribute:
    """A per-bar quantity of the plan, cut into buckets 1 … n by rising `edges`."""

    name: str
    edges: tuple[float, ...]
    unit: str

    @property
    def buckets(self) -> int:
        return len(self.edges) + 1

    def bucket(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        found: NDArray[np.uint8] = (1 + np.searchsorted(self.edges, values)).astype(np.uint8)
        return found

    def centre(self, bucket: int) -> float:
        """A typical value of a bucket."""
        edges = self.edges
        low = edges[bucket - 2] if bucket > 1 else edges[0] - (edges[1] - edges[0])
        high = edges[bucket - 1] if bucket <= len(edges) else edges[-1] + (edges[-1] - edges[-2])
        return (max(low, 0.0) + high) / 2

    def position(self, value: float) -> float:
        """Where a value lies between bucket centres, from 1.0 to `buckets`: bucket + fraction."""
        return float(np.interp(value, *_scale(self)))


@cache
def _scale(attribute: Attribute) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The centres of all buckets and their numbers."""
    numbers = np.arange(1.0, attribute.buckets + 1)
    return np.array([attribute.centre(int(bucket)) for bucket in numbers]), numbers


ATTRIBUTES = (
    Attribute("density", (0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12), "notes a quarter"),
    Attribute("register", tuple(range(40, 81, 4)), "mean MIDI pitch"),
    Attribute("polyphony", (1.05, 1.5, 2, 2.5, 3, 4, 5, 6.5), "mean notes sounding"),
    Attribute("dynamics", (24, 36, 44, 52, 60, 68, 76, 84, 92, 100, 110), "mean velocity"),
    Attribute(
        "articulation", (0.3, 0.5, 0.65, 0.8, 0.95, 1.05, 1.5), "duration over gap to the next"
    ),
)
ATTRIBUTE = {attribute.name: attribute for attribute in ATTRIBUTES}

POSITION_FIELDS = (
    Field("tick", MAX_BAR_TICKS + 1, "1 + ticks since the bar line", "position"),
    Field("metre", 2 + len(METRES), "index in METRES, the last for any other", "position"),
    Field("phrase", 1 + PHRASE_BARS, "1 + bar in the phrase of eight", "position"),
    Field("rank", 1 + MAX_RANK, "1 + notes already at this onset, capped", "position"),
    Field("count", 1 + MAX_COUNT, "1 + notes already in this bar, capped", "position"),
    Field("voices", 1 + MAX_VOICES, "1 + notes that still sound here, capped", "position"),
)
PLAN_FIELDS = (
    Field("key", KEYS, "local key, relative to the home key", "key"),
    Field("chord", CHORDS, "chord of this half bar", "chord"),
    Field("next_chord", CHORDS, "chord of the next half bar", "chord"),
    Field("echo", 5, "how closely this bar resembles an earlier one", "echo"),
    Field("echo_pitch", 1 + PITCHES, "pitch of the note that the echoed bar has here", "echo"),
    Field("echo_wait", 1 + len(ECHO_WAITS) + 1, "how far ahead that note stands", "echo"),
    Field("echo_length", 1 + len(LENGTHS), "its duration", "echo"),
    Field("echo_part", 1 + PARTS, "its part", "echo"),
    *(Field(a.name, 1 + a.buckets, a.unit, a.name) for a in ATTRIBUTES),
    Field("ending", 1 + ENDING_LAST, "bars to the close", "ending"),
)
CONTEXT_FIELDS = POSITION_FIELDS + PLAN_FIELDS
CONTEXT = {field.name: field for field in CONTEXT_FIELDS}
PITCH_CLASSES = 12


def metre_index(metre: Metre) -> int:
    return METRE_INDEX.get(metre, len(METRES) + 1)
