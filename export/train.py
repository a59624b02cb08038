"""The trainer, to be read from top to bottom.

A run is a folder: `config.json`, `last.pt` (everything needed to go on exactly where it was),
`best.pt` (lowest validation loss so far), `log.csv` and `curves.png`. Batches are functions of
(seed, step), and torch's generator is seeded from (seed, step) too, so a run that was killed at
any point repeats from its last checkpoint what it would have done.
"""

from __future__ import annotations

import csv
import json
import math
import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from engine.errors import ConfigError
from engine.fields import CONTEXT, PITCH_CLASSES
from engine.score import PARTS
from export.batches import Batch, Sampler
from export.data.dataset import Dataset
from export.networks import Network, Shape, parameter_count
from export.training_config import TrainingConfig

CHECKPOINT_VERSION = 1


def train(config: TrainingConfig, *, restart: bool = False) -> Path:
    """Run or resume a training; returns the path of the best checkpoint."""
    out = Path(config.out)
    dataset = Dataset.open(Path(config.data))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if config.threads:
        torch.set_num_threads(config.threads)

    shape = network_shape(config, dataset)
    torch.manual_seed(config.seed)
    network = Network(shape).to(device)
    optimisers = make_optimisers(network, config)
    run = Run(out, config, shape, dataset, restart=restart)
    run.load(network, optimisers, device)

    training = Sampler(dataset, "train", config, augment=True)
    validation = validation_batches(dataset, config)
    autocast = autocast_for(run.precision, device)
    names = [field.name for field in dataset.codec.fields]

    print(
        f"{config.network}, {parameter_count(network):,} parameters, {run.precision} on {device}; "
        f"{len(training.pieces):,} pieces to learn from; step {run.step} of {config.steps}"
    )
    bar = tqdm(total=config.steps, initial=run.step, unit="step", disable=None, smoothing=0.05)
    since, notes_since = time.monotonic(), 0
    while run.step < config.steps:
        torch.manual_seed(config.seed * 1_000_003 + run.step)
        for optimiser, rate in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate * rate_factor(run.step, config)
        batch = training.batch(run.step, config.rows, config.length)
        network.train()
        with autocast():
            losses = field_losses(network, batch, device)
        loss = torch.stack([total / count.clamp(min=1) for total, count in losses]).sum()
        for optimiser, _ in optimisers:
            optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(network.parameters(), config.clip)
        for optimiser, _ in optimisers:
            optimiser.step()
        run.step += 1
        run.events += batch.segments.size
        notes_since += batch.segments.size
        bar.update()
        if run.step % 10 == 0:
            bar.set_postfix_str(
                f"{loss.item():.3f} nats, {notes_since / (time.monotonic() - since):.0f} notes/s"
            )

        if run.step % config.validate_every == 0 or run.step == config.steps:
            speed = notes_since / (time.monotonic() - since)
            given = [validate(network, b, device, autocast) for b in validation]
            run.record(names, loss.item(), speed, rate_factor(run.step, config), *given)
            bar.write(run.summary(names))
            run.save(network, optimisers, best=run.is_best)
            since, notes_since = time.monotonic(), 0
        elif run.step % config.checkpoint_every == 0:
            run.save(network, optimisers, best=False)
    bar.close()
    return out / "best.pt"


def network_shape(config: TrainingConfig, dataset: Dataset) -> Shape:
    return Shape(
        network=config.network,
        event_sizes=tuple(field.size for field in dataset.codec.fields),
        context_sizes=tuple(CONTEXT[name].size for name in dataset.context_names),
        mix_width=len(dataset.style_names) + PARTS + PITCH_CLASSES,
        width=config.width,
        layers=config.layers,
        heads=config.heads,
        inner=config.inner,
        window=config.window,
        ring=config.ring,
        step_rotations=config.step_rotations,
        tick_rotations=config.tick_rotations,
        dropout=config.dropout,
    )


def make_optimisers(
    network: Network, config: TrainingConfig
) -> list[tuple[torch.optim.Optimizer, float]]:
    """Muon for the matrices of the body, AdamW for embeddings, heads, norms and recurrent cells."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        body = name.startswith("blocks.") or ".mixers." in name
        (matrices if body and parameter.ndim == 2 else others).append(parameter)
    optimisers: list[tuple[torch.optim.Optimizer, float]] = [
        (
            torch.optim.AdamW(others, lr=config.rate, betas=(0.9, 0.98), weight_decay=0.0),
            config.rate,
        )
    ]
    if matrices:
        muon = torch.optim.Muon(
            matrices, lr=config.matrix_rate, weight_decay=config.weight_decay, momentum=0.95
        )
        optimisers.append((muon, config.matrix_rate))
    return optimisers


def rate_factor(step: int, config: TrainingConfig) -> float:
    """Rise, plateau, fall to nothing."""
    rise = min(1.0, (step + 1) / max(1.0, config.warmup * config.steps))
    fall = (config.steps - step) / max(1.0, config.cooldown * config.steps)
    return min(rise, 1.0, max(fall, 0.0))


def tensors(batch: Batch, device: torch.device) -> tuple[Tensor, ...]:
    arrays = (batch.inputs, batch.mix, batch.segments, batch.ticks, batch.targets)
    return tuple(torch.from_numpy(array).to(device, non_blocking=True) for array in arrays)


def field_losses(
    network: Network, batch: Batch, device: torch.device
) -> list[tuple[Tensor, Tensor]]:
    """Per field: the summed negative log-likelihood in nats and the number of known targets."""
    *given, targets = tensors(batch, device)
    losses = []
    for i, logits in enumerate(network(*given, targets)):
        truth = targets[..., i].reshape(-1)
        flat = logits.float().reshape(-1, logits.shape[-1])
        # Value 0 is "open": it is never drawn, so it takes no share of the probability.
        flat = torch.cat((torch.full_like(flat[:, :1], -1e9), flat[:, 1:]), dim=1)
        total = F.cross_entropy(flat, truth, ignore_index=0, reduction="sum")
        losses.append((total, (truth != 0).sum()))
    return losses


def validation_batches(dataset: Dataset, config: TrainingConfig) -> tuple[list[Batch], list[Batch]]:
    """The same excerpts twice: with their plan and with everything left open."""
    sampler = Sampler(dataset, "valid", config, augment=False)
    chunks = math.ceil(config.validation_rows / config.rows)
    return tuple(
        [sampler.batch(i, config.rows, config.length, open_plan=is_open) for i in range(chunks)]
        for is_open in (False, True)
    )  # type: ignore[return-value]


@torch.no_grad()
def validate(
    network: Network, batches: list[Batch], device: torch.device, autocast: Callable[[], Any]
) -> list[float]:
    """Nats by field over the batches."""
    network.eval()
    totals = np.zeros((len(network.shape.event_sizes), 2))
    for batch in batches:
        with autocast():
            losses = field_losses(network, batch, device)
        totals += np.array([[total.item(), count.item()] for total, count in losses])
    return [float(x) for x in totals[:, 0] / np.maximum(totals[:, 1], 1)]


def autocast_for(precision: str, device: torch.device) -> Callable[[], Any]:
    if precision == "bf16":
        return lambda: torch.autocast(device.type, torch.bfloat16)
    return nullcontext


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
        self.precision = config.precision
        self.rows: list[dict[str, float]] = []
        self.restart = restart
        out.mkdir(parents=True, exist_ok=True)

    @property
    def last(self) -> Path:
        return self.out / "last.pt"

    def load(
        self,
        network: Network,
        optimisers: list[tuple[torch.optim.Optimizer, float]],
        device: torch.device,
    ) -> None:
        """Take up the last checkpoint, if there is one and it is of this run."""
        if self.last.exists() and not self.restart:
            saved = torch.load(self.last, map_location=device, weights_only=True)
            if saved["shape"] != _plain(asdict(self.shape)):
                raise ConfigError(
                    f"{self.last} holds a network of another shape than the configuration asks "
                    "for: choose another 'out' or start anew with --restart"
                )
            network.load_state_dict(saved["network"])
            for (optimiser, _), state in zip(optimisers, saved["optimisers"], strict=True):
                optimiser.load_state_dict(state)
            self.step, self.events = saved["step"], saved["events"]
            self.best, self.precision = saved["best"], saved["precision"]
            self.rows = saved["rows"]
        if self.precision == "auto":
            self.precision = fastest_precision(device)
        write_text(self.out / "config.json", json.dumps(self.config.as_dict(), indent=1))
        self._write_log()

    def save(
        self,
        network: Network,
        optimisers: list[tuple[torch.optim.Optimizer, float]],
        *,
        best: bool,
    ) -> None:
        checkpoint = {
            "version": CHECKPOINT_VERSION,
            "shape": _plain(asdict(self.shape)),
            "config": self.config.as_dict(),
            "data": {
                "codec": self.dataset.codec.name,
                "context": list(self.dataset.context_names),
                "styles": list(self.dataset.style_names),
                "card": self.dataset.card,
            },
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
        row = {"step": self.step, "notes": self.events, "train": loss, "valid": sum(given)}
        row |= {f"valid_{name}": value for name, value in zip(names, given, strict=True)}
        row["open"] = sum(left_open)
        row |= {f"open_{name}": value for name, value in zip(names, left_open, strict=True)}
        self.rows.append(row | {"rate": factor, "notes_per_second": speed})
        self.is_best = row["valid"] < self.best
        self.best = min(self.best, row["valid"])
        self._write_log()
        from export.curves import draw_curves

        draw_curves(self.rows, names, self.out / "curves.png")

    def summary(self, names: list[str]) -> str:
        row = self.rows[-1]
        by_field = " ".join(f"{name} {row['valid_' + name]:.3f}" for name in names)
        return (
            f"step {self.step}: train {row['train']:.3f}, valid {row['valid']:.3f} ({by_field}), "
            f"plan open {row['open']:.3f}, {row['notes_per_second']:.0f} notes/s"
            + (" *" if self.is_best else "")
        )

    def _write_log(self) -> None:
        if not self.rows:
            return
        temporary = self.out / "log.csv.part"
        with temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, self.rows[0].keys())
            writer.writeheader()
            writer.writerows(self.rows)
        os.replace(temporary, self.out / "log.csv")


def write_text(path: Path, text: str) -> None:
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
        saved = torch.load(path, map_location="cpu", weights_only=True)
        if saved["version"] != CHECKPOINT_VERSION:
            raise ConfigError(f"{path}: written by another version of perpetuo; train it again")
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in saved["shape"].items()
        }
        network = Network(Shape(**fields))
        network.load_state_dict(saved["network"])
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such checkpoint") from error
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f"{path}: is not a checkpoint of 'perpetuo train' ({type(error).__name__})"
        ) from error
    return network.eval(), saved
