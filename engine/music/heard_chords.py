"""The chords that are heard out of notes, half bar by half bar as the music goes.

`engine.music.analysis` reads them out of whole pieces, where what follows has its say; here nobody
knows what follows. A chord holds until another one sounds clearly enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from engine.music.fields import FIRST_CHORD
from engine.music.score import DRUMS, Note
from engine.music.time import Metre
from engine.music.tonality import CHANGE_AT_BAR, CHANGE_IN_BAR, chord_merit, listen

FEWEST = 2  # pitch classes that make a chord: a note alone goes with the one that holds


class Harmony(NamedTuple):
    """What is heard at a bar line: the chord that holds (0: none yet), and (pitch, tick) for each
    note that sounds on, up to that tick."""

    chord: int = 0
    held: tuple[tuple[int, int], ...] = ()


def heard_chords(
    before: Harmony, notes: Sequence[Note], start: int, metre: Metre
) -> tuple[tuple[int, int], Harmony]:
    """The chords of a bar's halves as they sound, and what is heard after it; `notes` as they
    sound, percussion among them."""
    end = start + metre.ticks
    spans = [(start, tick, pitch) for pitch, tick in before.held]
    spans += [(n.onset, n.onset + n.duration, n.pitch) for n in notes if n.part != DRUMS]
    held = tuple((pitch, tick) for _, tick, pitch in spans if tick > end)
    if not spans:
        return (before.chord, before.chord), Harmony(before.chord)
    onset, stop, pitch = np.array(spans, np.int64).T
    sound = listen(onset, stop, pitch, np.array([start, start + metre.half, end], np.int64))
    merits, tones = chord_merit(sound), (sound.chroma > 0).sum(axis=1)
    chord, found = before.chord, []
    for half, cost in enumerate((CHANGE_AT_BAR, CHANGE_IN_BAR)):
        if tones[half] >= FEWEST:
            best = int(merits[half].argmax())
            gain = merits[half, best] - merits[half, chord - FIRST_CHORD]
            chord = FIRST_CHORD + best if not chord or gain > cost else chord
        found.append(chord)
    return (found[0], found[1]), Harmony(chord, held)
