"""The ONNX graph of one step, written node by node from a network's weights.

Inputs: `inputs` [B,T,E+C] field values, `mix` [B,M], `bias`, `noise` [B,V], `sharpness`, `cut`
[B,E], of networks with several fields `paired` [B,V0,V1], a bias of the second field's values by
the value that was drawn for the first, and the state. Outputs: `event` [B,E], `likelihood` [B,E]
(log-probabilities of what was drawn, before bias and temperature), `log_p0` … (those of every value
of each field, computed only if they are bound) and the state. T is 1 while composing; a prompt may
bring up to ring − window steps at once, and only the last one's successor is drawn.

Attention keeps keys and values in a ring: step s is written to slot s mod ring, in place, and a
slot is seen if it is younger than the window. So nothing ever moves, rewinding is going back to
an earlier step, and an endless stream computes at every step what the dense network would.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from engine.network.bundle import PAIRED, StateTensor
from export.networks.modules import Shape
from export.networks.onnx_builder import Builder, Weights, stored_weights

FAR = -1e9


def states_of(shape: Shape) -> tuple[StateTensor, ...]:
    if shape.network == "gpt":
        keys_values = (
            ("key", (shape.head_width, shape.ring)),
            ("value", (shape.ring, shape.head_width)),
        )
        return tuple(
            StateTensor(f"{name}{layer}", size, "ring")
            for layer in range(shape.layers)
            for name, size in keys_values
        )
    return tuple(
        StateTensor(f"{name}{layer}", (shape.width,), "carry")
        for layer in range(shape.layers)
        for name in ("hidden", "cell")
    )


def step_graph(shape: Shape, weights: Weights, bits: int) -> onnx.ModelProto:
    """The step of a network whose linear weights are stored in 32, 8 or 4 bits."""
    return _Step(shape, weights, bits).build()


@dataclass
class _Tensors:
    """Names of values that several layers read."""

    cos: str = ""
    sin: str = ""
    turn: str = ""  # which row of cos and sin belongs to which step
    key_slots: str = ""
    value_slots: str = ""
    mask: str = ""


class _Step(Builder):
    def __init__(self, shape: Shape, weights: Weights, bits: int) -> None:
        super().__init__(weights, bits)
        self.shape = shape

    def build(self) -> onnx.ModelProto:
        x = self._embed()
        x = self._attention_body(x) if self.shape.network == "gpt" else self._recurrent_body(x)
        self._draw(self.op("Gather", [x, self.integers(-1)], axis=1))
        return self.model("step")

    # -- the network ---------------------------------------------------------------------------

    def _embed(self) -> str:
        shape = self.shape
        sizes = (*shape.event_sizes, *shape.context_sizes)
        inputs = self.input("inputs", TensorProto.INT64, ["B", "T", len(sizes)])
        mix = self.input("mix", TensorProto.FLOAT, ["B", shape.mix_width])
        offsets = self.axes(*(sum(sizes[:i]) for i in range(len(sizes))))
        rows = self.rows(self.op("Add", [inputs, offsets]), "embed")
        x = self.op("ReduceSum", [rows, self.axes(2)], keepdims=0)
        mixed = self.op("Unsqueeze", [self.linear(mix, "mix"), self.axes(1)])
        return self.op("Add", [x, mixed])

    def _attention_body(self, x: str) -> str:
        shared = self._shared()
        for layer in range(self.shape.layers):
            name = f"blocks.{layer}"
            attended = self._attend(self.norm(x, f"{name}.norm"), layer, shared)
            x = self.op("Add", [x, self.linear(attended, f"{name}.out")])
            both = self.linear(self.norm(x, f"{name}.inner_norm"), f"{name}.gate")
            gate, up = self.ops("Split", [both], 2, axis=-1, num_outputs=2)
            active = self.op("Mul", [gate, self.op("Sigmoid", [gate])])
            inner = self.op("Mul", [active, up])
            x = self.op("Add", [x, self.linear(inner, f"{name}.down")])
        return x

    def _shared(self) -> _Tensors:
        """Rotary angles, ring slots and the mask, the same for all layers."""
        shape, half = self.shape, self.shape.head_width // 2
        step = self.input("step", TensorProto.INT64, ["B", "T"])
        shared = _Tensors(
            cos=self.input("cos", TensorProto.FLOAT, ["R", half]),
            sin=self.input("sin", TensorProto.FLOAT, ["R", half]),
            turn=self.input("turn", TensorProto.INT64, ["B", "T"]),
        )
        slot = self.op("Mod", [step, self.integers(shape.ring)])
        row = self.input("row", TensorProto.INT64, ["B", "T"])
        wide = self.op("Unsqueeze", [slot, self.axes(1)])
        width = self.axes(1, shape.head_width, 1)
        shared.key_slots = self.op("Expand", [wide, width])
        pair = [self.op("Unsqueeze", [index, self.axes(2)]) for index in (row, slot)]
        shared.value_slots = self.op("Concat", pair, axis=-1)
        # Age of a slot: steps since it was written; young enough and not before the beginning.
        query = self.op("Unsqueeze", [step, self.axes(2)])
        slots = self.constant(np.arange(shape.ring, dtype=np.int64))
        age = self.op("Mod", [self.op("Sub", [query, slots]), self.integers(shape.ring)])
        young = self.op("Less", [age, self.integers(shape.window)])
        seen = self.op("And", [young, self.op("LessOrEqual", [age, query])])
        mask = self.op("Where", [seen, self.real(0.0), self.real(FAR)])
        shared.mask = self.op("Unsqueeze", [mask, self.axes(2)])
        return shared

    def _attend(self, x: str, layer: int, shared: _Tensors) -> str:
        shape = self.shape
        heads, width = shape.heads, shape.head_width
        parts = self.axes(heads * width, width, width)
        qkv = self.linear(x, f"blocks.{layer}.qkv")
        q, k, v = self.ops("Split", [qkv, parts], 3, axis=-1)
        q, k = self._rotate(q, heads, shared), self._rotate(k, 1, shared)
        keys = self._written(
            f"key{layer}",
            [width, shape.ring],
            "ScatterElements",
            [shared.key_slots, self.op("Transpose", [k], perm=[0, 2, 1])],
            axis=2,
        )
        values = self._written(
            f"value{layer}", [shape.ring, width], "ScatterND", [shared.value_slots, v]
        )
        # Heads and steps side by side: one product a row for all heads over the one key head.
        q = self.op("Reshape", [q, self.axes(0, -1, width)])
        scores = self.op("Mul", [self.op("MatMul", [q, keys]), self.real(width**-0.5)])
        by_step = self.op("Reshape", [scores, self.axes(0, -1, heads, shape.ring)])
        weights = self.op("Softmax", [self.op("Add", [by_step, shared.mask])], axis=-1)
        flat = self.op("Reshape", [weights, self.axes(0, -1, shape.ring)])
        attended = self.op("MatMul", [flat, values])
        return self.op("Reshape", [attended, self.axes(0, -1, heads * width)])

    def _rotate(self, x: str, heads: int, shared: _Tensors) -> str:
        return self.op(
            "RotaryEmbedding",
            [x, shared.turn, shared.cos, shared.sin],
            domain="com.microsoft",
            num_heads=heads,
            rotary_embedding_dim=self.shape.head_width,
        )

    def _written(
        self, name: str, dims: list[int], kind: str, what: list[str], **attributes: Any
    ) -> str:
        """A ring tensor with this call's steps written into their slots."""
        ring = self.input(name, TensorProto.FLOAT, ["B", *dims])
        written = self.op(kind, [ring, *what], **attributes)
        self.output(f"{name}_out", written, TensorProto.FLOAT, ["B", *dims])
        return f"{name}_out"

    def _recurrent_body(self, x: str) -> str:
        """Rows that sit out this step (`active` 0) keep their state."""
        active = self.input("active", TensorProto.BOOL, ["B", 1])
        for layer in range(self.shape.layers):
            y, hidden, cell = self._cell(self.op("Transpose", [x], perm=[1, 0, 2]), layer)
            x = self.op("Add", [x, self.op("Transpose", [y], perm=[1, 0, 2])])
            for name, new in ((f"hidden{layer}", hidden), (f"cell{layer}", cell)):
                kept = self.op("Where", [active, self.op("Squeeze", [new, self.axes(0)]), name])
                self.output(f"{name}_out", kept, TensorProto.FLOAT, ["B", self.shape.width])
        return x

    def _cell(self, x: str, layer: int) -> tuple[str, str, str]:
        width = self.shape.width
        state = [
            self.op(
                "Unsqueeze",
                [self.input(f"{name}{layer}", TensorProto.FLOAT, ["B", width]), self.axes(0)],
            )
            for name in ("hidden", "cell")
        ]
        inner, recurrent = (
            self.op("Unsqueeze", [self.stored(_onnx_gates(self.weights[name]), name), self.axes(0)])
            for name in _cell_names(layer, "weight")
        )
        biases = [_onnx_gates(self.weights[name]) for name in _cell_names(layer, "bias")]
        bias = self.named(np.concatenate(biases)[None], f"cells.{layer}.bias")
        y, hidden, cell = self.ops(
            "LSTM", [x, inner, recurrent, bias, "", *state], 3, hidden_size=width
        )
        return self.op("Squeeze", [y, self.axes(1)]), hidden, cell

    # -- drawing -------------------------------------------------------------------------------

    def _draw(self, hidden: str) -> None:
        """The fields of the next event, each given those before it: bias, temperature, min-p cut,
        Gumbel noise, arg-max."""
        sizes = self.shape.event_sizes
        fields = len(sizes)
        by_value, by_field = self.axes(*sizes), self.axes(*[1] * fields)
        pieces = {
            name: self._pieces(name, splits, fields, width)
            for name, splits, width in (
                ("bias", by_value, sum(sizes)),
                ("noise", by_value, sum(sizes)),
                ("sharpness", by_field, fields),
                ("cut", by_field, fields),
            )
        }
        z = self.norm(hidden, "heads.norm")
        drawn: list[str] = []
        likelihoods = []
        for i, size in enumerate(sizes):
            # Value 0 is "open" and never drawn.
            never = np.zeros(size, np.float32)
            never[0] = FAR
            logits = self.op("Add", [self.linear(z, f"heads.readers.{i}"), self.constant(never)])
            biased = self.op("Add", [logits, pieces["bias"][i]])
            if i == 1:
                biased = self.op("Add", [biased, self._paired(drawn[0])])
            tempered = self.op("Mul", [biased, pieces["sharpness"][i]])
            value = self._sample(tempered, pieces["cut"][i], pieces["noise"][i])
            drawn.append(value)
            log_p = f"log_p{i}"
            self.output(
                log_p,
                self.op("LogSoftmax", [logits], axis=-1),
                TensorProto.FLOAT,
                ["B", size],
            )
            likelihoods.append(self.op("GatherElements", [log_p, value], axis=-1))
            if i < fields - 1:
                z = self._tell(z, i, value)
        event = self.op("Concat", drawn, axis=-1) if fields > 1 else drawn[0]
        likelihood = self.op("Concat", likelihoods, axis=-1) if fields > 1 else likelihoods[0]
        self.output("event", event, TensorProto.INT64, ["B", fields])
        self.output("likelihood", likelihood, TensorProto.FLOAT, ["B", fields])

    def _paired(self, first: str) -> str:
        """What is added to the second field's log-weights, now that the first is drawn."""
        sizes = self.shape.event_sizes
        paired = self.input(PAIRED, TensorProto.FLOAT, ["B", sizes[0], sizes[1]])
        return self.op("GatherND", [paired, first], batch_dims=1)

    def _pieces(self, name: str, splits: str, fields: int, width: int) -> list[str]:
        """An input of all fields side by side, cut into one piece a field."""
        row = self.input(name, TensorProto.FLOAT, ["B", width])
        return [row] if fields == 1 else self.ops("Split", [row, splits], fields, axis=-1)

    def _sample(self, logits: str, cut: str, noise: str) -> str:
        top = self.op("ReduceMax", [logits, self.axes(-1)], keepdims=1)
        likely = self.op("GreaterOrEqual", [logits, self.op("Add", [top, cut])])
        noisy = self.op("Add", [logits, noise])
        return self.op(
            "ArgMax", [self.op("Where", [likely, noisy, self.real(2 * FAR)])], axis=-1, keepdims=1
        )

    def _tell(self, z: str, field: int, value: str) -> str:
        """The hidden vector after a field was drawn."""
        index = self.op("Squeeze", [value, self.axes(-1)])
        chosen = self.rows(index, f"heads.chosen.{field}")
        z = self.op("Add", [z, chosen])
        down = self.op("Relu", [self.linear(z, f"heads.mixers.{field}.0")])
        return self.op("Add", [z, self.linear(down, f"heads.mixers.{field}.1")])


def _cell_names(layer: int, what: str) -> list[str]:
    return [f"cells.{layer}.{what}_{part}_l0" for part in ("ih", "hh")]


def weights_of(model: onnx.ModelProto) -> Weights:
    """The weights that `step_graph` was given, as far as the file has kept them."""
    found: Weights = {}
    for name, tensor in stored_weights(model).items():
        if name.endswith(".bias"):
            names = _cell_names(int(name.split(".")[1]), "bias")
            halves = np.split(tensor[0], 2)
            found |= {n: _torch_gates(half) for n, half in zip(names, halves, strict=True)}
        else:
            found[name] = _torch_gates(tensor) if name.startswith("cells.") else tensor
    return found


def _torch_gates(array: NDArray[np.float32]) -> NDArray[np.float32]:
    i, o, f, c = np.split(array, 4)
    return np.concatenate((i, f, c, o))


def _onnx_gates(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """torch orders the gates input, forget, cell, output; ONNX input, output, forget, cell."""
    i, f, c, o = np.split(array, 4)
    return np.concatenate((i, o, f, c))
