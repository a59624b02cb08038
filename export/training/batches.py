"""Training batches, drawn statelessly: batch k of a run is a function of (seed, k).

That makes resuming exact without saving any generator, and lets the same excerpts be validated
again and again. Excerpts of pieces are packed into rows of fixed length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from common.errors import DatasetError
from engine.music.fields import CONTEXT, PITCH_CLASSES, PLAN_FIELDS
from engine.music.noise import uniforms
from engine.music.score import PARTS
from export.data.dataset import Dataset
from export.training.config import TrainingConfig
from export.training.variation import Excerpt, Variation

_PURPOSE = 0x4000  # and one for each row
_FROM_THE_BEGINNING = 0.1  # share of excerpts of long pieces that begin where the piece does
_PLAN_GROUPS = tuple(dict.fromkeys(field.group for field in PLAN_FIELDS))
_MIX_GROUPS = ("style", "parts", "pitch_classes")


@dataclass(frozen=True, slots=True)
class Batch:
    """Arrays of [rows, length, …]; see `export.networks.modules.Network.forward`.

    `targets` are to be predicted, 0 where they are not known; `given` are the values that the
    later fields of the same event are told.
    """

    inputs: NDArray[np.int64]
    mix: NDArray[np.float32]
    segments: NDArray[np.int64]
    ticks: NDArray[np.int64]
    targets: NDArray[np.int64]
    given: NDArray[np.int64]


class Sampler:
    """Draws excerpts of one split. `augment` off: no transposition, nothing dropped."""

    def __init__(
        self, dataset: Dataset, split: str, config: TrainingConfig, *, augment: bool
    ) -> None:
        self.dataset, self.config, self.augment = dataset, config, augment
        self.pieces = dataset.pieces_of(split)
        self.codec = dataset.codec
        if not len(self.pieces):
            raise DatasetError(
                f"{dataset.folder} has no pieces in its {split} split: prepare a set of more pieces"
            )
        self.weights = np.cumsum(_piece_weights(dataset.pieces[self.pieces], config.style_power))
        self.context_groups = _columns_by_group(dataset.context_names)
        self.styles = len(dataset.style_names)
        self.mix_spans = {
            "style": slice(0, self.styles),
            "parts": slice(self.styles, self.styles + PARTS),
            "pitch_classes": slice(self.styles + PARTS, None),
        }
        self.variation = Variation(
            dataset.codec, dataset.context_names, self.mix_spans["pitch_classes"], config
        )

    def batch(self, index: int, rows: int, length: int, *, open_plan: bool = False) -> Batch:
        """Batch number `index`; `open_plan` leaves all conditioning open."""
        shape = (rows, length)
        width = len(self.codec.fields) + len(self.dataset.context_names)
        batch = Batch(
            np.zeros((*shape, width), np.int64),
            np.zeros((*shape, self.styles + PARTS + PITCH_CLASSES), np.float32),
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int64),
            np.zeros((*shape, len(self.codec.fields)), np.int64),
            np.zeros((*shape, len(self.codec.fields)), np.int64),
        )
        for row in range(rows):
            self._fill(batch, row, self._draws(index, row), open_plan)
        return batch

    def _draws(self, index: int, row: int) -> Iterator[float]:
        for block in count():
            yield from uniforms(self.config.seed, index, _PURPOSE + row, block, 256).tolist()

    def _fill(self, batch: Batch, row: int, draws: Iterator[float], open_plan: bool) -> None:
        """Pack excerpts into a row until it is full."""
        length = batch.segments.shape[1]
        at = segment = 0
        while at < length:
            excerpt = self._excerpt(length - at, draws)
            if self.augment:
                self.variation.apply(excerpt, draws)
                self._drop(excerpt, draws)
            if open_plan:
                self._open(excerpt, (*_PLAN_GROUPS, *_MIX_GROUPS))
            taken = len(excerpt.events)
            place = (row, slice(at, at + taken))
            batch.inputs[place] = np.concatenate((excerpt.told, excerpt.context), axis=1)
            batch.targets[place] = excerpt.events
            batch.given[place] = excerpt.given
            batch.mix[place] = excerpt.mix
            batch.segments[place] = segment
            batch.ticks[place] = excerpt.ticks
            at, segment = at + taken, segment + 1

    def _excerpt(self, room: int, draws: Iterator[float]) -> Excerpt:
        """At most `room` events of a piece."""
        dataset = self.dataset
        chosen = int(np.searchsorted(self.weights, next(draws) * self.weights[-1]))
        piece = dataset.pieces[self.pieces[min(chosen, len(self.pieces) - 1)]]
        whole, skip = int(piece["count"]), 0
        if whole > room and next(draws) > _FROM_THE_BEGINNING:
            skip = int(next(draws) * (whole - room + 1))
        start = int(piece["start"]) + skip
        source = slice(start, start + min(whole - skip, room))
        events = dataset.events[source].astype(np.int64)
        before = dataset.events[start - 1] if skip else np.zeros_like(events[0])
        excerpt = Excerpt(
            events,
            events.copy(),
            np.concatenate((before[None].astype(np.int64), events[:-1])),
            dataset.context[source].astype(np.int64),
            self._mix(piece, dataset.bars[source]),
            dataset.onsets[source],
            dataset.bars[source],
        )
        excerpt.flat = not piece["velocity"]
        return excerpt

    def _mix(self, piece: np.void, bars: NDArray[np.int32]) -> NDArray[np.float32]:
        mix = np.zeros((len(bars), self.styles + PARTS + PITCH_CLASSES), np.float32)
        mix[:, int(piece["style"])] = 1.0
        mix[:, self.mix_spans["parts"]] = (int(piece["parts"]) >> np.arange(PARTS)) & 1
        mix[:, self.mix_spans["pitch_classes"]] = self.dataset.pitch_classes[bars] / 255.0
        return mix

    def _drop(self, excerpt: Excerpt, draws: Iterator[float]) -> None:
        groups = (*_PLAN_GROUPS, *_MIX_GROUPS)
        if next(draws) >= self.config.plan_dropout:
            share = self.config.conditioning_dropout
            groups = tuple(group for group in groups if next(draws) < share)
        self._open(excerpt, [group for group in groups if group not in excerpt.told_for_sure])

    def _open(self, excerpt: Excerpt, groups: Sequence[str]) -> None:
        """Leave the named groups of conditioning open."""
        for group in groups:
            if group in self.mix_spans:
                excerpt.mix[:, self.mix_spans[group]] = 0.0
            else:
                excerpt.context[:, self.context_groups.get(group, [])] = 0


def _piece_weights(pieces: NDArray[np.void], power: float) -> NDArray[np.float64]:
    """Pieces by their notes, with large styles held back."""
    counts = pieces["count"].astype(np.float64)
    totals = np.bincount(pieces["style"], weights=counts)
    weights: NDArray[np.float64] = counts * totals[pieces["style"]] ** (power - 1)
    return weights


def _columns_by_group(names: tuple[str, ...]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        groups.setdefault(CONTEXT[name].group, []).append(i)
    return groups
