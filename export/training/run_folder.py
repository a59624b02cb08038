"""A run's folder: checkpoints that resume exactly, the log, the curves."""

from __future__ import annotations

import csv
import json
import math
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from common.errors import ConfigError, PerpetuoError
from common.files import CHECKPOINT, open_file
from export.data.dataset import Dataset
from export.heritage.heritage import heritage_in
from export.networks.modules import Network, Shape
from export.training.config import TrainingConfig
from export.training.curves import draw_curves

CHECKPOINT_VERSION = 1

Optimisers = list[tuple[torch.optim.Optimizer, float]]  # each with its full learning rate


class Run:
    """A run's folder and everything of its state that is not inside the network."""

    def __init__(
        self,
        out: Path,
        config: TrainingConfig,
        shape: Shape,
        dataset: Dataset,
        *,
        restart: bool,
    ) -> None:
        self.out, self.config, self.shape, self.dataset = out, config, shape, dataset
        self.step = self.events = 0
        self.best = math.inf
        self.is_best = False
        self.precision: str = config.precision
        self.rows: list[dict[str, float]] = []
        self.restart = restart
        self.start: dict[str, Any] | None = None  # what goes on from the model it began with

    @property
    def last(self) -> Path:
        return self.out / "last.pt"

    def load(
        self,
        network: Network,
        optimisers: Optimisers,
        device: torch.device,
    ) -> None:
        """Take up the last checkpoint, if there is one and it is of this run."""
        if self.last.exists() and not self.restart:
            with open_file(self.last, CHECKPOINT) as file:
                saved = torch.load(file, map_location=device, weights_only=True)
            if saved["shape"] != _plain(asdict(self.shape)):
                raise ConfigError(
                    f"{self.last} holds a network of another shape than the configuration asks "
                    "for: choose another 'out' or start anew with --restart"
                )
            if saved["data"]["events"] != len(self.dataset.events):
                raise ConfigError(
                    f"{self.last} was trained on another dataset than {self.config.data}: choose "
                    "another 'out' or start anew with --restart"
                )
            network.load_state_dict(saved["network"])
            for (optimiser, _), state in zip(optimisers, saved["optimisers"], strict=True):
                optimiser.load_state_dict(state)
            self.step, self.events = saved["step"], saved["events"]
            self.best, self.precision = saved["best"], saved["precision"]
            self.rows = saved["rows"]
            self.start = heritage_in(saved)
        if self.precision == "auto":
            self.precision = fastest_precision(device)
        _write_text(self.out / "config.json", json.dumps(self.config.as_dict(), indent=1))
        self._write_log()

    def save(
        self,
        network: Network,
        optimisers: Optimisers,
        *,
        best: bool,
    ) -> None:
        checkpoint = {
            "version": CHECKPOINT_VERSION,
            "shape": _plain(asdict(self.shape)),
            "config": self.config.as_dict(),
            "data": {
                "codec": self.dataset.codec.name,
                "events": len(self.dataset.events),
                "context": list(self.dataset.context_names),
                "styles": list(self.dataset.style_names),
                "card": self.dataset.card,
            },
            "start": self.start,
            "step": self.step,
            "events": self.events,
            "best": self.best,
            "precision": self.precision,
            "rows": self.rows,
            "network": network.state_dict(),
        }
        if best:
            _save(checkpoint, self.out / "best.pt")
        checkpoint["optimisers"] = [optimiser.state_dict() for optimiser, _ in optimisers]
        _save(checkpoint, self.last)

    def record(
        self,
        names: list[str],
        loss: float,
        speed: float,
        factor: float,
        given: list[float],
        left_open: list[float],
    ) -> None:
        row = {"step": self.step, "events": self.events, "train": loss, "valid": sum(given)}
        row |= {f"valid_{name}": value for name, value in zip(names, given, strict=True)}
        row["open"] = sum(left_open)
        row |= {f"open_{name}": value for name, value in zip(names, left_open, strict=True)}
        self.rows.append(row | {"rate": factor, "events_per_second": speed})
        self.is_best = row["valid"] < self.best
        self.best = min(self.best, row["valid"])
        self._write_log()
        draw_curves(self.rows, names, self.out / "curves.png")

    def summary(self, names: list[str]) -> str:
        row = self.rows[-1]
        by_field = " ".join(f"{name} {row['valid_' + name]:.3f}" for name in names)
        return (
            f"step {self.step}: train {row['train']:.3f}, valid {row['valid']:.3f} ({by_field}), "
            f"plan open {row['open']:.3f}, {row['events_per_second']:.0f} events/s, "
            f"{self._minutes_left():.0f} min left" + (" *" if self.is_best else "")
        )

    def _minutes_left(self) -> float:
        events = (self.config.steps - self.step) * self.config.rows * self.config.length
        return events / max(self.rows[-1]["events_per_second"], 1e-9) / 60

    def _write_log(self) -> None:
        if not self.rows:
            return
        temporary = self.out / "log.csv.part"
        with temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, self.rows[0].keys())
            writer.writeheader()
            writer.writerows(self.rows)
        os.replace(temporary, self.out / "log.csv")


def fastest_precision(device: torch.device) -> str:
    """bf16 on a GPU; on a CPU whichever multiplies matrices faster here."""
    if device.type == "cuda":
        return "bf16"
    seconds = {}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        a = torch.randn(2048, 256, dtype=dtype)
        b = torch.randn(256, 1024, dtype=dtype)
        times = []
        for _ in range(8):
            start = time.perf_counter()
            a @ b
            times.append(time.perf_counter() - start)
        seconds[name] = min(times)
    # Autocast costs conversions of its own: bf16 must clearly win.
    return "bf16" if seconds["bf16"] < 0.75 * seconds["fp32"] else "fp32"


def _write_text(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(text)
    os.replace(temporary, path)


def _save(checkpoint: dict[str, Any], path: Path) -> None:
    """Write beside, then rename: a kill leaves the old checkpoint or the new one, never half."""
    temporary = path.with_name(path.name + ".part")
    torch.save(checkpoint, temporary)
    os.replace(temporary, path)


def _plain(shape: dict[str, Any]) -> dict[str, Any]:
    return {key: list(v) if isinstance(v, tuple) else v for key, v in shape.items()}


def load_checkpoint(path: Path) -> tuple[Network, dict[str, Any]]:
    """A trained network in evaluation mode and everything else its checkpoint holds."""
    try:
        with open_file(path, CHECKPOINT) as file:
            saved = torch.load(file, map_location="cpu", weights_only=True)
        if saved["version"] != CHECKPOINT_VERSION:
            raise ConfigError(f"{path}: written by another version of perpetuo; train it again")
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in saved["shape"].items()
        }
        network = Network(Shape(**fields))
        network.load_state_dict(saved["network"])
    except PerpetuoError:
        raise
    except Exception as error:
        raise ConfigError(
            f"{path}: is not a checkpoint of 'perpetuo train' ({type(error).__name__})"
        ) from error
    return network.eval(), saved
