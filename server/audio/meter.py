"""How loud music is to people, in LUFS: the meter of ITU-R BS.1770, for stereo at 48 kHz."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from server.audio.format import CHANNELS, RATE, Samples

HOP = RATE // 10  # frames from one gating block to the next
HOPS_OF_A_BLOCK = 4  # a gating block is 400 ms
SILENCE = -70.0  # LUFS: what is below is not counted
GATE = -10.0  # LU below the mean of what is counted
OFFSET = -0.691  # of the recommendation's formula
SHORT_TERM = 30  # hops

# The two filters of the K-weighting at 48 kHz, as the recommendation has them: a shelf for the
# head, a high pass. (numerator, denominator)
_SHELF = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285),
    (1.0, -1.69065929318241, 0.73248077421585),
)
_HIGH_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))
STEP = 96  # frames that are filtered by one product of matrices
_STATES = 4

Array = NDArray[np.float64]


def _filtered(samples: list[float], state: list[float]) -> tuple[list[float], list[float]]:
    """Samples of one channel through both filters, one after the other; the plain definition."""
    s1, s2, s3, s4 = state
    out = []
    for x in samples:
        (b0, b1, b2), (_, a1, a2) = _SHELF
        y = b0 * x + s1
        s1, s2 = b1 * x - a1 * y + s2, b2 * x - a2 * y
        (b0, b1, b2), (_, a1, a2) = _HIGH_PASS
        z = b0 * y + s3
        s3, s4 = b1 * y - a1 * z + s4, b2 * y - a2 * z
        out.append(z)
    return out, [s1, s2, s3, s4]


def _matrices() -> tuple[Array, Array, Array, Array]:
    """What a step of the filters does, which is linear: to its samples and to its state."""
    of_impulse, next_of_impulse = np.zeros((STEP, STEP)), np.zeros((_STATES, STEP))
    of_state, next_of_state = np.zeros((STEP, _STATES)), np.zeros((_STATES, _STATES))
    for i in range(STEP):
        unit = [float(i == j) for j in range(STEP)]
        of_impulse[:, i], next_of_impulse[:, i] = _filtered(unit, [0.0] * _STATES)
    for i in range(_STATES):
        unit = [float(i == j) for j in range(_STATES)]
        of_state[:, i], next_of_state[:, i] = _filtered([0.0] * STEP, unit)
    return of_impulse, of_state, next_of_impulse, next_of_state


class KWeighting:
    """The filters, for blocks of a multiple of `STEP` frames that come in order."""

    _OF_IMPULSE, _OF_STATE, _NEXT_OF_IMPULSE, _NEXT_OF_STATE = _matrices()

    def __init__(self) -> None:
        self._state = np.zeros((_STATES, CHANNELS))

    def __call__(self, samples: Samples) -> Array:
        steps = samples.astype(np.float64).reshape(-1, STEP, CHANNELS)
        driven = self._NEXT_OF_IMPULSE @ steps
        states = np.empty((len(steps), _STATES, CHANNELS))
        state = self._state
        for i, drive in enumerate(driven):
            states[i] = state
            state = self._NEXT_OF_STATE @ state + drive
        self._state = state
        weighted = self._OF_IMPULSE @ steps + self._OF_STATE @ states
        return weighted.reshape(-1, CHANNELS)


class LoudnessMeter:
    """Feed it sound; it tells how loud the last `hops` tenths of a second were (None: all)."""

    def __init__(self, hops: int | None = None) -> None:
        self._weighting = KWeighting()
        self._energies: deque[float] = deque(maxlen=hops)  # mean squares, hop by hop
        self._rest = np.zeros((0, CHANNELS))
        self.heard = 0  # tenths of a second that were measured and no silence

    def feed(self, samples: Samples) -> None:
        """Of a multiple of `STEP` frames."""
        weighted = np.concatenate([self._rest, self._weighting(samples)])
        whole = len(weighted) // HOP
        squares = weighted[: whole * HOP].reshape(whole, HOP * CHANNELS) ** 2
        energies = squares.sum(axis=1) / HOP
        self._energies.extend(energies.tolist())
        self.heard += int((_loudness(energies) > SILENCE).sum())
        self._rest = weighted[whole * HOP :]

    def forget(self) -> None:
        """Begin to measure anew."""
        self._energies.clear()
        self.heard = 0

    @property
    def integrated(self) -> float:
        """Gated twice, as the recommendation says; -inf for silence."""
        energies = np.array(self._energies)
        if len(energies) < HOPS_OF_A_BLOCK:
            return -np.inf
        blocks = np.lib.stride_tricks.sliding_window_view(energies, HOPS_OF_A_BLOCK).mean(axis=1)
        heard = blocks[_loudness(blocks) > SILENCE]
        if not len(heard):
            return -np.inf
        gate = _loudness(heard.mean(keepdims=True))[0] + GATE
        counted = heard[_loudness(heard) > gate]
        return float(_loudness(counted.mean(keepdims=True))[0])

    @property
    def short_term(self) -> float:
        """Of the last three seconds, without gates."""
        energies = np.array(self._energies)[-SHORT_TERM:]
        if not len(energies):
            return -np.inf
        return float(_loudness(energies.mean(keepdims=True))[0])


def _loudness(energies: Array) -> Array:
    with np.errstate(divide="ignore"):
        found: Array = OFFSET + 10 * np.log10(energies)
    return found
