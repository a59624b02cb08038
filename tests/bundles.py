"""Tiny bundles with random weights: real graphs, built once a session."""

from __future__ import annotations

from functools import cache

import torch

from engine.music.fields import CONTEXT
from engine.network.runtime import Network as Bundle
from engine.planning.planner_table import PlannerTable
from engine.representations.codec import codec
from export.networks.bundling import bundle_bytes, specification_of
from export.networks.modules import Network, Shape

STYLES = ("calm", "lively")
NETWORKS = ("gpt", "lstm")
CODECS = ("notes", "performance")
WINDOW, RING = 16, 48

torch.set_num_threads(1)  # so small that threads only wait for each other


@cache
def torch_network(kind: str, codec_name: str = "notes") -> Network:
    """The network in torch, of two small layers."""
    representation = codec(codec_name)
    torch.manual_seed(7)
    shape = Shape(
        network=kind,
        event_sizes=tuple(field.size for field in representation.fields),
        context_sizes=tuple(CONTEXT[name].size for name in representation.context),
        mix_width=len(STYLES) + 8 + 12,
        width=32,
        layers=2,
        heads=2,
        inner=64,
        window=WINDOW,
        ring=RING,
        step_rotations=4,
        tick_rotations=4,
    )
    return Network(shape).eval()


@cache
def tiny_bytes(kind: str, codec_name: str = "notes", bits: int = 32) -> bytes:
    """The bundle as a file."""
    network = torch_network(kind, codec_name)
    saved = {
        "config": {"name": f"tiny-{kind}"},
        "data": {
            "codec": codec_name,
            "context": codec(codec_name).context,
            "styles": STYLES,
            "card": {"licence": "none"},
        },
        "rows": [],
        "step": 0,
        "events": 0,
        "precision": "float32",
    }
    planner = PlannerTable.plain().to_bytes()
    return bundle_bytes(network, specification_of(network, saved, bits), planner)


@cache
def tiny(kind: str, codec_name: str = "notes", bits: int = 32) -> Bundle:
    """The bundle, loaded."""
    return Bundle(tiny_bytes(kind, codec_name, bits), f"tiny {kind}")
