"""The likelihood that a bundle gives to real music, note by note, as it would compose.

Every piece runs through the engine's own runtime in two rows at once: one is told the whole plan
that was read out of the piece, the other only where each event stands. Both hear the true events.
A field that is not known (0) is not scored; the fields after it then follow what the network takes
for likeliest, as they would while composing, unless `open_unknown` leaves it open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.music.fields import CONTEXT
from engine.music.measures import Floats, Ints
from engine.network.runtime import Network
from export.evaluation.baselines import Likelihood, likelihood
from export.evaluation.music import RealMusic
from export.networks.teacher import Teacher

GIVEN, OPEN = "model, plan given", "model, plan open"
LANES = 32

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
    plan: list[int]  # columns of the inputs that speak of the plan

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
        groups = [CONTEXT[name].group for name, _ in spec.context]
        return cls(
            np.concatenate(inputs),
            np.concatenate([piece.events for piece in music.pieces]).astype(np.int64),
            np.concatenate([piece.onsets for piece in music.pieces]).astype(np.int64),
            np.concatenate(mixes),
            np.concatenate(bars),
            np.cumsum([0, *(len(piece.events) for piece in music.pieces)]),
            [len(spec.event) + i for i, group in enumerate(groups) if group != "position"],
        )

    def told(self, at: Ints) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Inputs and mix of the steps `at`, first with the plan, then all without."""
        inputs, mix = self.inputs[at], self.mix[self.bar[at]]
        left_open = inputs.copy()
        left_open[:, self.plan] = 0
        return np.concatenate((inputs, left_open)), np.concatenate((mix, 0 * mix))


def forced_likelihoods(
    network: Network,
    music: RealMusic,
    progress: Progress = lambda steps: None,
    *,
    open_unknown: bool = False,
) -> tuple[Likelihood, Likelihood]:
    """With the plan given, and with everything but the place left open; `progress` is told the
    steps done."""
    steps = _Steps.of(music, network)
    lanes = min(LANES, len(music.pieces))
    teacher = Teacher(network, 2 * lanes, open_unknown=open_unknown)
    shape = (2, *steps.targets.shape)
    nats, right = np.zeros(shape), np.zeros(shape)
    # The longest last, so that they are taken first and all lanes end at about the same time.
    waiting = np.argsort(np.diff(steps.starts), kind="stable").tolist()
    place, end = np.zeros(lanes, np.int64), np.zeros(lanes, np.int64)
    while True:
        for lane in np.flatnonzero(place == end).tolist():
            if waiting:
                piece = waiting.pop()
                place[lane], end[lane] = steps.starts[piece], steps.starts[piece + 1]
                teacher.reset(lane)
                teacher.reset(lanes + lane)
        active = place < end
        if not active.any():
            break
        # A lane without a piece goes on with any step; nobody looks at it.
        at = np.where(active, place, 0)
        inputs, mix = steps.told(at)
        targets = np.tile(steps.targets[at], (2, 1))
        log_p = teacher.observe(inputs, mix, np.tile(steps.ticks[at], 2), targets)
        cost, hit = _judged(log_p, targets)
        nats[:, at[active]] = cost.reshape(2, lanes, -1)[:, active]
        right[:, at[active]] = hit.reshape(2, lanes, -1)[:, active]
        place[active] += 1
        progress(int(active.sum()))
    names = tuple(name for name, _ in network.specification.event)
    given, left_open = (
        likelihood(label, names, steps.targets, nats[i], right[i])
        for i, label in enumerate((GIVEN, OPEN))
    )
    return given, left_open


def _judged(log_p: list[NDArray[np.float32]], targets: Ints) -> tuple[Floats, Floats]:
    """Nats of the targets, and whether each was the likeliest value, [rows, fields]."""
    rows = np.arange(len(targets))
    cost = [-p[rows, values] for p, values in zip(log_p, targets.T, strict=True)]
    # Value 0 is never drawn.
    hit = [p[:, 1:].argmax(axis=1) + 1 == t for p, t in zip(log_p, targets.T, strict=True)]
    return np.stack(cost, axis=1).astype(np.float64), np.stack(hit, axis=1).astype(np.float64)
