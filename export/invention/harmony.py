"""Keys, chords and the turns that chords make.

A chord is written as a degree of the major scale and a quality: "1:maj9", "b7:add9", "5:9sus4/7",
the last with the degree that the bass has. The vocabulary is that of the music which is written
here: suspensions, added notes, ninths.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from export.invention.draws import Draws

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}

# Semitones above the root, those first that a chord is known by.
QUALITIES: dict[str, tuple[int, ...]] = {
    "maj": (4, 0, 7),
    "m": (3, 0, 7),
    "dim": (3, 6, 0),
    "aug": (4, 8, 0),
    "sus2": (2, 7, 0),
    "sus4": (5, 7, 0),
    "add9": (4, 2, 7, 0),
    "madd9": (3, 2, 7, 0),
    "6": (4, 9, 7, 0),
    "m6": (3, 9, 7, 0),
    "69": (4, 9, 2, 7, 0),
    "maj7": (4, 11, 7, 0),
    "maj9": (4, 11, 2, 7, 0),
    "maj7#11": (4, 11, 6, 7, 0),
    "m7": (3, 10, 7, 0),
    "m9": (3, 10, 2, 7, 0),
    "m11": (3, 10, 5, 7, 0),
    "7": (4, 10, 7, 0),
    "9": (4, 10, 2, 7, 0),
    "13": (4, 10, 9, 2, 0),
    "7sus4": (5, 10, 7, 0),
    "9sus4": (5, 10, 2, 7, 0),
    "m7b5": (3, 10, 6, 0),
}
_DEGREES = {"1": 0, "2": 2, "3": 4, "4": 5, "5": 7, "6": 9, "7": 11}
_SIGNS = {"": 0, "b": -1, "#": 1}
_WRITTEN = re.compile(r"([b#]?)([1-7]):([^/]+)(?:/([b#]?)([1-7]))?")

# How chord roots like to move, in steps of the scale.
_MOTION = {3: 4.0, 5: 3.0, 1: 2.5, 6: 2.0, 4: 2.0, 2: 1.2}

Palette = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Key:
    tonic: int
    mode: str

    @cached_property
    def scale(self) -> frozenset[int]:
        return frozenset((self.tonic + step) % 12 for step in SCALES[self.mode])

    def moved(self, semitones: int, mode: str = "") -> Key:
        return Key((self.tonic + semitones) % 12, mode or self.mode)


@dataclass(frozen=True)
class Chord:
    """`root` and `bass` are pitch classes; the bass is free where it is None."""

    root: int
    quality: str
    key: Key
    bass: int | None = None

    @cached_property
    def tones(self) -> tuple[int, ...]:
        """Pitch classes, those first that it is known by."""
        return tuple((self.root + step) % 12 for step in QUALITIES[self.quality])

    @cached_property
    def scale(self) -> frozenset[int]:
        """What a melody may use over it: the key's notes, but none that rubs against the chord."""
        foreign = set(self.tones) - self.key.scale
        rubbed = {(tone + step) % 12 for tone in foreign for step in (-1, 1)}
        return frozenset(self.tones) | (self.key.scale - rubbed)

    @cached_property
    def stable(self) -> frozenset[int]:
        """Where a melody may rest: notes of the chord, and its ninth and sixth if they are soft."""
        soft = {(self.root + step) % 12 for step in (2, 9)} & self.key.scale
        harsh = {(tone + 1) % 12 for tone in self.tones}
        return frozenset(self.tones) | (soft - harsh)


def chord(text: str, key: Key) -> Chord:
    """The chord that is written "b7:add9", in a key."""
    found = _WRITTEN.fullmatch(text)
    if found is None or found[3] not in QUALITIES:
        raise ValueError(f"no such chord here: {text}")
    root = (key.tonic + _DEGREES[found[2]] + _SIGNS[found[1]]) % 12
    if not found[5]:
        return Chord(root, found[3], key)
    return Chord(root, found[3], key, (key.tonic + _DEGREES[found[5]] + _SIGNS[found[4]]) % 12)


def chords(text: str, key: Key) -> list[Chord]:
    return [chord(word, key) for word in text.split()]


def kind_of(mode: str, degree: int) -> str:
    """Which row of a palette a degree of the scale takes its quality from."""
    scale = SCALES[mode]
    third, fifth, seventh = ((scale[(degree + i) % 7] - scale[degree]) % 12 for i in (2, 4, 6))
    if fifth != 7:
        return "dim"
    if third == 3:
        return "minor"
    return "major" if seventh == 11 else "dominant"


def on_degree(draws: Draws, key: Key, degree: int, palette: Palette) -> Chord:
    """A chord of the scale, of a quality that the palette has and the scale allows."""
    root = (key.tonic + SCALES[key.mode][degree]) % 12
    fitting = {
        quality: weight
        for quality, weight in palette[kind_of(key.mode, degree)].items()
        if all((root + step) % 12 in key.scale for step in QUALITIES[quality])
    }
    return Chord(root, draws.weighted(fitting or {"m7b5": 1.0}), key)


def walk(draws: Draws, key: Key, length: int, palette: Palette) -> list[Chord]:
    """A turn of so many chords through the scale that leads back to where it begins."""
    starts = {0: 6.0, 3: 1.5, 5: 1.0}
    degrees = [draws.weighted({d: w for d, w in starts.items() if kind_of(key.mode, d) != "dim"})]
    while len(degrees) < length:
        here = degrees[-1]
        weights = {(here + step) % 7: weight for step, weight in _MOTION.items()}
        for degree in weights:
            if kind_of(key.mode, degree) == "dim":
                weights[degree] *= 0.05 + palette["dim"].get("m7b5", 0.0)
            if degree in degrees:
                weights[degree] *= 0.3
            if degree == degrees[0] and len(degrees) == length - 1:
                weights[degree] = 0.0
        if len(degrees) == length - 1:
            leading = {(degrees[0] + step) % 7: 2.5 for step in (4, 3, 6, 1)}
            weights = {d: weight * leading.get(d, 1.0) for d, weight in weights.items()}
        degrees.append(draws.weighted(weights))
    return [on_degree(draws, key, degree, palette) for degree in degrees]


def recoloured(draws: Draws, turn: Sequence[Chord], palette: Palette, share: float) -> list[Chord]:
    """The same turn, some of its chords of the scale with another quality."""
    found = []
    for one in turn:
        steps = [(one.key.tonic + step) % 12 for step in SCALES[one.key.mode]]
        if one.root in steps and set(one.tones) <= one.key.scale and draws.chance(share):
            fresh = on_degree(draws, one.key, steps.index(one.root), palette)
            one = Chord(one.root, fresh.quality, one.key, one.bass)
        found.append(one)
    return found
