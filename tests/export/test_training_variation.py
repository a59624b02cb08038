"""What is changed in an excerpt is changed in what the network is told of it, nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.music.fields import ATTRIBUTE
from engine.representations.notes import DURATION, VELOCITY
from export.data.dataset import Dataset
from export.training.batches import Batch, Sampler
from tests.export.trainings import tune_dataset, unvaried


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tune_dataset(tmp_path_factory.mktemp("music"))


@pytest.fixture(scope="module")
def flat_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tune_dataset(tmp_path_factory.mktemp("flat"), flat=True)


def first_excerpts(dataset: Path, out: Path, **changes: object) -> tuple[Batch, Batch, np.ndarray]:
    """The same batch as it is and varied, and where both hold the first excerpt of a row."""
    data = Dataset.open(dataset)
    plain, varied = (
        Sampler(data, "train", unvaried(dataset, out, **some), augment=True).batch(2, 4, 64)
        for some in ({}, changes)
    )
    return plain, varied, (plain.segments == 0) & (varied.segments == 0)


def told_of(batch: Batch, dataset: Path, name: str) -> np.ndarray:
    data = Dataset.open(dataset)
    return batch.inputs[..., len(data.codec.fields) + data.context_names.index(name)]


def test_another_touch_changes_lengths_and_what_is_told_of_them(
    dataset: Path, tmp_path: Path
) -> None:
    plain, varied, first = first_excerpts(dataset, tmp_path, touch=1.0)
    before, after = (batch.targets[..., DURATION][first] for batch in (plain, varied))
    touch_before, touch_after = (
        told_of(batch, dataset, "articulation")[first] for batch in (plain, varied)
    )
    shorter, longer = after < before, after > before
    assert shorter.any()
    assert (touch_after <= touch_before)[shorter].all()
    assert (touch_after >= touch_before)[longer].all()
    assert (touch_after != touch_before).any()
    others = [column for column in range(5) if column != DURATION]
    assert (plain.targets[..., others] == varied.targets[..., others])[first].all()
    assert not told_of(varied, dataset, "polyphony")[first].any()  # not known any more
    sounding_before, sounding_after = (
        told_of(batch, dataset, "voices")[first] for batch in (plain, varied)
    )
    assert (sounding_after[1:] != sounding_before[1:]).any()


def test_another_loudness_moves_notes_and_dynamics_the_same_way(
    dataset: Path, tmp_path: Path
) -> None:
    plain, varied, first = first_excerpts(dataset, tmp_path, loudness=1.0)
    moved = (varied.targets - plain.targets)[..., VELOCITY][first]
    told = (told_of(varied, dataset, "dynamics") - told_of(plain, dataset, "dynamics"))[first]
    assert moved.any()
    assert (np.sign(moved) * np.sign(told) >= 0).all()
    assert ((plain.targets - varied.targets)[first][:, [0, 1, 2, 4]] == 0).all()


def test_misled_velocities_are_told_and_not_learned(dataset: Path, tmp_path: Path) -> None:
    plain, varied, first = first_excerpts(dataset, tmp_path, misled_velocity=1.0)
    assert (plain.targets == varied.targets)[first].all()
    assert (plain.given == varied.given)[first].all()
    assert (plain.inputs != varied.inputs)[..., VELOCITY][first].any()


def test_flat_music_is_given_velocities_that_follow_its_dynamics(
    flat_dataset: Path, tmp_path: Path
) -> None:
    plain, varied, first = first_excerpts(flat_dataset, tmp_path, invented_velocity=1.0)
    assert not plain.targets[..., VELOCITY].any()
    velocity = varied.targets[..., VELOCITY][first]
    asked = told_of(varied, flat_dataset, "dynamics")[first]
    assert velocity.all()
    assert asked.all()
    levels = [ATTRIBUTE["dynamics"].centre(int(bucket)) for bucket in asked]
    assert np.abs(4 * velocity - levels).max() <= 20
