"""How a phrase closes in its last bar: which chord arrives there, and which one led to it.

The chord that arrives is the one that stands longest in the bar; what led to it is the last other
chord before. Both are read against the key of the bars around.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from engine.music.analysis import bar_bounds, home_key
from engine.music.fields import FIRST_CHORD
from engine.music.harmony import SCALES, chord_parts, key_id, key_parts
from engine.music.measures import Ints
from engine.music.score import DRUMS, Score, bar_grid
from engine.music.time import TICKS_PER_QUARTER, Metre
from engine.music.tonality import Sound, chord_merit, listen, local_keys

BACK = 6  # beats in which what leads to a close is looked for
TONIC, SUBDOMINANT, DOMINANT, SUBTONIC, LEADING = 0, 5, 7, 10, 11
DECEPTIVE = (9, 8, 5)  # where a dominant goes that does not go home


@dataclass(frozen=True, slots=True)
class Closes:
    """So many ends of phrases, and how many of them are a close of each kind. `ours` is how many
    have the asked tonic in the bass."""

    ends: int = 0
    authentic: int = 0
    plagal: int = 0
    half: int = 0
    deceptive: int = 0
    ours: int = 0

    def __add__(self, other: Closes) -> Closes:
        return Closes(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def true(self) -> int:
        return self.authentic + self.plagal + self.half + self.deceptive

    def share(self, name: str) -> float | None:
        return getattr(self, name) / self.ends if self.ends else None


class ScoreHarmony:
    """What is heard in a piece around the ends of its phrases."""

    def __init__(self, score: Score) -> None:
        notes = score.notes[score.notes["part"] != DRUMS]
        self._onset = notes["onset"].astype(np.int64)
        self._end = self._onset + notes["duration"]
        self._pitch = notes["pitch"].astype(np.int64)
        self._longest = int(notes["duration"].max(initial=0))
        grid = bar_grid(score)
        self.bounds = bar_bounds(grid)
        self._metres = grid.metres
        self.strikes = np.unique(self._onset)
        home = key_id(*home_key(score))
        self.keys = local_keys(self._heard(self.bounds).chroma, home)

    @property
    def bars(self) -> int:
        return len(self.bounds) - 1

    def _heard(self, bounds: Ints) -> Sound:
        first = np.searchsorted(self._onset, bounds[0] - self._longest)
        some = slice(int(first), int(np.searchsorted(self._onset, bounds[-1])))
        return listen(self._onset[some], self._end[some], self._pitch[some], bounds)

    def basses(self) -> Ints:
        """The lowest pitch class of each half bar in which something sounds."""
        halves = [
            start + metre.half for start, metre in zip(self.bounds, self._metres, strict=False)
        ]
        bass = self._heard(np.unique(np.concatenate((self.bounds, halves)))).bass
        found: Ints = bass[bass >= 0]
        return found

    @property
    def rests(self) -> NDArray[np.float64]:
        """By bar, the longest time from one strike in it to the next, as a share of the bar."""
        gaps = np.diff(np.append(self.strikes, self.bounds[-1]))
        bar = np.searchsorted(self.bounds, self.strikes, side="right") - 1
        found = np.zeros(self.bars)
        np.maximum.at(found, bar, gaps)
        return np.minimum(found / np.diff(self.bounds), 1.0)

    def read(self, bar: int, tonic: int | None = None) -> Closes:
        """The close of a phrase that ends in this bar; none where a line is heard alone. `tonic`
        is the pitch class that is asked for."""
        arrival = self._resting_place(bar)
        if arrival is None or not self._is_together(arrival[0]):
            return Closes()
        here = self._heard(np.array(arrival))
        before = self._led(arrival[0], bar, _root(here))
        kind = None if before is None else _kind(before, here, int(self.keys[bar]))
        found = Closes(ends=1, ours=int(here.bass[0] == tonic))
        return found + (Closes(**{kind: 1}) if kind else Closes())

    def _is_together(self, tick: int) -> bool:
        """Whether two notes sound and more."""
        first, last = np.searchsorted(self._onset, (tick - self._longest, tick + 1))
        return bool(np.count_nonzero(self._end[first:last] > tick) > 1)

    def _resting_place(self, bar: int) -> tuple[int, int] | None:
        """From the strike that stands longest to the next one, or for half a bar: an accompaniment
        spreads its chord."""
        line, last = self.bounds[bar : bar + 2].tolist()
        first, stop = np.searchsorted(self.strikes, (line, last)).tolist()
        if first == stop:
            return None
        following = np.append(self.strikes, self.bounds[-1])[first + 1 : stop + 1]
        place = int((following - self.strikes[first:stop]).argmax())
        start = int(self.strikes[first + place])
        half = min(start + self._metres[bar].half, last)
        return start, max(min(int(following[place]), last), half)

    def _led(self, arrival: int, bar: int, root: int) -> Sound | None:
        """The last chord with another root; None if there was none."""
        beat = _beat(self._metres[bar])
        for back in range(1, BACK + 1):
            start = arrival - back * beat
            if start < 0:
                return None
            sound = self._heard(np.array((start, start + beat)))
            if _colours(sound) > 1 and _root(sound) != root:
                return sound
        return None


def _beat(metre: Metre) -> int:
    """A quarter, or three eighths where those are counted."""
    is_compound = metre.unit == 8 and metre.beats % 3 == 0
    return 3 * metre.ticks_per_beat if is_compound else TICKS_PER_QUARTER


def _colours(sound: Sound) -> int:
    return int(np.count_nonzero(sound.chroma[0]))


def _chord(sound: Sound) -> tuple[int, str]:
    return chord_parts(FIRST_CHORD + int(chord_merit(sound)[0].argmax()))


def _root(sound: Sound) -> int:
    return _chord(sound)[0]


def _kind(before: Sound, here: Sound, key: int) -> str | None:
    """Which close two chords are, in a key."""
    (led, led_quality), (root, quality) = _chord(before), _chord(here)
    if here.bass[0] != root:
        return None
    if _leads_home(before, led, led_quality, root, key):
        return "authentic"
    tonic, _ = key_parts(key)
    degree, led_degree = (root - tonic) % 12, (led - tonic) % 12
    if degree == TONIC and SUBDOMINANT in (led_degree, (before.bass[0] - tonic) % 12):
        return "plagal"
    if degree == DOMINANT and quality in ("maj", "7"):
        return "half"
    leads = bool(before.chroma[0][(tonic + LEADING) % 12] > 0)
    return "deceptive" if led_degree == DOMINANT and leads and degree in DECEPTIVE else None


def _leads_home(before: Sound, led: int, quality: str, root: int, key: int) -> bool:
    """Whether a dominant leads to its tonic: that of the key, or one that it makes a key of by
    tones that the present key has not."""
    tonic, minor = key_parts(key)
    leads = bool(before.chroma[0][(root + LEADING) % 12] > 0)
    fall = (root - led) % 12
    if fall == 1 and quality == "dim":
        return leads and root == tonic
    if fall != SUBDOMINANT or not (leads or before.bass[0] == led):
        return False
    relative = minor and (root - tonic) % 12 == 3
    strange = {led, (led + 4) % 12, (led + 10) % 12} - _scale(tonic, minor)
    turns = quality in ("maj", "7") and any(before.chroma[0][tone] > 0 for tone in strange)
    return root == tonic or relative or turns


def _scale(tonic: int, minor: bool) -> set[int]:
    weights = SCALES["minor" if minor else "major"]
    return {(tonic + step) % 12 for step, weight in enumerate(weights) if weight == 1.0}
