"""Keeps sound below a ceiling, true peaks between the samples included, without a click.

The gain is known before it is needed (lookahead), so it falls in time and softly; it rises again
at a steady rate. Its laws: no peak passes the ceiling, and what stays below it is not touched.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from server.audio.format import CHANNELS, RATE, Samples, amplitude_of

STEP = 16  # frames; gains are kept for the lines between steps
WINDOW = 15  # steps in which the gain falls
# By how many frames what comes out is later than what went in: the fall, and a step that the
# peaks between samples need to be known.
DELAY = (WINDOW + 1) * STEP
RISE = 40.0  # decibels a second
_RISE = RISE * STEP / RATE
_TAPS = 12
_BEFORE, _AFTER = _TAPS // 2 - 1, _TAPS // 2  # frames around one that tell what follows it

Array = NDArray[np.float64]


def _between() -> NDArray[np.float32]:
    """Filters that give what the sound is at one, two and three quarters between two samples."""
    around = np.arange(_TAPS) - _TAPS // 2 + 1
    filters = []
    for quarter in (0.25, 0.5, 0.75):
        away = around - quarter
        taps = np.sinc(away) * np.cos(np.pi * away / (_TAPS + 1)) ** 2
        filters.append(taps / taps.sum())
    return np.array(filters, np.float32).T


_BETWEEN = _between()
# No peak between samples is higher than this times the highest sample.
_OVERSHOOT = float(np.abs(_BETWEEN).sum(axis=0).max())


def true_peaks(samples: Samples) -> Samples:
    """The highest level of each row of sound, (rows, channels, frames), from its sixth frame to its
    last but five, what is between them and after the last of these included."""
    inner = np.abs(samples[:, :, _BEFORE:-_AFTER]).max(axis=(1, 2))
    between = np.abs(sliding_window_view(samples, _TAPS, axis=2) @ _BETWEEN).max(axis=(1, 2, 3))
    peaks: Samples = np.maximum(inner, between)
    return peaks


class Limiter:
    """`ceiling` in decibels of full scale. Blocks of a multiple of `STEP` frames come in order."""

    def __init__(self, ceiling: float) -> None:
        self.ceiling = amplitude_of(ceiling)
        self.reduction = 0.0  # decibels, the most of the last block
        self._held = np.zeros((DELAY, CHANNELS), np.float32)  # what has not come out yet
        self._recent = np.zeros((2 * STEP, CHANNELS), np.float32)  # the end of what went in
        self._need = 0.0  # decibels, of the last step that is known
        self._lines = np.zeros(2 * WINDOW - 2)  # gains at the last lines, not made to fall yet
        self._gain = 0.0  # at the line where the last block came out

    def process(self, samples: Samples) -> Samples:
        """As many frames, `DELAY` frames later."""
        out, self._held = np.split(np.concatenate([self._held, samples]), [len(samples)])
        needs = self._needs(samples)
        if not (needs.any() or self._lines.any() or self._gain or self._need):
            self.reduction = 0.0
            return out
        return out * self._curve(needs)[:, None]

    def _needs(self, samples: Samples) -> Array:
        """Decibels, 0 or less, that each step must be lowered by: of the last step of the block
        before and all but the last of this one."""
        sound = np.concatenate([self._recent, samples])
        self._recent = sound[-2 * STEP :]
        highest = np.abs(sound).reshape(-1, STEP * CHANNELS).max(axis=1)
        around = sliding_window_view(highest, 3).max(axis=1)
        (near,) = np.nonzero(around * _OVERSHOOT > self.ceiling)
        needs = np.zeros(len(around))
        if len(near):
            rows = sliding_window_view(sound, STEP + _BEFORE + _AFTER, axis=0)
            peaks = true_peaks(rows[STEP - _BEFORE + STEP * near])
            needs[near] = np.minimum(0.0, 20 * np.log10(self.ceiling / np.maximum(peaks, 1e-9)))
        return needs

    def _curve(self, needs: Array) -> NDArray[np.float32]:
        """The gain of each frame that comes out."""
        before = np.concatenate([[self._need], needs])
        at_lines = np.minimum(before[:-1], before[1:])
        self._need = float(needs[-1])
        rising = np.concatenate([self._lines, self._released(at_lines)])
        self._lines = rising[-(2 * WINDOW - 2) :]
        lowest = sliding_window_view(rising, WINDOW).min(axis=1)
        gains = np.concatenate([[self._gain], sliding_window_view(lowest, WINDOW).mean(axis=1)])
        self._gain = float(gains[-1]) if gains[-1] < -1e-9 else 0.0
        self.reduction = -float(gains.min())
        factors = 10 ** (gains / 20)
        ramp = np.arange(STEP) / STEP
        curve = factors[:-1, None] + np.diff(factors)[:, None] * ramp
        return curve.reshape(-1).astype(np.float32)

    def _released(self, at_lines: Array) -> Array:
        """The gains, that rise no faster than they may."""
        steps = _RISE * np.arange(1, len(at_lines) + 1)
        last = float(self._lines[-1])
        lowest = np.minimum.accumulate(np.minimum(at_lines - steps, last))
        return np.asarray(np.minimum(lowest + steps, 0.0))
