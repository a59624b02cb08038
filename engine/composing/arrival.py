"""Where a phrase closes: its last chord stands on its root, and may be held.

Log-weight on pitches, whatever part has them, at the onset where the close arrives and at those
that lead to it (see `engine.planning.closes` for the chords).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.composing.counterpoint_weights import Bias
from engine.composing.step_context import EchoNote
from engine.music.fields import FIRST_CHORD, MELODIC_PITCHES
from engine.music.harmony import CHORD_TONES, chord_parts
from engine.music.time import TICKS_PER_QUARTER, Metre

FOREIGN = -8.0  # log-weight of what is no tone of the chord that arrives
INVERTED = -8.0  # of another bass than its root
LEADING_BASS = -3.0  # of another bass than the root of the chord that leads there
HELD_OFTEN = 0.6  # share of the closes at which the music comes to rest
_BASS = 8  # semitones above the lowest pitch of late that still count as bass
_FIRST = 1  # of the values of pitch
_CLASSES = np.arange(MELODIC_PITCHES) % 12


def bass_below(notes: Sequence[EchoNote]) -> int:
    """The pitch below which notes are the bass of what goes on as these did; of a single line all
    are."""
    pitches = [note.pitch - _FIRST for note in notes if note.pitch - _FIRST < MELODIC_PITCHES]
    if len({note.tick for note in notes}) == len(notes) or not pitches:
        return MELODIC_PITCHES
    return min(pitches) + _BASS


def hold_of(metre: Metre) -> int:
    """Ticks for which a close is held: all of its bar but a last beat, from which the next phrase
    may set out."""
    beat = metre.ticks - metre.half if metre.beats < 4 else metre.ticks_per_beat
    held = metre.ticks - beat
    return held if held >= 2 * TICKS_PER_QUARTER else metre.ticks


def late_arrival(metre: Metre) -> range:
    """Where a tune comes home in the bar that closes it: from its middle on, but for a last eighth
    with which the next strain may set out."""
    return range(metre.half, max(metre.half + 1, metre.ticks - TICKS_PER_QUARTER // 2))


class Arrival:
    """The close of one bar, `left` bars ahead of which it stands: 0 or 1. It arrives with the bar,
    or at every onset of `late`."""

    def __init__(self, left: int, half: int, bass: int, late: range | None = None) -> None:
        self.left, self.half, self.bass, self.late = left, half, bass, late

    def meet(self, bias: Bias, tick: int, chord: int) -> None:
        """At an onset of the bar, under a chord."""
        if chord < FIRST_CHORD or not self._concerns(tick):
            return
        weights = np.zeros(MELODIC_PITCHES, np.float32)
        if self.left == 0:
            weights[~CHORD_TONES[chord][_CLASSES]] = FOREIGN
        inverted = _CLASSES[: self.bass] != chord_parts(chord)[0]
        weights[: self.bass][inverted] += LEADING_BASS if self.left else INVERTED
        bias[:, _FIRST : _FIRST + MELODIC_PITCHES] += weights

    def _concerns(self, tick: int) -> bool:
        if self.late is not None:
            return self.left == 0 and tick in self.late
        return tick == 0 if self.left == 0 else tick >= self.half
