"""What sound is here: stereo samples, float32 in arrays of (frames, 2), 48,000 frames a second."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

RATE = 48_000
CHANNELS = 2
# The synthesizer obeys at the beginning of the next so many frames (1.3 ms).
GRAIN = 64
# Live sound is made so many frames at a time (0.24 s): whole frames of MP3 (1152) and Opus (960).
BLOCK = 11_520
BLOCK_SECONDS = BLOCK / RATE
SECOND = 1_000_000  # in microseconds

Samples: TypeAlias = NDArray[np.float32]


def frames_of(microseconds: float) -> int:
    """The nearest frame."""
    return round(microseconds * RATE / SECOND)


def microseconds_of(frames: int) -> int:
    return frames * SECOND // RATE


def amplitude_of(decibels: float) -> float:
    return float(10 ** (decibels / 20))
