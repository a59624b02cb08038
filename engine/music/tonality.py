"""Keys and chords heard in notes.

Evidence is gathered by stretches of time (half bars for chords, bars for keys) as durations by
pitch class; a best path through it (staying is free, changing costs) decides.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.music.fields import CHORDS, FIRST_CHORD, KEYS, NO_CHORD, PITCH_CLASSES
from engine.music.harmony import CHORD_TONES, INTERVALS, chord_parts
from engine.music.measures import Floats, Ints

# How each scale step speaks for a key: unit vectors fitted (conditional logit, from the published
# profile of Albrecht and Shanahan) to the key signatures of about 1,300 pieces of many styles.
_MAJOR = (0.41, -0.15, 0.18, -0.38, 0.35, 0.06, -0.40, 0.36, -0.25, 0.11, -0.37, 0.08)
_MINOR = (0.42, -0.36, 0.12, 0.07, -0.38, 0.15, -0.10, 0.43, 0.18, -0.54, 0.04, -0.03)

# What speaks for a home key beside its correlation with the whole piece, fitted with it: its tonic
# as the lowest note at the very end, its tonic and third in the last bar and in the first.
TONIC_ENDS, THIRD_ENDS, THIRD_BEGINS = 0.15, 0.08, 0.11

KEY_WINDOW = 4  # bars to either side
KEY_CHANGE, HOME_BONUS = 0.9, 0.06

ROOT_WEIGHT, THIRD_WEIGHT, FIFTH_WEIGHT, SEVENTH_WEIGHT = 1.0, 1.0, 0.85, 0.75
FOREIGN_WEIGHT = -0.9
# A fourth tone covers more by itself: it has to earn its place. Major and minor sevenths are
# more often passing notes than chord tones.
SEVENTH_COST = {"7": 0.12, "min7": 0.16, "maj7": 0.2}
BASS_IS_ROOT, BASS_IS_TONE = 0.2, 0.06
DIATONIC_BONUS = 0.1
CHANGE_AT_BAR, CHANGE_IN_BAR = 0.15, 0.3


class Sound(NamedTuple):
    """What sounds in consecutive stretches of time."""

    chroma: Floats  # [stretches, 12]: ticks by pitch class
    bass: Ints  # lowest pitch class of each stretch, -1 in silence


def listen(onset: Ints, end: Ints, pitch: Ints, bounds: Ints) -> Sound:
    """The sound between consecutive ticks of `bounds` (rising, may repeat)."""
    stretches = len(bounds) - 1
    first = np.clip(np.searchsorted(bounds, onset, side="right") - 1, 0, stretches - 1)
    last = np.clip(np.searchsorted(bounds, end, side="left") - 1, first, stretches - 1)
    count = last - first + 1
    note = np.repeat(np.arange(len(onset)), count)
    stretch = first[note] + np.arange(len(note)) - np.repeat(np.cumsum(count) - count, count)
    ticks = np.minimum(end[note], bounds[stretch + 1]) - np.maximum(onset[note], bounds[stretch])
    heard = ticks > 0
    note, stretch, ticks = note[heard], stretch[heard], ticks[heard]
    cell = stretch * PITCH_CLASSES + pitch[note] % 12
    durations = np.bincount(cell, ticks, minlength=stretches * PITCH_CLASSES)
    chroma = durations.astype(np.float64).reshape(stretches, PITCH_CLASSES)
    lowest = np.full(stretches, 128)
    np.minimum.at(lowest, stretch, pitch[note])
    return Sound(chroma, np.where(lowest < 128, lowest % 12, -1))


def home_merit(sound: Sound, last: int) -> Floats:
    """How well each of the 24 keys fits a whole piece, major ones first; zeros in silence.

    `sound` is that of its bars, `last` the lowest pitch class at its very end.
    """
    heard = np.flatnonzero(sound.bass >= 0)
    if not len(heard):
        return np.zeros(KEYS - 1)
    first_bar, last_bar = sound.chroma[heard[0]], sound.chroma[heard[-1]]
    tonic = np.arange(KEYS - 1) % 12
    third = (tonic + np.where(np.arange(KEYS - 1) < 12, 4, 3)) % 12
    merit: Floats = key_merit(sound.chroma.sum(axis=0)[None])[0]
    merit += TONIC_ENDS * (tonic == last)
    merit += THIRD_ENDS * ((last_bar[tonic] > 0) & (last_bar[third] > 0))
    merit += THIRD_BEGINS * ((first_bar[tonic] > 0) & (first_bar[third] > 0))
    return merit


def key_merit(chroma: Floats) -> Floats:
    """Correlation of pitch-class durations with the 24 keys, [rows, 24]."""
    centred = chroma - chroma.mean(axis=1, keepdims=True)
    size = np.sqrt((centred * centred).sum(axis=1, keepdims=True))
    found: Floats = centred / np.maximum(size, 1e-9) @ _PROFILES.T
    return found


def local_keys(chroma: Floats, home: int) -> Ints:
    """Key id of each bar from the durations of bars; 0 where no note is near.

    `home` is the id of the home key, which is preferred a little.
    """
    around = window_sum(chroma, KEY_WINDOW, KEY_WINDOW)
    merit = key_merit(around)
    merit[:, home - 1] += HOME_BONUS
    path = best_path(merit, np.full(len(merit), KEY_CHANGE))
    return np.where(around.sum(axis=1) > 0, 1 + path, 0)


def window_sum(rows: Floats, before: int, after: int) -> Floats:
    """Sums over each row, the `before` ones before it and the `after` ones after it."""
    total = np.concatenate((np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0)))
    place = np.arange(len(rows))
    found: Floats = (
        total[np.minimum(place + after + 1, len(rows))] - total[np.maximum(place - before, 0)]
    )
    return found


def chord_path(sound: Sound, keys: Ints, bar_begins: NDArray[np.bool_]) -> Ints:
    """Chord id of each stretch; `NO_CHORD` in silence.

    `keys` holds the local key id of each stretch, `bar_begins` whether a bar begins with it:
    chords change more easily there.
    """
    merit = chord_merit(sound) + DIATONIC_BONUS * _DIATONIC[keys]
    silent = sound.bass < 0
    merit[silent] = 0.0
    path = best_path(merit, np.where(bar_begins, CHANGE_AT_BAR, CHANGE_IN_BAR))
    return np.where(silent, NO_CHORD, FIRST_CHORD + path)


def chord_of(pitches: Ints, durations: Ints) -> int:
    """The chord that notes sounding together make by themselves; `NO_CHORD` if there are none."""
    if not len(pitches):
        return NO_CHORD
    stop = np.asarray(durations, np.int64)
    bounds = np.array([0, int(stop.max())], np.int64)
    sound = listen(np.zeros(len(stop), np.int64), stop, np.asarray(pitches, np.int64), bounds)
    return FIRST_CHORD + int(chord_merit(sound)[0].argmax())


def chord_merit(sound: Sound) -> Floats:
    """How well each chord fits each stretch, [stretches, CHORDS - FIRST_CHORD]."""
    total = sound.chroma.sum(axis=1, keepdims=True)
    merit: Floats = sound.chroma / np.maximum(total, 1e-9) @ _TEMPLATES.T - _COST
    merit += np.where(sound.bass[:, None] >= 0, _BASS[sound.bass], 0.0)
    return merit


def best_path(merit: Floats, change: Floats) -> Ints:
    """The states of the path with the largest sum of merit less `change` for every change.

    `change[t]` is the cost of another state at row t than at t - 1.
    """
    rows, states = merit.shape
    came_from = np.empty((rows, states), np.int64)
    same = np.arange(states)
    total = merit[0].copy()
    for t in range(1, rows):
        best = int(total.argmax())
        switch = total[best] - change[t]
        came_from[t] = np.where(total >= switch, same, best)
        total = np.maximum(total, switch) + merit[t]
    path = np.empty(rows, np.int64)
    path[-1] = int(total.argmax())
    for t in range(rows - 1, 0, -1):
        path[t - 1] = came_from[t, path[t]]
    return path


def _profiles() -> Floats:
    rows = [np.roll(profile, tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)]
    centred = np.array(rows) - np.mean(rows, axis=1, keepdims=True)
    found: Floats = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    return found


def _templates() -> tuple[Floats, Floats, Floats]:
    """(weight of each pitch class, cost, bonus of each bass) by chord."""
    count = CHORDS - FIRST_CHORD
    weights = np.full((count, PITCH_CLASSES), FOREIGN_WEIGHT)
    cost = np.zeros(count)
    bass = np.zeros((PITCH_CLASSES, count))
    by_step = (ROOT_WEIGHT, THIRD_WEIGHT, FIFTH_WEIGHT, SEVENTH_WEIGHT)
    for i in range(count):
        root, quality = chord_parts(FIRST_CHORD + i)
        cost[i] = SEVENTH_COST.get(quality, 0.0)
        tones = [(root + step) % 12 for step in INTERVALS[quality]]
        for tone, weight in zip(tones, by_step, strict=False):
            weights[i, tone] = weight
        bass[tones, i] = BASS_IS_TONE
        bass[root, i] = BASS_IS_ROOT
    return weights, cost, bass


def _diatonic() -> Floats:
    """1 for chords of the key (minor with the leading tone in dominants), [KEYS, chords]."""
    found = np.zeros((KEYS, CHORDS - FIRST_CHORD))
    for key in range(1, KEYS):
        tonic, minor = (key - 1) % 12, key > 12
        scale = {(tonic + s) % 12 for s in ((0, 2, 3, 5, 7, 8, 10) if minor else _MAJOR_SCALE)}
        raised = {(tonic + s) % 12 for s in (2, 5, 7, 8, 11)} if minor else set()
        for i in range(len(found[key])):
            tones = set(np.flatnonzero(CHORD_TONES[FIRST_CHORD + i]))
            found[key, i] = tones <= scale or (bool(raised) and tones <= raised)
    return found


_MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)
_PROFILES = _profiles()
_TEMPLATES, _COST, _BASS = _templates()
_DIATONIC = _diatonic()
