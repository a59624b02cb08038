"""How parts are led: parallels, crossings, doublings, full chords, leading notes, closes, the bass.

A part's voice is its highest note that sounds, of the lowest part its lowest one. What is counted
is counted where something moves; shares of nothing are not numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from engine.music.measures import Ints
from engine.music.score import DRUMS, PARTS, Score
from engine.music.time import TICKS_PER_QUARTER
from export.evaluation.against.features import TRIADS

SILENT = -1
# Binary, dotted and triplet values, from thirty-seconds to two whole notes.
_BINARY = [TICKS_PER_QUARTER * 8 // 2**i for i in range(7)]
WRITTEN = sorted({*_BINARY, *(3 * t // 2 for t in _BINARY[:-1]), *(2 * t // 3 for t in _BINARY)})
HELD = 2 * TICKS_PER_QUARTER  # a chord that stands so long, and longer than usual, is a close


@dataclass(frozen=True, slots=True)
class PartWriting:
    """What was counted in a piece; `rates` makes figures of several."""

    changes: int = 0  # times that two parts or more move together
    parallel_octaves: int = 0  # unisons too
    parallel_fifths: int = 0
    crossings: int = 0
    notes: int = 0
    doubled: int = 0  # notes at the pitch of another part
    unwritten: int = 0  # notes of lengths that are no note value
    beats: int = 0
    full: int = 0  # beats on which a whole triad sounds
    leading: int = 0  # leading notes that move on
    resolved: int = 0  # to the tonic
    closes: int = 0
    authentic: int = 0  # V–I
    plagal: int = 0  # IV–I
    half: int = 0  # on V
    top_moves: int = 0
    top_steps: int = 0
    bass_moves: int = 0
    bass_steps: int = 0
    bass_fifths: int = 0  # falls a fifth or rises a fourth

    def __add__(self, other: PartWriting) -> PartWriting:
        sums = (getattr(self, f.name) + getattr(other, f.name) for f in fields(self))
        return PartWriting(*sums)


# Of 100 changes; the median of the pieces, as one in which instruments double others throughout
# would outweigh all of them.
PER_100 = {
    "parallel octaves": "parallel_octaves",
    "parallel fifths": "parallel_fifths",
    "crossings": "crossings",
}
# Shares of all that was counted.
SHARES = {
    "doubled notes": ("doubled", "notes"),
    "lengths off the note values": ("unwritten", "notes"),
    "full chords": ("full", "beats"),
    "leading notes resolved": ("resolved", "leading"),
    "closes V–I": ("authentic", "closes"),
    "closes IV–I": ("plagal", "closes"),
    "closes on V": ("half", "closes"),
    "top by step": ("top_steps", "top_moves"),
    "bass by step": ("bass_steps", "bass_moves"),
    "bass by fifth": ("bass_fifths", "bass_moves"),
}
Rates = dict[str, float | None]


def rates(pieces: Sequence[PartWriting]) -> Rates:
    """Figures by name; None where there is nothing of the kind."""
    whole = sum(pieces, PartWriting())
    found: Rates = {}
    for name, column in PER_100.items():
        known = [100 * getattr(one, column) / one.changes for one in pieces if one.changes]
        found[name] = float(np.median(known)) if known else None
    for name, (part, all) in SHARES.items():
        count = getattr(whole, all)
        found[name] = getattr(whole, part) / count if count else None
    return found


def part_writing(score: Score) -> PartWriting:
    """Of a piece that stands in C major or A minor."""
    notes = score.notes[score.notes["part"] != DRUMS]
    if len(notes) < 2:
        return PartWriting()
    ticks = np.unique(notes["onset"].astype(np.int64))
    sounding = _Sounding(notes)
    lines = np.array([sounding.voices(int(tick)) for tick in ticks])
    return _moves(lines) + _notes(notes) + _beats(sounding, score.end) + _closes(sounding, ticks)


class _Sounding:
    """What sounds at a tick."""

    def __init__(self, notes: NDArray[np.void]) -> None:
        self.onset = notes["onset"].astype(np.int64)
        self.end = self.onset + notes["duration"]
        self.pitch = notes["pitch"].astype(np.int64)
        self.part = notes["part"].astype(np.int64)
        self._longest = int((self.end - self.onset).max())
        self.lowest = _lowest_part(self.part, self.pitch)

    def at(self, tick: int) -> Ints:
        """The notes that sound, by their numbers."""
        first, last = np.searchsorted(self.onset, (tick - self._longest, tick + 1))
        found: Ints = first + np.flatnonzero(self.end[first:last] > tick)
        return found

    def voices(self, tick: int) -> Ints:
        lines = np.full(PARTS, SILENT)
        for note in self.at(tick).tolist():
            part, pitch = self.part[note], self.pitch[note]
            lower = part == self.lowest and lines[part] != SILENT
            lines[part] = min(lines[part], pitch) if lower else max(lines[part], pitch)
        return lines

    def pitches(self, tick: int) -> Ints:
        found: Ints = np.sort(self.pitch[self.at(tick)])
        return found


def _lowest_part(part: Ints, pitch: Ints) -> int:
    parts = np.unique(part)
    return int(parts[np.argmin([pitch[part == one].mean() for one in parts])])


def _moves(lines: Ints) -> PartWriting:
    """Of the voices of all parts [ticks, parts]."""
    before, after = lines[:-1], lines[1:]
    both = (before != SILENT) & (after != SILENT)
    step = np.where(both, after - before, 0)
    moved = step != 0
    octaves = fifths = crossings = 0
    used = np.flatnonzero((lines != SILENT).any(axis=0))
    height = {one: lines[:, one][lines[:, one] != SILENT].mean() for one in used}
    used = np.array(sorted(used, key=lambda one: -height[one]), np.int64)
    for i, upper in enumerate(used):
        for lower in used[i + 1 :]:
            together = moved[:, upper] & moved[:, lower]
            same = together & (np.sign(step[:, upper]) == np.sign(step[:, lower]))
            was = (before[:, upper] - before[:, lower]) % 12
            now = (after[:, upper] - after[:, lower]) % 12
            octaves += int((same & (was == 0) & (now == 0)).sum())
            fifths += int((same & (was == 7) & (now == 7)).sum())
            crossings += int((together & (after[:, upper] < after[:, lower])).sum())
    leading = resolved = 0
    for one in used:
        leads = moved[:, one] & np.isin(before[:, one] % 12, (11, 8))
        leading += int(leads.sum())
        resolved += int((leads & (step[:, one] == 1)).sum())
    top, bass = _line(lines.max(axis=1)), _line(np.where(lines == SILENT, 128, lines).min(axis=1))
    return PartWriting(
        changes=int((moved.sum(axis=1) > 1).sum()),
        parallel_octaves=octaves,
        parallel_fifths=fifths,
        crossings=crossings,
        leading=leading,
        resolved=resolved,
        top_moves=len(top),
        top_steps=int((np.abs(top) < 3).sum()),
        bass_moves=len(bass),
        bass_steps=int((np.abs(bass) < 3).sum()),
        bass_fifths=int((bass % 12 == 5).sum()),
    )


def _line(pitches: Ints) -> Ints:
    """The moves of a line, those that are none left out."""
    steps = np.diff(pitches[(pitches != SILENT) & (pitches < 128)])
    found: Ints = steps[steps != 0]
    return found


def _notes(notes: NDArray[np.void]) -> PartWriting:
    keys = np.stack((notes["onset"].astype(np.int64), notes["pitch"].astype(np.int64)), axis=1)
    _, counts = np.unique(keys, axis=0, return_counts=True)
    return PartWriting(
        notes=len(notes),
        doubled=int(counts[counts > 1].sum() - (counts > 1).sum()),
        unwritten=int((~np.isin(notes["duration"], WRITTEN)).sum()),
    )


def _beats(sounding: _Sounding, end: int) -> PartWriting:
    beats = full = 0
    for tick in range(0, end, TICKS_PER_QUARTER):
        pitches = sounding.pitches(tick)
        beats += int(len(pitches) > 0)
        full += int(any(triad <= set((pitches % 12).tolist()) for triad in TRIADS))
    return PartWriting(beats=beats, full=full)


def _closes(sounding: _Sounding, ticks: Ints) -> PartWriting:
    """Chords that stand much longer than what is usual in the piece, and what led to them."""
    gaps = np.diff(ticks)
    if not len(gaps):
        return PartWriting()
    long = np.flatnonzero(gaps >= max(HELD, 2 * np.median(gaps)))
    closes = authentic = plagal = half = 0
    for place in long[long > 0].tolist():
        now = sounding.pitches(int(ticks[place]))
        led = sounding.pitches(int(ticks[place - 1]))
        if len(now) < 2 or len(led) < 2:
            continue
        closes += 1
        fall = (now[0] - led[0]) % 12
        is_whole = _has_third(now)
        authentic += int(fall == 5 and is_whole and 4 in (led - led[0]) % 12)
        plagal += int(fall == 7 and is_whole)
        half += int(now[0] % 12 in (7, 4) and is_whole and fall not in (5, 7))
    return PartWriting(closes=closes, authentic=authentic, plagal=plagal, half=half)


def _has_third(pitches: Ints) -> bool:
    return bool(np.isin((pitches - pitches[0]) % 12, (3, 4)).any())
