"""The last bar of a piece: its first chord, over the tonic, held to the end.

The network is led there: no gap passes the bar line before the last bar, nothing begins after the
first chord of it, and only tones of the tonic may. What is still missing is done here; nothing
follows, so nothing has to know of it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.controls.key import Key
from engine.music.fields import MELODIC_PITCHES
from engine.music.score import DRUMS, TIED_FROM, Note
from engine.representations.limits import MASKED, Limits

SPREAD = 2  # ticks over which the notes of one chord may begin
_PITCHES = np.arange(MELODIC_PITCHES)
_MIDDLE, _MEDIUM = 54, 64  # pitch and velocity of a tonic that nobody else strikes


def led_to(limits: Limits, key: Key, start: int, length: int, to_last: int) -> Limits:
    """The limits of a bar that begins at tick `start`, `to_last` bars before the last one."""
    first = start + to_last * length
    led = replace(limits, close=(first, first + length))
    return led if to_last else replace(led, pitch_bias=_tonic_tones(limits.pitch_bias, key))


def _tonic_tones(pitch_bias: NDArray[np.float32], key: Key) -> NDArray[np.float32]:
    """The weights of pitches with the tonic triad alone open; as they are if none of it is."""
    steps = (_PITCHES - key.home_tonic) % 12
    outside = ~np.isin(steps, (0, 3 if key.minor else 4, 7))
    found: NDArray[np.float32] = np.where(outside, np.float32(MASKED), pitch_bias)
    return found if found.max() > MASKED else pitch_bias


def closed(
    notes: tuple[Note, ...],
    span: tuple[int, int],
    limits: Limits,
    key: Key,
    *,
    is_line: bool = False,
) -> list[Note]:
    """The notes of the last bar, which lasts from tick to tick: those of its first chord, which
    end together; the lowest alone if the music is one line."""
    start, end = span
    struck = [note for note in sorted(notes) if not note.tie & TIED_FROM]
    late = struck[0].onset - start if struck else 0
    chord = {
        (note.part, note.pitch): note._replace(
            onset=note.onset - late, duration=end - note.onset + late, tie=0
        )
        for note in reversed(struck)
        if note.onset - start <= late + SPREAD
    }
    held = list(chord.values())
    tonics = [
        pitch
        for pitch in range(key.home_tonic, MELODIC_PITCHES, 12)
        if limits.pitch_bias[pitch] > MASKED
    ]
    if not tonics or not any(limits.parts_on[:DRUMS]):
        return sorted(held)
    melodic = [note for note in held if note.part != DRUMS]
    percussion = [note for note in held if note.part == DRUMS]
    if not melodic:
        pitch = min(tonics, key=lambda tonic: abs(tonic - _MIDDLE))
        melodic = [Note(start, end - start, pitch, _MEDIUM, limits.parts_on.index(True))]
    over = sorted(_over_the_tonic(melodic, tonics), key=lambda note: note.pitch)
    return sorted(over[: 1 if is_line else None] + percussion)


def _over_the_tonic(notes: list[Note], tonics: list[int]) -> list[Note]:
    """The lowest note moved to the nearest tonic that lies below the others; what would lie below
    every tonic is left out."""
    lowest = min(note.pitch for note in notes)
    above = [note for note in notes if note.pitch > lowest]
    bass = next(note for note in notes if note.pitch == lowest)
    ceiling = min((note.pitch for note in above), default=MELODIC_PITCHES)
    fitting = [tonic for tonic in tonics if tonic <= ceiling] or tonics[:1]
    pitch = min(fitting, key=lambda tonic: abs(tonic - lowest))
    kept = {(note.part, note.pitch): note for note in above if note.pitch >= pitch}
    return list((kept | {(bass.part, pitch): bass._replace(pitch=pitch)}).values())
