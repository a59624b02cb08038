"""A model of tables: probabilities that a test knows, behind the interface of the runtime.

It draws as the step graph does (bias, temperature, min-p cut, noise, arg-max) and remembers two
numbers of everything that it was told, so that a rewind which forgets something shows.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.errors import CapacityError
from engine.music.fields import CONTEXT, LENGTHS
from engine.network.bundle import Specification
from engine.network.runtime import SavedRow
from engine.planning.planner_table import PlannerTable
from engine.representations import performance as tokens
from engine.representations.codec import codec, field_offsets

STYLES = ("calm", "lively")
SITUATIONS = 61  # rows of each table
_PRIME, _OTHER = 9973, 7919


class TableMark(NamedTuple):
    """A place to go back to."""

    step: int
    memory: tuple[int, int]


class TableNetwork:
    """Stands in for `engine.network.runtime.Network`. `margin`: steps that a row can be taken back;
    `haste`: above 0 for many short gaps, below for few long ones."""

    def __init__(
        self,
        codec_name: str = "notes",
        *,
        margin: int = 1 << 30,
        haste: float = 0.0,
        styles: tuple[str, ...] = STYLES,
    ) -> None:
        self.codec = codec(codec_name)
        self.margin = margin
        self.planner_table = PlannerTable.plain()
        self.specification = Specification(
            name="table",
            network="lstm",
            codec=codec_name,
            event=tuple((field.name, field.size) for field in self.codec.fields),
            context=tuple((name, CONTEXT[name].size) for name in self.codec.context),
            styles=styles,
            states=(),
        )
        draws = np.random.default_rng(5)
        self.tables = [
            _likings(field.name, field.size, haste) + draws.normal(0, 1.0, (SITUATIONS, field.size))
            for field in self.codec.fields
        ]
        for table in self.tables:
            table[:, 0] = -1e9  # "open" is never drawn
            table -= np.log(np.exp(table).sum(axis=1, keepdims=True))

    def pool(self, rows: int) -> TablePool:
        return TablePool(self, rows)


class TablePool:
    """Stands in for `engine.network.runtime.Pool`. `calls` records who was run, rewound and
    prefilled."""

    def __init__(self, network: TableNetwork, rows: int) -> None:
        spec = network.specification
        fields = len(spec.event)
        self.network, self.spec, self.capacity = network, spec, rows
        self.margin = network.margin
        self.offsets = field_offsets(network.codec.fields)
        self.inputs = np.zeros((rows, 1, fields + len(spec.context)), np.int64)
        self.mix = np.zeros((rows, spec.mix_width), np.float32)
        self.bias = np.zeros((rows, spec.event_width), np.float32)
        sizes = [size for _, size in spec.event]
        self.paired = np.zeros((rows, *(sizes[:2] if fields > 1 else (0, 0))), np.float32)
        self.noise = np.zeros((rows, spec.event_width), np.float32)
        self.sharpness = np.ones((rows, fields), np.float32)
        self.cut = np.full((rows, fields), -math.inf, np.float32)
        self.ticks = np.zeros(rows, np.int64)
        self.event = np.zeros((rows, fields), np.int64)
        self.likelihood = np.zeros((rows, fields), np.float32)
        self.steps = np.zeros((rows, 1), np.int64)
        self.furthest = np.zeros(rows, np.int64)
        self.memory = [(0, 0)] * rows
        self.calls: list[tuple[object, ...]] = []
        self._free = list(range(rows))[::-1]

    @property
    def has_place(self) -> bool:
        return bool(self._free)

    def acquire(self) -> int:
        if not self._free:
            raise CapacityError(f"all {self.capacity} places of this pool are taken")
        row = self._free.pop()
        self.steps[row] = self.furthest[row] = 0
        self.memory[row] = (0, 0)
        return row

    def release(self, row: int) -> None:
        self._free.append(row)

    def mark(self, row: int) -> TableMark:
        return TableMark(int(self.steps[row, 0]), self.memory[row])

    def can_rewind(self, row: int, mark: TableMark) -> bool:
        return int(self.furthest[row]) - mark.step <= self.margin

    def rewind(self, row: int, mark: TableMark) -> None:
        assert self.can_rewind(row, mark)
        self.calls.append(("rewind", row, mark.step))
        self.steps[row] = mark.step
        self.memory[row] = mark.memory

    def save(self, row: int, over: SavedRow | None = None) -> SavedRow:
        step, furthest = int(self.steps[row, 0]), int(self.furthest[row])
        return SavedRow(step, furthest, {"memory": np.array(self.memory[row])})

    def load(self, row: int, saved: SavedRow) -> None:
        first, second = saved.states["memory"].tolist()
        self.memory[row] = (first, second)
        self.steps[row], self.furthest[row] = saved.step, saved.furthest

    def prefill(self, row: int, inputs: NDArray[np.int64], ticks: NDArray[np.int64]) -> None:
        self.calls.append(("prefill", row, len(inputs)))
        for told, tick in zip(inputs, ticks.tolist(), strict=True):
            self._hear(row, told, tick)
        self.steps[row] += len(inputs)
        self.furthest[row] = max(self.furthest[row], self.steps[row, 0])

    def run(self, rows: list[int]) -> int:
        assert len(set(rows)) == len(rows)
        self.calls.append(("run", *rows))
        for row in rows:
            self._hear(row, self.inputs[row, 0], int(self.ticks[row]))
            self._draw(row)
            self.steps[row] += 1
            self.furthest[row] = max(self.furthest[row], self.steps[row, 0])
        return max(rows) + 1

    def _hear(self, row: int, told: NDArray[np.int64], tick: int) -> None:
        first, second = self.memory[row]
        seen = (
            int(told @ np.arange(3, 3 + len(told))) + tick + round(float(self.mix[row].sum()) * 8)
        )
        self.memory[row] = ((first * 33 + seen) % _PRIME, (second * 5 + first + 1) % _OTHER)

    def _draw(self, row: int) -> None:
        place = sum(self.memory[row])
        for i, table in enumerate(self.network.tables):
            likely = table[place % SITUATIONS]
            span = slice(self.offsets[i], self.offsets[i + 1])
            biased = likely + self.bias[row, span]
            if i == 1:
                biased = biased + self.paired[row, self.event[row, 0]]
            height = biased * self.sharpness[row, i]
            noisy = np.where(
                height >= height.max() + self.cut[row, i], height + self.noise[row, span], -2e9
            )
            value = int(noisy.argmax())
            self.event[row, i], self.likelihood[row, i] = value, likely[value]
            place = place * 7 + value + i


def _likings(name: str, size: int, haste: float) -> NDArray[np.float64]:
    """Log-weights that make something like music."""
    value = np.arange(size)
    if name == "pitch":
        return -(((value - 61) / 12.0) ** 2)
    if name in ("duration", "delta"):
        ticks = np.array([0] * (size - len(LENGTHS)) + list(LENGTHS))
        return -np.abs(np.log((ticks + 3) / (18 * math.exp(-haste))))
    if name == "token":
        likings = np.full(size, -8.0)
        middle = np.arange(48, 80)
        likings[tokens.ON + middle], likings[tokens.OFF + middle] = -2.5, -0.5
        likings[tokens.SHIFT + 5 : tokens.SHIFT + 50] = -3.0 - haste
        return likings
    return np.zeros(size)
