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

from engine.composing.counterpoint_weights import ABOVE, AGREEING, BELOW, Bias, weights_of
from engine.music.fields import MELODIC_PITCHES
from engine.music.harmony import CHORD_CLASSES
from engine.music.score import DRUMS, PARTS, Note

SILENT = -1
_LEADING_TONES = (11, 8)  # of C and of A minor, where everything is composed
_FIRST = 1  # of the values of part and pitch: 0 is "open"
_END = _FIRST + MELODIC_PITCHES

Standing = tuple[tuple[int, ...], ...]  # of all parts at a bar line


class Lines:
    """Where the parts of a stream stand.

    `before` and `now` are their pitches ahead of the present onset and at it, SILENT where a part
    rested or was not struck; `ends` are the ticks at which their latest notes end, `latest` part
    and pitch that were struck last at this onset.
    """

    __slots__ = ("before", "ends", "latest", "now", "tick")

    def __init__(self) -> None:
        self.tick = -1
        self.before = [SILENT] * PARTS
        self.now = [SILENT] * PARTS
        self.ends = [0] * PARTS
        self.latest: tuple[int, int] | None = None

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
        self.tick, self.latest = tick, None
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
        self.latest = note.part, note.pitch
        if self.now[note.part] == SILENT:
            self.now[note.part] = note.pitch
            self.ends[note.part] = note.onset + note.duration


class Counterpoint:
    """What parts owe each other, in one bar under way."""

    def __init__(
        self, lines: Lines, strength: float, parts_on: Sequence[bool], shared: bool = False
    ) -> None:
        """`shared`: the parts play on one keyboard."""
        self.lines = lines
        self.parts = [part for part in range(DRUMS) if parts_on[part]]
        self._weights = weights_of(strength, shared)
        self._rows: list[Bias] = []  # by part, over its pitches
        self._told = 0  # bits of the parts whose notes the present onset's bias knows
        self._brought = 0  # bits of the classes of the chord that they brought
        self._struck = 0  # bits of the classes that were struck
        self._rubbing = 0  # bits of the classes that would make no triad with these

    def on(self, bias: Bias) -> None:
        """Write to this bias from now on; it must stay where it is."""
        self._rows = list(bias[_FIRST:, _FIRST:_END])

    def meet(self, chord: int) -> None:
        """At a new onset, of whose bias nothing is written yet: where each part comes from, what
        the others hold and the chord wants."""
        self._told = self._brought = self._struck = self._rubbing = 0
        before = self.lines.before
        held = [part for part in self.parts if before[part] != SILENT]
        base = self._weights.nothing  # the highest part has the tune, and brings what it likes
        newcomer: Bias | None = None
        for part in self.parts:
            if before[part] != SILENT:
                self._lead(part, base, held, chord)
            elif newcomer is None:
                newcomer = self._rows[part]
                self._keep_off(newcomer, base, held)
            else:
                self._rows[part][:] = newcomer
            if base is self._weights.nothing:
                base, newcomer = self._weights.full[chord], None

    def _lead(self, part: int, base: Bias, held: list[int], chord: int) -> None:
        """On from the pitch of a part."""
        weights, before, row = self._weights, self.lines.before, self._rows[part]
        own = before[part]
        if part in (self.parts[0], self.parts[-1]):
            np.add(base, weights.lead[own], row)
        else:
            row[:] = base
        for other in held:
            if other != part:
                row += weights.apart[_side(part, other)][before[other]]
        if own % 12 in _LEADING_TONES and (own + 1) % 12 in CHORD_CLASSES[chord]:
            row[own + 1] += weights.leading

    def _keep_off(self, row: Bias, base: Bias, held: list[int]) -> None:
        """A part that rested, from the pitches of those that sound."""
        row[:] = base
        for other in held:
            row[self.lines.before[other]] += self._weights.unison

    def answer(self, chord: int) -> None:
        """Tell the parts below what others have just done."""
        now, told = self.lines.now, self._told
        for part in self.parts:
            if now[part] != SILENT and not told >> part & 1:
                self._told |= 1 << part
                self._answer(part, chord)

    def _answer(self, part: int, chord: int) -> None:
        lines, apart, unison = self.lines, self._weights.apart, self._weights.unison
        was, now = lines.before[part], lines.now[part]
        brought = self._brings(now % 12, chord)
        rubbing = self._rubs(now % 12)
        for other in self.parts:
            if other <= part:
                continue
            row, own = self._rows[other], lines.before[other]
            if was == now:
                pass
            elif own == SILENT:  # parts are numbered from the top
                row += apart[BELOW][now]
                if was != SILENT:
                    row[was] -= unison
            else:
                row += apart[BELOW][now]
                if was != SILENT:
                    row -= apart[BELOW][was]
                    self._move_with(row, own, was, now)
            if brought is not None:
                row -= brought
            if rubbing is not None:
                row += rubbing

    def _move_with(self, row: Bias, own: int, was: int, now: int) -> None:
        """No parallels with a part that has moved from one pitch to another."""
        came_from = abs(was - own) % 12
        arriving = self._weights.arriving[was > own][came_from]
        same_way = slice(own + 1, None) if now > was else slice(0, own)
        row[same_way] += arriving[now % 12][same_way]

    def _brings(self, struck: int, chord: int) -> Bias | None:
        """What one part has brought of the chord the parts below need not; None: nothing new."""
        if struck not in CHORD_CLASSES[chord] or self._brought >> struck & 1:
            return None
        self._brought |= 1 << struck
        return self._weights.lacking[struck]

    def _rubs(self, struck: int) -> Bias | None:
        """What makes no triad any more, now that this class is struck too; None: nothing new."""
        self._struck |= 1 << struck
        new = ~AGREEING[self._struck] & ~self._rubbing & 0xFFF
        if not new:
            return None
        self._rubbing |= new
        classes = [pitch_class for pitch_class in range(12) if new >> pitch_class & 1]
        found: Bias = np.sum([self._weights.rubbing[one] for one in classes], axis=0)
        return found


def _side(part: int, other: int) -> int:
    """Where a part belongs to another one: parts are numbered from the top."""
    return BELOW if other < part else ABOVE


NOWHERE = Lines().state()
