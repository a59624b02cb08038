"""Weights of a bundle as the beginning of a training: it goes on from what was known before."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from common.errors import ConfigError
from common.files import MODEL, read_bytes
from engine.library.loading import load_network
from engine.library.models import model_file
from engine.network.bundle import Specification
from export.data.dataset import Dataset
from export.heritage.heritage import heritage_of
from export.networks.graph import weights_of
from export.networks.modules import Network, Shape

_MIX = "mix.weight"


class Beginning(NamedTuple):
    """What to tell of a beginning, and what goes on from the model (see
    `export.heritage.heritage`)."""

    told: str
    heritage: dict[str, Any]


def begin_with(network: Network, start: str, dataset: Dataset) -> Beginning:
    """Give a network the weights of a model. ConfigError if they do not fit, BundleError if there
    is no such model. Styles are matched by name: one that the model has not known begins as the
    mean of those that it has."""
    path = model_file(start)
    known = load_network(path).specification  # a BundleError if it is no model of ours
    _check_kind(network.shape, known, path, dataset)
    weights = weights_of(onnx.load_from_string(read_bytes(path, MODEL)))
    if _MIX in weights:
        weights[_MIX] = _mixed(weights[_MIX], known.styles, tuple(dataset.style_names))
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: tensor.shape for name, tensor in weights.items()}
    if found.keys() != wanted.keys():
        raise ConfigError(
            f"start: {path} does not hold the weights of such a network by name: it was exported "
            "by an older perpetuo, or has another number of layers"
        )
    for name, shape in wanted.items():
        if found[name] != shape:
            raise ConfigError(
                f"start: {path} has another size than the configuration asks for ({name} is "
                f"{_by(found[name])} there, {_by(shape)} here): see 'perpetuo models inspect'"
            )
    network.load_state_dict({name: torch.tensor(tensor) for name, tensor in weights.items()})
    new = sorted(set(dataset.style_names) - set(known.styles))
    heritage = heritage_of(known)
    licence = heritage["licence"] or "not stated"
    told = f"begins with the weights of {known.name}, whose licence ({licence}) and credits go on"
    return Beginning(told + (f"; styles new to it: {', '.join(new)}" if new else ""), heritage)


def _check_kind(shape: Shape, known: Specification, path: Path, dataset: Dataset) -> None:
    """Everything that would let weights fit and mean something else."""
    attends = shape.network == "gpt"
    pairs = {
        "network": (known.network, shape.network),
        "representation": (known.codec, dataset.codec.name),
        "fields told": (tuple(n for n, _ in known.context), tuple(dataset.context_names)),
        "window": (known.window, shape.window if attends else 0),
        "rotations": (
            (known.step_frequencies, known.tick_frequencies),
            (shape.step_frequencies, shape.tick_frequencies) if attends else ((), ()),
        ),
    }
    for what, (there, here) in pairs.items():
        if there != here:
            raise ConfigError(
                f"start: {path} has another {what} than this training: make them equal, or leave "
                "out 'start'"
            )


def _mixed(
    old: NDArray[np.float32], known: tuple[str, ...], styles: tuple[str, ...]
) -> NDArray[np.float32]:
    old_styles, rest = old[:, : len(known)], old[:, len(known) :]
    mean = old_styles.mean(axis=1) if known else np.zeros(len(old), old.dtype)
    chosen = [old_styles[:, known.index(s)] if s in known else mean for s in styles]
    return np.concatenate((np.stack(chosen, axis=1), rest), axis=1)


def _by(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
