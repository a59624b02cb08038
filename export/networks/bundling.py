"""From a checkpoint to a bundle that is proved to compute the same."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from common.errors import BundleError
from common.files import CARD
from common.tables import read_toml
from engine.music.noise import uniforms
from engine.network.bundle import METADATA_KEY, PLANNER_KEY, Specification, pack
from engine.network.runtime import Network as Bundle
from engine.network.seal import SEAL_KEY, sealed
from engine.representations.codec import codec
from export.data.dataset import Dataset
from export.heritage.heritage import card_of, heritage_in
from export.networks.graph import states_of, step_graph
from export.networks.modules import Network, parameter_count
from export.networks.teacher import follow

STEPS = 2048  # past the ring's capacity many times over
ROWS = 2
LIMIT = 1e-4  # of the deviation in full precision
_PURPOSE = 0x7072
_PLACES = ("data", "out", "start")  # of a configuration: folders and files of one machine

# Inputs [R, T, fields], mix [R, T, M], ticks [R, T] and targets [R, T, event fields].
Music = tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class Proof:
    """How far a bundle is from the network it was made of.

    `deviation`: the largest difference of a log-probability between torch and onnxruntime, in
    full precision, see `_deviation`; `divergence`: mean KL from full precision by field, in nats,
    if quantised.
    """

    steps: int
    deviation: float
    divergence: dict[str, float]


def specification_of(
    network: Network, saved: dict[str, Any], bits: int, card: dict[str, Any] | None = None
) -> Specification:
    """What the bundle of a checkpoint says of itself; `card` is what its maker adds to that.
    ConfigError if its licence may not follow those of what the model was made from."""
    shape = network.shape
    representation = codec(saved["data"]["codec"])
    attends = shape.network == "gpt"
    return Specification(
        name=saved["config"]["name"],
        network=shape.network,
        codec=representation.name,
        event=tuple((field.name, field.size) for field in representation.fields),
        context=tuple(zip(saved["data"]["context"], shape.context_sizes, strict=True)),
        styles=tuple(saved["data"]["styles"]),
        states=states_of(shape),
        window=shape.window if attends else 0,
        ring=shape.ring if attends else 0,
        step_frequencies=shape.step_frequencies if attends else (),
        tick_frequencies=shape.tick_frequencies if attends else (),
        bits=bits,
        parameters=parameter_count(network),
        card=card_of(training_card(saved), heritage_in(saved), card or {}),
    )


def training_card(saved: dict[str, Any]) -> dict[str, Any]:
    """Data and training, for `perpetuo models inspect`."""
    rows = saved["rows"]
    best = min(rows, key=lambda row: row["valid"]) if rows else {}
    return {
        **saved["data"]["card"],
        "training": {
            "steps": saved["step"],
            "events": saved["events"],
            "precision": saved["precision"],
            "config": {k: v for k, v in saved["config"].items() if k not in _PLACES},
        },
        "figures": {key: value for key, value in best.items() if key.startswith(("valid", "open"))},
    }


def read_card(path: Path) -> dict[str, Any]:
    """A card as TOML: whatever a model's maker wants to say, above all its licence."""
    return read_toml(path, CARD)


def bundle_bytes(network: Network, specification: Specification, planner: bytes) -> bytes:
    weights = {k: v.detach().float().cpu().numpy() for k, v in network.state_dict().items()}
    model = step_graph(network.shape, weights, specification.bits)
    metadata = {METADATA_KEY: specification.to_json()}
    if planner:
        metadata[PLANNER_KEY] = pack(planner)
    onnx.helper.set_model_props(model, metadata)
    return sealed(model.SerializeToString(deterministic=True))


def with_follows(data: bytes, figures: dict[str, float], where: str) -> bytes:
    """A bundle with these figures of what it follows instead of its own; BundleError if it is
    none."""
    specification = Bundle(data, where).specification
    model = onnx.load_from_string(data)
    kept = {one.key: one.value for one in model.metadata_props if one.key != SEAL_KEY}
    del model.metadata_props[:]
    kept[METADATA_KEY] = replace(specification, follows=figures).to_json()
    onnx.helper.set_model_props(model, kept)
    return sealed(model.SerializeToString(deterministic=True))


def prove(
    network: Network, specification: Specification, planner: bytes, music: Music
) -> tuple[bytes, Proof]:
    """The bundle's bytes and the proof that over this music they compute what the network does;
    BundleError if they do not."""
    full = bundle_bytes(network, replace(specification, bits=32), planner)
    truth = _dense(network, *music)
    data = full
    if specification.bits != 32:
        data = bundle_bytes(network, specification, planner)
    names = [name for name, _ in specification.event]
    followed = follow(Bundle(full, "the new bundle"), *music)
    quantised = follow(Bundle(data, "the new bundle"), *music) if data is not full else None
    deviation, divergence = 0.0, np.zeros(len(names))
    for t, exact in enumerate(tqdm(followed, total=STEPS, desc="proving", disable=None)):
        for field, log_p in enumerate(exact):
            deviation = max(deviation, _deviation(log_p[:, 1:], truth[field][:, t, 1:]))
        if quantised is not None:
            divergence += [_divergence(a, b) for a, b in zip(exact, next(quantised), strict=True)]
    if not deviation <= LIMIT:
        raise BundleError(
            f"the exported graph deviates from the network by {deviation:.2g} (at most "
            f"{LIMIT:.0e} is allowed): the bundle was not written"
        )
    by_field = dict(zip(names, (divergence / STEPS).tolist(), strict=True))
    return data, Proof(STEPS * ROWS, deviation, by_field if quantised is not None else {})


def _deviation(log_p: NDArray[np.float32], truth: NDArray[np.float64]) -> float:
    """The largest difference of a log-probability; of values that are rarer than 1 in e as a share
    of it, for single precision keeps so many digits of a number, not so many behind its point."""
    return float((np.abs(log_p - truth) / np.maximum(1.0, np.abs(truth))).max())


def _divergence(exact: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Mean KL(exact ‖ other) over the rows, in nats; value 0 is never drawn."""
    p = exact[:, 1:].astype(np.float64)
    return float((np.exp(p) * (p - other[:, 1:])).sum(axis=1).mean())


def real_music(network: Network, dataset: Dataset) -> Music:
    """Pieces that the network was not trained on, one after the other in ROWS streams."""
    pieces = dataset.pieces[dataset.pieces_of("valid")]
    if not len(pieces):
        return invented_music(network)
    rows = np.concatenate([np.arange(p["start"], p["start"] + p["count"]) for p in pieces])
    rows = np.resize(rows, ROWS * STEPS).reshape(ROWS, STEPS)
    targets = dataset.events[rows].astype(np.int64)
    before = np.concatenate((np.zeros_like(targets[:, :1]), targets[:, :-1]), axis=1)
    inputs = np.concatenate((before, dataset.context[rows].astype(np.int64)), axis=2)
    mix = np.zeros((ROWS, STEPS, network.shape.mix_width), np.float32)
    mix[..., 0] = 1.0
    # What is drawn must be known in every field, or the two would not go on alike.
    known = np.maximum(targets, 1)
    return inputs, mix, dataset.onsets[rows].astype(np.int64), known


def invented_music(network: Network) -> Music:
    """Random but well-formed inputs and events: every value of every table takes its turn."""
    shape = network.shape
    sizes = (*shape.event_sizes, *shape.context_sizes)
    fields = len(shape.event_sizes)
    draws = uniforms(1, 0, _PURPOSE, 0, ROWS * STEPS * (len(sizes) + 1)).reshape(ROWS, STEPS, -1)
    values = (draws[..., :-1] * sizes).astype(np.int64)
    targets = np.maximum(values[..., :fields], 1)
    before = np.concatenate((np.zeros_like(targets[:, :1]), targets[:, :-1]), axis=1)
    inputs = np.concatenate((before, values[..., fields:]), axis=2)
    mix = uniforms(1, 1, _PURPOSE, 0, ROWS * shape.mix_width).reshape(ROWS, 1, -1)
    ticks = np.cumsum((draws[..., -1] * 24).astype(np.int64), axis=1)
    return inputs, np.repeat(mix, STEPS, axis=1).astype(np.float32), ticks, targets


@torch.no_grad()
def _dense(
    network: Network,
    inputs: NDArray[np.int64],
    mix: NDArray[np.float32],
    ticks: NDArray[np.int64],
    targets: NDArray[np.int64],
) -> list[NDArray[np.float64]]:
    """Log-probabilities of the dense torch network, field by field [R, T, size].

    In double precision, so that the deviation is that of the bundle alone.
    """
    exact = deepcopy(network).eval().double()
    segments = torch.zeros(inputs.shape[:2], dtype=torch.long)
    given = torch.from_numpy(inputs), torch.from_numpy(mix).double()
    logits = exact(*given, segments, torch.from_numpy(ticks), torch.from_numpy(targets))
    found = []
    for values in logits:
        values[..., 0] = -1e9
        found.append(values.log_softmax(-1).numpy())
    return found
