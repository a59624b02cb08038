"""What is done to sound before anybody hears it: an even loudness, and no peak too high.

The gain follows the loudness of the last half minute so slowly that music keeps its dynamics;
only what is far too loud is brought down at once.
"""

from __future__ import annotations

import numpy as np

from server.audio.format import RATE, Samples, amplitude_of
from server.audio.limiter import Limiter
from server.audio.meter import SILENCE, LoudnessMeter

CEILING = -1.5  # decibels of full scale: encoders that lose something go a little beyond
MEMORY = 300  # tenths of a second that the gain goes by
START_GAIN = 6.0  # decibels, before anything is known
LEAST, MOST = -24.0, 24.0  # decibels that the gain may be
SLOW = 0.4  # decibels a second
# While little was heard, what is known grows fast: after so many tenths of a second, so fast.
_FIRST = ((4, 12.0), (30, 6.0), (100, 1.5))
TOO_LOUD = 4.0  # LU above the wanted loudness, of three seconds
HASTE = 4.0  # decibels a second by which that is brought down


class Master:
    """`loudness` in LUFS. Blocks of a multiple of 96 frames come in order."""

    def __init__(self, loudness: float) -> None:
        self.wanted = loudness
        self.gain = START_GAIN
        self.meter = LoudnessMeter(MEMORY)  # of what comes in
        self.told = LoudnessMeter(MEMORY)  # of what goes out
        self._limiter = Limiter(CEILING)

    def process(self, samples: Samples) -> Samples:
        """As many frames, `DELAY` frames later."""
        self.meter.feed(samples)
        before, self.gain = self.gain, self._next_gain(len(samples) / RATE)
        ramp = np.linspace(amplitude_of(before), amplitude_of(self.gain), len(samples) + 1)[1:]
        out = self._limiter.process(samples * ramp.astype(np.float32)[:, None])
        self.told.feed(out)
        return out

    def begin_anew(self) -> None:
        """Other music follows: what was heard so far says nothing about it."""
        self.meter.forget()

    def _next_gain(self, seconds: float) -> float:
        measured, now, heard = self.meter.integrated, self.meter.short_term, self.meter.heard
        if measured == -np.inf or now <= SILENCE:
            return self.gain
        wanted = min(max(self.wanted - measured, LEAST), MOST)
        rate = next((fast for tenths, fast in _FIRST if heard < tenths), SLOW)
        excess = now + self.gain - self.wanted - TOO_LOUD
        if excess > 0:
            wanted, rate = min(wanted, self.gain - excess), HASTE
        step = rate * seconds
        return self.gain + min(max(wanted - self.gain, -step), step)
