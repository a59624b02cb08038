"""Batches on their way to the network; drawn ahead by other processes if one core is too slow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as Numbered

from export.data.dataset import Dataset
from export.training.batches import Batch, Sampler
from export.training.config import TrainingConfig

_AHEAD = 4  # batches that each process has ready


class Fed(NamedTuple):
    """A `Batch` as tensors: what a network's `forward` takes, then what it should foretell."""

    inputs: Tensor
    mix: Tensor
    segments: Tensor
    ticks: Tensor
    given: Tensor
    targets: Tensor


def as_tensors(batch: Batch) -> Fed:
    return Fed(**{name: torch.from_numpy(getattr(batch, name)) for name in Fed._fields})


class _TrainingBatches(Numbered[Fed]):
    """Batches of the training split by their number, for processes that open the set themselves."""

    def __init__(self, config: TrainingConfig) -> None:
        self.config = config
        self._sampler: Sampler | None = None

    def __getitem__(self, step: int) -> Fed:
        if self._sampler is None:
            self._sampler = training_sampler(Dataset.open(Path(self.config.data)), self.config)
        return as_tensors(self._sampler.batch(step, self.config.rows, self.config.length))


def training_sampler(dataset: Dataset, config: TrainingConfig) -> Sampler:
    return Sampler(dataset, "train", config, augment=True)


def feed(
    sampler: Sampler, steps: range, config: TrainingConfig, device: torch.device
) -> Iterator[Fed]:
    """The batches of these steps in order, the same ones however many processes draw them."""
    if not config.workers:
        for step in steps:
            yield as_tensors(sampler.batch(step, config.rows, config.length))
        return
    yield from DataLoader(
        _TrainingBatches(config),
        batch_size=None,
        sampler=steps,
        num_workers=config.workers,
        prefetch_factor=_AHEAD,
        pin_memory=device.type == "cuda",
    )
