"""The networks as torch modules: what is trained, and what the exported step must equal.

Both read one row of integers a step (the last event's fields, then the context fields), summed
embeddings, plus weighted inputs (styles, parts, pitch classes); both draw the next event field by
field through chained heads, each knowing the fields drawn before it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPSILON = 1e-6


@dataclass(frozen=True)
class Shape:
    """Everything that fixes a network's tensors; stands in every checkpoint."""

    network: str  # "gpt" or "lstm"
    event_sizes: tuple[int, ...]
    context_sizes: tuple[int, ...]
    mix_width: int
    width: int = 256
    layers: int = 6
    heads: int = 4
    inner: int = 672  # width of the gated layer between
    window: int = 128
    ring: int = 256
    step_rotations: int = 16  # rotary pairs that turn with the step
    tick_rotations: int = 16  # rotary pairs that turn with musical time
    dropout: float = 0.0

    @property
    def head_width(self) -> int:
        return 2 * (self.step_rotations + self.tick_rotations)

    @property
    def step_frequencies(self) -> tuple[float, ...]:
        return _frequencies(self.step_rotations, shortest=2 * math.pi, longest=4 * self.window)

    @property
    def tick_frequencies(self) -> tuple[float, ...]:
        # From four ticks (the finest rhythm) to sixteen bars of 4/4.
        return _frequencies(self.tick_rotations, shortest=4.0, longest=1536.0)


def _frequencies(count: int, *, shortest: float, longest: float) -> tuple[float, ...]:
    """Radians a unit for periods spread geometrically from `shortest` to `longest`."""
    if count == 0:
        return ()
    ratio = (longest / shortest) ** (1 / max(count - 1, 1))
    return tuple(2 * math.pi / (shortest * ratio**i) for i in range(count))


class Norm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), self.weight, EPSILON)


def linear(inputs: int, outputs: int, scale: float = 1.0) -> nn.Linear:
    """A matrix without bias, initialised by fan-in."""
    layer = nn.Linear(inputs, outputs, bias=False)
    nn.init.normal_(layer.weight, std=scale / math.sqrt(inputs))
    return layer


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair (i, i + half) of the last axis; cos and sin are [B, T, 1, half]."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)


class AttentionBlock(nn.Module):
    """Attention of several query heads over one key and value head, then a gated layer."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads, self.head_width, self.window = shape.heads, shape.head_width, shape.window
        inner_heads = shape.heads * shape.head_width
        depth = 1 / math.sqrt(2 * shape.layers)
        self.norm = Norm(shape.width)
        self.qkv = linear(shape.width, inner_heads + 2 * shape.head_width)
        self.out = linear(inner_heads, shape.width, depth)
        self.inner_norm = Norm(shape.width)
        self.gate = linear(shape.width, 2 * shape.inner)
        self.down = linear(shape.inner, shape.width, depth)
        self.dropout = shape.dropout

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, bias: Tensor) -> Tensor:
        x = x + self._drop(self.out(self._attend(self.norm(x), cos, sin, bias)))
        gate, up = self.gate(self.inner_norm(x)).chunk(2, dim=-1)
        return x + self._drop(self.down(F.silu(gate) * up))

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)

    def _attend(self, x: Tensor, cos: Tensor, sin: Tensor, bias: Tensor) -> Tensor:
        """Blockwise: queries of one block of `window` see their own block and the one before.

        Written out, for all heads share their keys, so that a block is two products of matrices:
        torch's own attention took several times as long on the way back.
        """
        rows, steps, _ = x.shape
        w, h, d = self.window, self.heads, self.head_width
        q, k, v = self.qkv(x).split((h * d, d, d), dim=-1)
        q = rotate(q.view(rows, steps, h, d), cos, sin) * d**-0.5
        k = rotate(k.view(rows, steps, 1, d), cos, sin)
        q = q.to(v.dtype).view(-1, w * h, d)
        k, v = (self._with_previous(t.to(v.dtype)) for t in (k, v.unsqueeze(2)))
        near = torch.bmm(q, k.mT).view(-1, w, h, 2 * w) + bias.to(v.dtype)
        y = torch.bmm(near.softmax(dim=-1).to(v.dtype).view(-1, w * h, 2 * w), v)
        return y.view(rows, steps, h * d)

    def _with_previous(self, t: Tensor) -> Tensor:
        rows, steps, _, d = t.shape
        blocks = t.view(rows, steps // self.window, self.window, d)
        before = F.pad(blocks, (0, 0, 0, 0, 1, 0))[:, :-1]
        return torch.cat((before, blocks), dim=2).view(-1, 2 * self.window, d)


def sliding_bias(segments: Tensor, window: int) -> Tensor:
    """Which keys each query sees, [blocks, window, 1, 2·window], as what is added to its scores: 0
    for the last `window` steps of its own piece, itself included, minus infinity for all others.
    `segments` [B, T] numbers the pieces packed into a row."""
    rows, steps = segments.shape
    blocks = segments.view(rows, steps // window, window)
    before = F.pad(blocks, (0, 0, 1, 0), value=-1)[:, :-1]
    keys = torch.cat((before, blocks), dim=2)
    same = blocks[..., :, None] == keys[..., None, :]
    query = torch.arange(window, device=segments.device)[:, None] + window
    key = torch.arange(2 * window, device=segments.device)[None]
    near = (key <= query) & (key > query - window)
    seen = (same & near).view(-1, window, 1, 2 * window)
    return torch.zeros(seen.shape, device=seen.device).masked_fill_(~seen, -math.inf)


class Heads(nn.Module):
    """The fields of the next event, one after the other."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.norm = Norm(shape.width)
        last = len(shape.event_sizes) - 1
        self.chosen = nn.ModuleList(
            nn.Embedding(size, shape.width) for size in shape.event_sizes[:last]
        )
        for table in self.chosen.parameters():
            nn.init.normal_(table, std=0.05)
        self.mixers = nn.ModuleList(
            nn.ModuleList(
                (linear(shape.width, shape.width // 2), linear(shape.width // 2, shape.width))
            )
            for _ in range(last)
        )
        self.readers = nn.ModuleList(linear(shape.width, size) for size in shape.event_sizes)

    def forward(self, x: Tensor, given: Tensor) -> list[Tensor]:
        """Logits by field, [B, T, size], given the true earlier fields [B, T, E]."""
        z = self.norm(x)
        logits = []
        for i, reader in enumerate(self.readers):
            logits.append(reader(z))
            if i < len(self.mixers):
                z = z + self.chosen[i](given[..., i])
                mixer = cast(nn.ModuleList, self.mixers[i])
                z = z + mixer[1](F.relu(mixer[0](z)))
        return logits


class Network(nn.Module):
    """Embeddings, a body that carries time, heads."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        sizes = (*shape.event_sizes, *shape.context_sizes)
        self.embed = nn.Embedding(sum(sizes), shape.width)
        nn.init.normal_(self.embed.weight, std=0.05)
        offsets = torch.tensor([sum(sizes[:i]) for i in range(len(sizes))])
        self.offsets: Tensor
        self.register_buffer("offsets", offsets, persistent=False)
        self.mix = linear(shape.mix_width, shape.width, 0.5)
        if shape.network == "gpt":
            self.blocks = nn.ModuleList(AttentionBlock(shape) for _ in range(shape.layers))
        else:
            self.cells = nn.ModuleList(
                nn.LSTM(shape.width, shape.width, batch_first=True) for _ in range(shape.layers)
            )
        self.heads = Heads(shape)

    def forward(
        self, inputs: Tensor, mix: Tensor, segments: Tensor, ticks: Tensor, given: Tensor
    ) -> list[Tensor]:
        """`inputs` [B,T,E+C] field values, `mix` [B,T,M], `segments` and `ticks` [B,T],
        `given` [B,T,E] the event that comes, as its later fields are told; logits by field."""
        x = self._embedded(inputs) + self.mix(mix)
        x = F.dropout(x, self.shape.dropout, self.training)
        if self.shape.network == "gpt":
            cos, sin = self.angles(ticks)
            bias = sliding_bias(segments, self.shape.window)
            for block in self.blocks:
                x = block(x, cos, sin, bias)
        else:
            for cell in self.cells:
                x = x + F.dropout(cell(x)[0], self.shape.dropout, self.training)
        logits: list[Tensor] = self.heads(x, given)
        return logits

    def _embedded(self, inputs: Tensor) -> Tensor:
        rows, steps, fields = inputs.shape
        places = (inputs + self.offsets).view(-1, fields)
        return F.embedding_bag(places, self.embed.weight, mode="sum").view(rows, steps, -1)

    def angles(self, ticks: Tensor) -> tuple[Tensor, Tensor]:
        """Rotary angles: some pairs turn with the step, some with musical time.

        In float64, as the engine computes them, so that long pieces lose nothing.
        """
        steps = torch.arange(ticks.shape[1], device=ticks.device, dtype=torch.float64)
        by_step = steps[None, :, None] * _tensor(self.shape.step_frequencies, ticks)
        by_tick = ticks.double()[..., None] * _tensor(self.shape.tick_frequencies, ticks)
        angle = torch.cat((by_step.expand(len(ticks), -1, -1), by_tick), dim=-1)[:, :, None]
        return angle.cos().float(), angle.sin().float()


def _tensor(values: tuple[float, ...], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, device=like.device)


def parameter_count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())
