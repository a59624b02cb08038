"""The trainer, to be read from top to bottom.

A run is a folder: `config.json`, `last.pt` (everything needed to go on exactly where it was),
`best.pt` (lowest validation loss so far), `log.csv` and `curves.png`. Batches are functions of
(seed, step), and torch's generator is seeded from (seed, step) too, so a run that was killed at
any point repeats from its last checkpoint what it would have done.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.folder_lock import FolderLock
from engine.music.fields import CONTEXT, PITCH_CLASSES
from engine.music.score import PARTS
from export.data.dataset import Dataset
from export.networks.modules import Network, Shape, parameter_count
from export.training.batches import Sampler
from export.training.beginning import begin_with
from export.training.config import TrainingConfig
from export.training.feeding import Fed, as_tensors, feed, training_sampler
from export.training.muon import Muon
from export.training.progress import Progress
from export.training.run_folder import Optimisers, Run


def train(config: TrainingConfig, *, restart: bool = False) -> Path:
    """Run or resume a training; returns the path of the best checkpoint."""
    print(f"opening {config.data} …", flush=True)
    out, dataset = Path(config.out), Dataset.open(Path(config.data))
    out.mkdir(parents=True, exist_ok=True)
    progress = Progress(config.steps, "notes" if dataset.codec.name == "notes" else "events")
    with FolderLock(out, "training", "choose another 'out'"), closing(progress):
        return _train(config, out, dataset, progress, restart=restart)


def _train(
    config: TrainingConfig, out: Path, dataset: Dataset, progress: Progress, *, restart: bool
) -> Path:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if config.threads:
        torch.set_num_threads(config.threads)

    progress.stage("building the network, looking for a checkpoint and for the faster precision")
    shape = network_shape(config, dataset)
    torch.manual_seed(config.seed)
    network = Network(shape).to(device)
    optimisers = make_optimisers(network, config)
    run = Run(out, config, shape, dataset, restart=restart)
    run.load(network, optimisers, device)
    if config.start and not run.step:
        told, run.start = begin_with(network, config.start, dataset)
        progress.say(told)

    progress.stage("drawing the excerpts to validate on")
    training = training_sampler(dataset, config)
    validation = validation_batches(dataset, config)
    autocast = autocast_for(run.precision, device)
    names = [field.name for field in dataset.codec.fields]

    progress.say(
        f"{config.network}, {parameter_count(network):,} parameters, {run.precision} on {device}; "
        f"{len(training.pieces):,} pieces to learn from; step {run.step} of {config.steps}"
    )
    progress.stage("drawing the first batch and making the first step, the slowest of all")
    progress.begin(run.step, run.events)
    since, events_since = time.monotonic(), 0
    for batch in feed(training, range(run.step, config.steps), config, device):
        torch.manual_seed(config.seed * 1_000_003 + run.step)
        set_rates(optimisers, rate_factor(run.step, config))
        loss = learn(network, optimisers, batch, device, autocast, config.clip)
        run.step += 1
        run.events += batch.segments.numel()
        events_since += batch.segments.numel()
        progress.step(run.step, run.events, loss.detach())

        if run.step % config.validate_every == 0 or run.step == config.steps:
            speed = events_since / (time.monotonic() - since)
            progress.doing("validating")
            given = [validate(network, b, device, autocast) for b in validation]
            run.record(names, loss.item(), speed, rate_factor(run.step, config), *given)
            progress.say(run.summary(names))
            run.save(network, optimisers, best=run.is_best)
            progress.doing("")
            since, events_since = time.monotonic(), 0
        elif run.step % config.checkpoint_every == 0:
            run.save(network, optimisers, best=False)
    return out / "best.pt"


def set_rates(optimisers: Optimisers, factor: float) -> None:
    for optimiser, rate in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = rate * factor


def learn(
    network: Network,
    optimisers: Optimisers,
    batch: Fed,
    device: torch.device,
    autocast: Callable[[], Any],
    clip: float,
) -> Tensor:
    """One step down; returns the loss before it."""
    network.train()
    with autocast():
        losses = field_losses(network, batch, device)
        loss = torch.stack([total / count.clamp(min=1) for total, count in losses]).sum()
    for optimiser, _ in optimisers:
        optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_(network.parameters(), clip)
    with autocast():
        for optimiser, _ in optimisers:
            optimiser.step()
    return loss


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


def make_optimisers(network: Network, config: TrainingConfig) -> Optimisers:
    """Muon for the matrices of the body, AdamW for embeddings, heads, norms and recurrent cells."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        body = name.startswith("blocks.") or ".mixers." in name
        (matrices if body and parameter.ndim == 2 else others).append(parameter)
    optimisers: Optimisers = [
        (
            torch.optim.AdamW(others, lr=config.rate, betas=(0.9, 0.98), weight_decay=0.0),
            config.rate,
        )
    ]
    if matrices:
        muon = Muon(
            matrices, lr=config.matrix_rate, weight_decay=config.weight_decay, momentum=0.95
        )
        optimisers.append((muon, config.matrix_rate))
    return optimisers


def rate_factor(step: int, config: TrainingConfig) -> float:
    """Rise, plateau, fall to nothing."""
    rise = min(1.0, (step + 1) / max(1.0, config.warmup * config.steps))
    fall = (config.steps - step) / max(1.0, config.cooldown * config.steps)
    return min(rise, 1.0, max(fall, 0.0))


def field_losses(network: Network, batch: Fed, device: torch.device) -> list[tuple[Tensor, Tensor]]:
    """Per field: the summed negative log-likelihood in nats and the number of known targets."""
    *told, targets = (tensor.to(device, non_blocking=True) for tensor in batch)
    losses = []
    for i, logits in enumerate(network(*told)):
        truth = targets[..., i].reshape(-1)
        flat = logits.float().reshape(-1, logits.shape[-1])
        # Value 0 is "open": it is never drawn, so it takes no share of the probability.
        flat = torch.cat((torch.full_like(flat[:, :1], -1e9), flat[:, 1:]), dim=1)
        total = F.cross_entropy(flat, truth, ignore_index=0, reduction="sum")
        losses.append((total, (truth != 0).sum()))
    return losses


def validation_batches(dataset: Dataset, config: TrainingConfig) -> tuple[list[Fed], list[Fed]]:
    """The same excerpts twice: with their plan and with everything left open.

    A network that is never told a plan is not asked to follow one: its are open both times.
    """
    sampler = Sampler(dataset, "valid", config, augment=False)
    chunks = math.ceil(config.validation_rows / config.rows)
    return tuple(
        [
            as_tensors(sampler.batch(i, config.rows, config.length, open_plan=is_open))
            for i in range(chunks)
        ]
        for is_open in (config.plan_dropout == 1, True)
    )  # type: ignore[return-value]


@torch.no_grad()
def validate(
    network: Network, batches: list[Fed], device: torch.device, autocast: Callable[[], Any]
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
