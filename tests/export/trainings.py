"""A dataset of small tunes and configurations to train on it in a moment."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from engine.files.midi import write
from export.data.build import DatasetOptions, build
from export.training.config import TrainingConfig
from tests.tunes import tune


def tune_dataset(folder: Path, *, flat: bool = False) -> Path:
    """Thirty prepared tunes in two styles; `flat`: all notes equally loud."""
    for i in range(30):
        style = folder / ("folk" if i % 2 else "hymn")
        style.mkdir(exist_ok=True)
        score = tune(i, 90)
        if flat:
            score.notes["velocity"] = 64
        (style / f"{i:02}.mid").write_bytes(write(score))
    build([folder], folder / "set", DatasetOptions())
    return folder / "set"


def config(dataset: Path, out: Path, **changes: object) -> TrainingConfig:
    base = TrainingConfig(
        data=str(dataset),
        out=str(out),
        width=32,
        layers=2,
        heads=2,
        inner=48,
        window=16,
        ring=48,
        step_rotations=4,
        tick_rotations=4,
        dropout=0.1,
        transpose=3,
        steps=12,
        rows=2,
        length=64,
        validate_every=4,
        validation_rows=4,
        checkpoint_every=2,
        precision="fp32",
        threads=1,
    )
    return replace(base, **changes)


def unvaried(dataset: Path, out: Path, **changes: object) -> TrainingConfig:
    """A configuration under which excerpts stay as they are, but for `changes`."""
    shares = ("octaves", "loudness", "touch", "invented_velocity", "misled_velocity")
    nothing = dict.fromkeys((*shares, "conditioning_dropout", "plan_dropout"), 0.0)
    return config(dataset, out, **{**nothing, "transpose": 0, **changes})
