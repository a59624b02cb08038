"""Runs a bundle over given music, event by event: each step is told what really came."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engine.network.runtime import Network
from engine.representations.codec import field_offsets

_CERTAIN = 1e9  # bias under which a value is drawn whatever the network thinks
_NEVER_OTHERWISE = 4e9  # the same for 0, which the graph itself holds back by 1e9


class Teacher:
    """So many rows of a bundle, stepped together through given events.

    `observe` takes one event a row: what the network is told (`inputs` [R, event + context
    fields], `mix` [R, M], `ticks` [R]) and what came (`targets` [R, event fields], 0 where it is
    not known). It returns the log-probabilities [R, size] that each field's values had.

    After a value that is not known, the network is told what it takes for likeliest, as while it
    composes; with `open_unknown` that the value is open, as while it learns.
    """

    def __init__(self, network: Network, rows: int, *, open_unknown: bool = False) -> None:
        self.open_unknown = open_unknown
        self.pool = network.pool(rows, reveal=True)
        self.rows = [self.pool.acquire() for _ in range(rows)]
        self.offsets = field_offsets(network.specification.open_codec().fields)[:-1]
        self._index = np.arange(rows)

    def reset(self, row: int) -> None:
        """Let a row begin another piece."""
        self.pool.reset(self.rows[row])

    def observe(
        self,
        inputs: NDArray[np.int64],
        mix: NDArray[np.float32],
        ticks: NDArray[np.int64],
        targets: NDArray[np.int64],
    ) -> list[NDArray[np.float32]]:
        pool, rows = self.pool, self.rows
        pool.inputs[rows, 0] = inputs
        pool.mix[rows] = mix
        pool.ticks[rows] = ticks
        bias = np.zeros((len(rows), pool.bias.shape[1]), np.float32)
        for offset, values in zip(self.offsets, targets.T, strict=True):
            known = values > 0
            bias[self._index[known], offset + values[known]] = _CERTAIN
            if self.open_unknown:
                bias[self._index[~known], offset] = _NEVER_OTHERWISE
        pool.bias[rows] = bias
        pool.run(rows)
        return [log_p[rows] for log_p in pool.log_p]


def follow(
    network: Network,
    inputs: NDArray[np.int64],
    mix: NDArray[np.float32],
    ticks: NDArray[np.int64],
    targets: NDArray[np.int64],
) -> Iterator[list[NDArray[np.float32]]]:
    """Whole sequences [R, T, …] side by side, step by step from their beginnings."""
    teacher = Teacher(network, len(inputs))
    for t in range(inputs.shape[1]):
        yield teacher.observe(inputs[:, t], mix[:, t], ticks[:, t], targets[:, t])
