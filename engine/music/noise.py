"""The engine's only source of randomness: numbers that are looked up, not drawn.

Every random number is a function of (seed, stream, purpose, index) and of its place in the block
asked for. There is no hidden state, so chunking, rewinding and replaying cannot change a number.

The scheme is Philox 4x64 with ten rounds, a cipher run over a counter:

- key word 0 is the seed, key word 1 is `stream · 2¹⁶ + purpose`;
- counter word 2 is the index; words 0 and 1 count inside the block, so blocks never overlap.

Numbers come from the cipher's raw words, which numpy keeps the same between versions. `uniforms`
are the same bits on every machine; `gumbel_block` goes through float32 logarithms, whose last bit
may differ between processors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Purposes: one number space for each.
SAMPLING, PLANNING, FORM_SECTION, FORM_BAR, HUMANISING, ENSEMBLE = 1, 2, 3, 4, 5, 6
TEMPO_WAVE, TEMPO_RIPPLE, CHOOSING, RESTS = 7, 8, 9, 10
PLAYING, PLAYING_TOGETHER, PLAYING_PHRASE, PLAYING_PEDAL = 20, 21, 22, 23

_PURPOSE_BITS = 16
_BELOW_ONE = np.float32(1 - 2**-24)


def uniforms(seed: int, stream: int, purpose: int, index: int, count: int) -> NDArray[np.float64]:
    """`count` numbers in [0, 1), 53 bits each.

    Seeds and indices run from 0 to 2⁶³ - 1, streams to 2⁴⁷ - 1, purposes to 2¹⁶ - 1.
    """
    words = _words(seed, stream, purpose, index, count)
    found: NDArray[np.float64] = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return found


def gumbel_block(
    seed: int, stream: int, block_index: int, steps: int, width: int
) -> NDArray[np.float32]:
    """Standard Gumbel noise for sampling, [steps, width]; adding it to log-weights and taking the
    greatest draws from the distribution.

    A larger block begins with the numbers of a smaller one of the same width.
    """
    size = steps * width
    words = _words(seed, stream, SAMPLING, block_index, (size + 1) // 2)
    halves = words.astype("<u8", copy=False).view("<u4")[:size]
    # 32 bits, finest near 0: log1p keeps that fineness where it becomes the upper tail.
    points = (halves.astype(np.float32) + np.float32(0.5)) * np.float32(2.0**-32)
    waits = -np.log1p(-np.minimum(points, _BELOW_ONE))
    noise: NDArray[np.float32] = -np.log(waits)
    return noise.reshape(steps, width)


def _words(seed: int, stream: int, purpose: int, index: int, count: int) -> NDArray[np.uint64]:
    if not (0 <= seed < 1 << 63 and 0 <= index < 1 << 63):
        raise ValueError("seed and index must lie between 0 and 2^63 - 1")
    if not (0 <= stream < 1 << 47 and 0 <= purpose < 1 << _PURPOSE_BITS):
        raise ValueError("stream must lie below 2^47 and purpose below 2^16")
    key = np.array([seed, stream << _PURPOSE_BITS | purpose], np.uint64)
    counter = np.array([0, 0, index, 0], np.uint64)
    words: NDArray[np.uint64] = np.random.Philox(key=key, counter=counter).random_raw(count)
    return words
