"""The random numbers with which one stream draws its notes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.music.noise import gumbel_block

_STEPS = 16  # whose noise is drawn at once


class StepNoise:
    """Looked up by the number of a step. Holds nothing but what saves work."""

    def __init__(self, seed: int, stream: int, width: int) -> None:
        self._seed, self._stream, self._width = seed, stream, width
        self._noise = np.zeros((_STEPS, width), np.float32)
        self._block = -1

    def of(self, step: int) -> NDArray[np.float32]:
        block, place = divmod(step, _STEPS)
        if block != self._block:
            self._block = block
            self._noise = gumbel_block(self._seed, self._stream, block, _STEPS, self._width)
        noise: NDArray[np.float32] = self._noise[place]
        return noise
