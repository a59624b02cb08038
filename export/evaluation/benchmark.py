"""Likelihoods in the units in which others have published theirs, for music made of frames.

The probability of a piece is divided by its frames, or by its frames times voices, not by its
notes: only so can models be compared that cut the same music into other events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from export.evaluation.baselines import Likelihood
from export.evaluation.forcing import GIVEN


@dataclass(frozen=True, slots=True)
class Benchmark:
    """`nats` a `unit` of each model that is told nothing of the piece ahead; so many `units`."""

    unit: str  # "frame" or "token" (one voice of one frame)
    units: int
    nats: dict[str, float]


def benchmark(rows: Sequence[Likelihood], frames: Mapping[str, Any], split: str) -> Benchmark:
    """`rows` must be of all pieces of the split; `frames` is what the dataset tells of them."""
    units = frames["frames"][split] * max(frames["voices"], 1)
    nats = {row.label: row.nats_per_note * row.notes / units for row in rows if row.label != GIVEN}
    return Benchmark("token" if frames["voices"] else "frame", units, nats)
