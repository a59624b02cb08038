"""The likelihood that a bundle gives to real music, note by note, as it would compose.

Every piece runs through the engine's own runtime in four rows at once: the plan given or open,
times two. One row of each pair is forced, by its bias, to draw every field of the true event;
the log-probabilities that come out are the network's own. Its twin is left free from one field
on, another at each step, to see whether the likeliest value is the true one. Both hear the true
events, so they stay in step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.codecs import field_offsets
from engine.fields import CONTEXT
from engine.measures import Floats, Ints
from engine.runtime import Network, Pool
from export.evaluation.baselines import Likelihood, likelihood
from export.evaluation.music import RealMusic

GIVEN, OPEN = "model, plan given", "model, plan open"
ROWS_A_PIECE = 4
PIECES_AT_ONCE = 16
# Beyond what any network outputs, and beyond what keeps it from drawing value 0.
_FORCE = np.float32(4e9)

Progress = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class _Steps:
    """All steps of some pieces end to end."""

    inputs: NDArray[np.int64]  # [N, event and context fields]
    targets: Ints  # [N, event fields]
    ticks: Ints
    mix: NDArray[np.float32]  # [bars, weighted inputs]
    bar: Ints
    starts: Ints  # first step of each piece, then N

    @classmethod
    def of(cls, music: RealMusic, network: Network) -> _Steps:
        spec = network.specification
        columns = music.columns(spec)
        inputs, mixes, bars = [], [], []
        first_bar = 0
        for piece in music.pieces:
            events = np.asarray(piece.events, np.int64)
            before = np.concatenate((np.zeros_like(events[:1]), events[:-1]))
            context = np.asarray(piece.context, np.int64)[:, columns]
            inputs.append(np.concatenate((before, context), axis=1))
            mixes.append(piece.mix(spec.styles))
            bars.append(np.asarray(piece.bars, np.int64) + first_bar)
            first_bar += len(mixes[-1])
        return cls(
            np.concatenate(inputs),
            np.concatenate([piece.events for piece in music.pieces]).astype(np.int64),
            np.concatenate([piece.onsets for piece in music.pieces]).astype(np.int64),
            np.concatenate(mixes),
            np.concatenate(bars),
            np.cumsum([0, *(len(piece.events) for piece in music.pieces)]),
        )


def forced_likelihoods(
    network: Network, music: RealMusic, progress: Progress = lambda steps: None
) -> tuple[Likelihood, Likelihood]:
    """Likelihood and accuracy with the plan given and with everything but the place left open.

    Accuracy is tried for every field on its share of the notes. `progress` is told the steps done.
    """
    steps = _Steps.of(music, network)
    lanes = min(PIECES_AT_ONCE, len(music.pieces))
    pool = network.pool(ROWS_A_PIECE * lanes)
    shape = (2, *steps.targets.shape)
    nats, right = np.zeros(shape), np.full(shape, np.nan)
    forcing = _Forcing(network, pool, lanes)
    # Long pieces first, so that all lanes end at about the same time.
    lengths = np.diff(steps.starts)
    waiting = np.argsort(lengths, kind="stable").tolist()
    place, end = np.zeros(lanes, np.int64), np.zeros(lanes, np.int64)
    step = 0
    while True:
        for lane in np.flatnonzero(place == end).tolist():
            if waiting:
                piece = waiting.pop()
                place[lane], end[lane] = steps.starts[piece], steps.starts[piece + 1]
                forcing.restart(lane)
        active = np.flatnonzero(place < end)
        if not len(active):
            break
        at = place[active]
        field = step % steps.targets.shape[1]
        cost, hit = forcing.run(active, steps, at, field)
        nats[:, at] = cost
        right[:, at, field] = hit
        place[active] += 1
        step += 1
        progress(len(active))
    names = tuple(name for name, _ in network.specification.event)
    given, left_open = (
        likelihood(label, names, steps.targets, nats[i], right[i])
        for i, label in enumerate((GIVEN, OPEN))
    )
    return given, left_open


class _Forcing:
    """Rows of a pool, `ROWS_A_PIECE` a lane: given and forced, given and free, open and so on."""

    def __init__(self, network: Network, pool: Pool, lanes: int) -> None:
        spec = network.specification
        self.pool = pool
        self.rows = np.sort([pool.acquire() for _ in range(ROWS_A_PIECE * lanes)])
        self.rows = self.rows.reshape(lanes, ROWS_A_PIECE)
        self.offsets = np.array(field_offsets(spec.open_codec().fields))
        fields = len(spec.event)
        self.plan_columns = [
            fields + i
            for i, (name, _) in enumerate(spec.context)
            if CONTEXT[name].group != "position"
        ]
        pool.noise[:] = 0.0
        pool.sharpness[:] = 1.0
        pool.cut[:] = -np.inf

    def restart(self, lane: int) -> None:
        for row in self.rows[lane].tolist():
            self.pool.reset(row)

    def run(
        self, lanes: Ints, steps: _Steps, at: Ints, field: int
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """One step: nats [2, lanes, fields], and [2, lanes] whether the twin drew the target."""
        pool, rows = self.pool, self.rows[lanes]
        targets = steps.targets[at]
        inputs = steps.inputs[at]
        left_open = inputs.copy()
        left_open[:, self.plan_columns] = 0
        mix = steps.mix[steps.bar[at]]
        for pair, (told, weights) in enumerate(((inputs, mix), (left_open, 0 * mix))):
            for row in rows[:, 2 * pair : 2 * pair + 2].T:
                pool.inputs[row, 0] = told
                pool.mix[row] = weights
        pool.ticks[rows.T] = steps.ticks[at]
        self._force(rows, targets, field)
        pool.run(rows.ravel().tolist())
        forced, free = rows[:, 0::2].T, rows[:, 1::2].T
        drawn = pool.event[forced]
        assert (drawn == targets).all(), "a forced row drew something else"
        hit: NDArray[np.bool_] = pool.event[free][:, :, field] == targets[:, field]
        return -pool.likelihood[forced].astype(np.float64), hit

    def _force(self, rows: Ints, targets: Ints, field: int) -> None:
        bias = self.pool.bias
        bias[rows.ravel()] = 0.0
        wanted: Sequence[int] = range(targets.shape[1])
        for i in wanted:
            place = self.offsets[i] + targets[:, i]
            bias[rows[:, 0::2], place[:, None]] = _FORCE
            if i < field:
                bias[rows[:, 1::2], place[:, None]] = _FORCE
