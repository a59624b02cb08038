"""Muon: momentum whose direction is made orthogonal, for the matrices of a network's body.

torch has one too, but it orthogonalises in bf16 wherever it runs. On processors without bf16 that
took several times as long as the rest of a step; here a step inside an autocast to bf16 uses it,
and any other does not.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor, nn

# A quintic that lifts every singular value near 1 within so many rounds.
_QUINTIC = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5
_TINY = 1e-7


class Muon(torch.optim.Optimizer):
    """For matrices alone; state and learning rates are those of `torch.optim.Muon`."""

    def __init__(
        self, matrices: Iterable[nn.Parameter], lr: float, weight_decay: float, momentum: float
    ) -> None:
        defaults = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum}
        super().__init__(matrices, defaults)

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        assert closure is None, "losses are computed once, by the trainer"
        for group in self.param_groups:
            alike: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
            for matrix in group["params"]:
                if matrix.grad is not None:
                    alike[matrix.shape].append(matrix)
            for matrices in alike.values():  # those of one shape are multiplied together
                self._move(matrices, group)
        return None

    def _move(self, matrices: list[nn.Parameter], group: dict[str, Any]) -> None:
        directions = orthogonal(
            torch.stack([self._momentum(m, group["momentum"]) for m in matrices])
        )
        rows, columns = matrices[0].shape
        rate = group["lr"] * math.sqrt(max(1.0, rows / columns))
        for matrix, direction in zip(matrices, directions, strict=True):
            matrix.mul_(1 - group["lr"] * group["weight_decay"])
            matrix.add_(direction, alpha=-rate)

    def _momentum(self, matrix: nn.Parameter, momentum: float) -> Tensor:
        """Nesterov's: the gradient as it will weigh in the next mean."""
        assert matrix.grad is not None
        state = self.state[matrix]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(matrix)
        mean: Tensor = state["momentum_buffer"]
        mean.lerp_(matrix.grad, 1 - momentum)
        return matrix.grad.lerp(mean, momentum)


def orthogonal(directions: Tensor) -> Tensor:
    """Each matrix of [n, rows, columns] with all its singular values brought near 1."""
    tall = directions.shape[1] > directions.shape[2]
    x = directions.mT if tall else directions
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=_TINY)
    a, b, c = _QUINTIC
    for _ in range(_ROUNDS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).to(directions.dtype)
