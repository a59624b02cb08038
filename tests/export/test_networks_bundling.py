"""A bundle is proved to compute what the network does, or it is not written."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from common.errors import BundleError
from engine.network.bundle import Specification
from engine.network.runtime import Network as Bundle
from engine.planning.planner_table import PlannerTable
from export.networks import bundling
from export.networks.bundling import LIMIT, Proof, _deviation, invented_music
from export.networks.modules import Network
from export.networks.teacher import Teacher, follow
from tests.bundles import CODECS, NETWORKS, RING, WINDOW, tiny, torch_network

STEPS = 4 * RING
each_network = pytest.mark.parametrize("kind", NETWORKS)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    assert bundling.STEPS % WINDOW == 0
    assert bundling.STEPS >= 2000
    monkeypatch.setattr(bundling, "STEPS", STEPS)


def prove(network: Network, spec: Specification, planner: bytes = b"") -> tuple[bytes, Proof]:
    return bundling.prove(network, spec, planner, invented_music(network))


@pytest.mark.parametrize("codec", CODECS)
@each_network
def test_a_full_bundle_is_proved_far_past_its_ring(kind: str, codec: str) -> None:
    spec = tiny(kind, codec).specification
    data, proof = prove(torch_network(kind, codec), spec)
    assert proof.steps == STEPS * bundling.ROWS
    assert 0 < proof.deviation < LIMIT
    assert proof.divergence == {}
    assert Bundle(data, "it").specification == spec


@pytest.mark.parametrize("bits", [8, 4])
@each_network
def test_a_quantised_bundle_tells_how_far_it_is_by_field(kind: str, bits: int) -> None:
    spec = replace(tiny(kind).specification, bits=bits)
    data, proof = prove(torch_network(kind), spec, PlannerTable.plain().to_bytes())
    assert list(proof.divergence) == [name for name, _ in spec.event]
    assert all(0 < nats < 0.2 for nats in proof.divergence.values())
    bundle = Bundle(data, "it")
    assert bundle.specification.bits == bits
    assert PlannerTable.from_bytes(bundle.planner).styles == ()


def test_fewer_bits_diverge_more() -> None:
    spec = tiny("gpt").specification
    found = []
    for bits in (8, 4):
        _, proof = prove(torch_network("gpt"), replace(spec, bits=bits))
        found.append(sum(proof.divergence.values()))
    assert found[0] < found[1]


@each_network
def test_a_graph_that_computes_something_else_is_refused(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = torch_network(kind)
    other = Network(network.shape)
    other.load_state_dict(network.state_dict())
    with torch.no_grad():
        other.heads.readers[2].weight[5] += 0.01
    wrong = bundling.bundle_bytes(other, tiny(kind).specification, b"")
    monkeypatch.setattr(bundling, "bundle_bytes", lambda *_: wrong)
    with pytest.raises(BundleError, match=r"deviates from the network.*not written"):
        prove(network, tiny(kind).specification)


def test_a_specification_says_what_the_checkpoint_knows() -> None:
    spec = tiny("gpt").specification
    assert spec.name == "tiny-gpt"
    assert spec.parameters == sum(p.numel() for p in torch_network("gpt").parameters())
    assert spec.card["licence"] == "none"
    assert spec.card["training"]["events"] == 0
    json.dumps(spec.card)
    assert tiny("lstm").specification.window == 0


@each_network
def test_a_teacher_forgets_a_piece_that_ended(kind: str) -> None:
    spec = tiny(kind).specification
    fields = len(spec.event)
    draws = np.random.default_rng(2)
    inputs = draws.integers(0, 2, (1, 6, fields + len(spec.context)))
    mix = draws.random((1, 6, spec.mix_width)).astype(np.float32)
    ticks = np.arange(6)[None] * 12
    targets = draws.integers(0, 2, (1, 6, fields))  # some are not known
    first = [[p.copy() for p in step] for step in follow(tiny(kind), inputs, mix, ticks, targets)]
    teacher = Teacher(tiny(kind), 1)
    teacher.observe(inputs[:, 5], mix[:, 5], ticks[:, 5], targets[:, 5])
    teacher.reset(0)
    for t, expected in enumerate(first):
        found = teacher.observe(inputs[:, t], mix[:, t], ticks[:, t], targets[:, t])
        for one, other in zip(found, expected, strict=True):
            assert (one == other).all()
            assert np.exp(one).sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("log_p", "truth", "expected"),
    [
        (-0.5001, -0.5, 1e-4),  # a likely value: as it is
        (-20.002, -20.0, 1e-4),  # a rare one: as a share of itself
        (-3.0, -3.0, 0.0),
    ],
)
def test_rare_values_are_judged_by_their_digits(
    log_p: float, truth: float, expected: float
) -> None:
    found = _deviation(np.array([[log_p, -1.0]], np.float32), np.array([[truth, -1.0]]))
    assert found == pytest.approx(expected, abs=2e-7)
