"""The optimiser of the matrices: what torch's does, in full precision on a processor."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from export.training.muon import Muon, orthogonal

SHAPES = [(64, 128), (128, 64), (64, 128), (48, 48)]


def matrices(seed: int) -> list[nn.Parameter]:
    torch.manual_seed(seed)
    return [nn.Parameter(torch.randn(shape)) for shape in SHAPES]


def give_gradients(seed: int, *several: list[nn.Parameter]) -> None:
    torch.manual_seed(seed)
    for alike in zip(*several, strict=True):
        gradient = torch.randn_like(alike[0])
        for matrix in alike:
            matrix.grad = gradient.clone()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_direction_has_all_its_singular_values_near_one(shape: tuple[int, int]) -> None:
    torch.manual_seed(1)
    rough = torch.randn(3, *shape) * torch.logspace(-1, 1, shape[1])
    found = torch.linalg.svdvals(orthogonal(rough))
    assert found.max() < 1.3
    assert found.median() > 0.65


def test_it_steps_as_torch_does_but_for_rounding() -> None:
    ours, theirs = matrices(2), matrices(2)
    mine = Muon(ours, lr=0.02, weight_decay=0.1, momentum=0.95)
    reference = torch.optim.Muon(theirs, lr=0.02, weight_decay=0.1, momentum=0.95)
    for step in range(6):
        give_gradients(step, ours, theirs)
        mine.step()
        reference.step()
    for before, a, b in zip(matrices(2), ours, theirs, strict=True):
        assert (a - b).norm() < 0.02 * (a - before).norm()


def test_it_goes_on_from_its_state_to_the_last_bit() -> None:
    whole, halves = matrices(3), matrices(3)
    one = Muon(whole, lr=0.02, weight_decay=0.1, momentum=0.95)
    first = Muon(halves, lr=0.02, weight_decay=0.1, momentum=0.95)
    for step in range(2):
        give_gradients(step, whole, halves)
        one.step()
        first.step()
    second = Muon(halves, lr=0.02, weight_decay=0.1, momentum=0.95)
    second.load_state_dict(first.state_dict())
    give_gradients(9, whole, halves)
    one.step()
    second.step()
    assert all(torch.equal(a, b) for a, b in zip(whole, halves, strict=True))


def test_what_has_no_gradient_stays() -> None:
    some = matrices(4)
    optimiser = Muon(some, lr=0.02, weight_decay=0.1, momentum=0.95)
    some[0].grad = torch.randn_like(some[0])
    optimiser.step()
    moved = [not torch.equal(a, b) for a, b in zip(some, matrices(4), strict=True)]
    assert moved == [True, False, False, False]
