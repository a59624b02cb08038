"""Leads parts as voices: what two of them should not do together becomes unlikely.

At one onset the notes come part by part, the highest part first. Each is drawn knowing what those
before it did: no two parts move in parallel fifths or octaves, none takes the pitch of another,
leading notes go on to their tonic, outer parts move by step rather than by leap, inner ones bring
what the chord still lacks. All of it is log-weight on pitches by part (`Pool.paired`), so that the
network's own choice decides among what is left.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.music.fields import MELODIC_PITCHES
from engine.music.score import DRUMS, PARTS, Note

# Log-weights at full strength.
PARALLEL = -8.0  # two parts move the same way, from a perfect interval into the same
HIDDEN = -1.0  # they come to one from another interval, or by contrary motion
UNISON = -2.5  # the pitch at which another part sounds
CROSSED = -2.5  # beyond the pitch of a part that has been above, or below
LEADING = 2.0  # from the leading note to the tonic that the chord brings
STEP, LEAP = 0.5, -0.3  # of outer parts: one or two semitones; more than a fourth
LACKING = 0.8  # a note of the chord that nobody has yet

SILENT = -1
_PERFECT = (0, 7)
_LEADING_TONES = (11, 8)  # of C and of A minor, where everything is composed
_FIRST = 1  # of the values of part and pitch: 0 is "open"
_END = _FIRST + MELODIC_PITCHES

Standing = tuple[tuple[int, ...], ...]  # of all parts at a bar line
Bias = NDArray[np.float32]  # [values of part, values of pitch]


class Lines:
    """Where the parts of a stream stand.

    `before` and `now` are their pitches ahead of the present onset and at it, SILENT where a part
    rested or was not struck; `ends` are the ticks at which their latest notes end.
    """

    __slots__ = ("before", "ends", "now", "tick")

    def __init__(self) -> None:
        self.tick = -1
        self.before = [SILENT] * PARTS
        self.now = [SILENT] * PARTS
        self.ends = [0] * PARTS

    def state(self) -> Standing:
        """As a value, for `resume`."""
        return (self.tick,), tuple(self.before), tuple(self.now), tuple(self.ends)

    @classmethod
    def resume(cls, state: Standing) -> Lines:
        lines = cls()
        (lines.tick,), lines.before, lines.now, lines.ends = map(list, state)
        return lines

    def reach(self, tick: int) -> None:
        """Go to an onset; what was struck before it is past."""
        if tick == self.tick:
            return
        self.tick = tick
        for part in range(DRUMS):
            if self.now[part] != SILENT:
                self.before[part], self.now[part] = self.now[part], SILENT
            if self.ends[part] < tick:
                self.before[part] = SILENT

    def strike(self, note: Note) -> None:
        """Take a note; of a chord in one part the highest is its line."""
        if note.part == DRUMS:
            return
        self.reach(note.onset)
        if self.now[note.part] == SILENT:
            self.now[note.part] = note.pitch
            self.ends[note.part] = note.onset + note.duration


class Counterpoint:
    """What parts owe each other, in one bar under way."""

    def __init__(self, lines: Lines, strength: float, parts_on: Sequence[bool]) -> None:
        self.lines = lines
        self.strength = strength
        self.parts = [part for part in range(DRUMS) if parts_on[part]]
        self._told = 0  # bits of the parts whose notes the present onset's bias knows
        self._brought = 0  # bits of the classes of the chord that they brought

    def meet(self, bias: Bias, classes: tuple[int, ...]) -> None:
        """At a new onset: where each part comes from, and what the others hold."""
        self._told = self._brought = 0
        before = self.lines.before
        for part in self.parts:
            row, pitch = bias[_FIRST + part], before[part]
            if pitch == SILENT:
                continue
            if part in (self.parts[0], self.parts[-1]):
                self._lead(row, pitch)
            if pitch % 12 in _LEADING_TONES and (pitch + 1) % 12 in classes:
                row[_FIRST + pitch + 1] += LEADING * self.strength
            for other in self.parts:
                if other != part:
                    self._keep_apart(bias[_FIRST + other], before[other], pitch)
        for part in self.parts[1:]:
            for pitch_class in classes:
                bias[_FIRST + part, _FIRST + pitch_class : _END : 12] += LACKING * self.strength

    def answer(self, bias: Bias, classes: tuple[int, ...]) -> None:
        """Tell the parts below what others have just done."""
        for part in self.parts:
            if self.lines.now[part] != SILENT and not self._told >> part & 1:
                self._told |= 1 << part
                self._answer(bias, part, classes)

    def _lead(self, row: Bias, pitch: int) -> None:
        strength = self.strength
        row[_FIRST : max(pitch - 5, 0) + _FIRST] += LEAP * strength
        row[_FIRST + pitch + 6 : _END] += LEAP * strength
        for step in (-2, -1, 1, 2):
            row[max(_FIRST + pitch + step, 0)] += STEP * strength

    def _keep_apart(self, row: Bias, own: int, held: int, sign: float = 1.0) -> None:
        """No unison with a pitch, and not beyond it."""
        row[_FIRST + held] += sign * UNISON * self.strength
        if own > held:
            row[_FIRST : _FIRST + held] += sign * CROSSED * self.strength
        elif SILENT < own < held:
            row[_FIRST + held + 1 : _END] += sign * CROSSED * self.strength

    def _answer(self, bias: Bias, part: int, classes: tuple[int, ...]) -> None:
        lines = self.lines
        was, now = lines.before[part], lines.now[part]
        for other in self.parts:
            if other <= part:
                continue
            row, own = bias[_FIRST + other], lines.before[other]
            if was != SILENT:
                self._keep_apart(row, own, was, -1.0)
            self._keep_apart(row, own, now)
            if own != SILENT and was not in (SILENT, now):
                self._move_with(row, own, was, now)
        self._fill(bias, part, now % 12, classes)

    def _move_with(self, row: Bias, own: int, was: int, now: int) -> None:
        """No parallels with a part that has moved from one pitch to another."""
        upward = now > was
        for interval in _PERFECT:
            came_from = (was - own) % 12 if was > own else (own - was) % 12
            perfect = (now - interval) if was > own else (now + interval)
            weight = HIDDEN if came_from != interval else PARALLEL
            same_way = slice(own + 1, MELODIC_PITCHES) if upward else slice(0, own)
            _each_octave(row, perfect % 12, same_way, weight * self.strength)

    def _fill(self, bias: Bias, part: int, struck: int, classes: tuple[int, ...]) -> None:
        """What one part has brought of the chord the parts below need not."""
        if struck not in classes or self._brought >> struck & 1:
            return
        self._brought |= 1 << struck
        for other in self.parts[1:]:
            if other > part:
                bias[_FIRST + other, _FIRST + struck : _END : 12] -= LACKING * self.strength


def _each_octave(row: Bias, pitch_class: int, pitches: slice, weight: float) -> None:
    """Add to a pitch class within a range of pitches."""
    first = pitches.start + (pitch_class - pitches.start) % 12
    row[_FIRST + first : _FIRST + pitches.stop : 12] += weight


NOWHERE = Lines().state()
