"""Writes ONNX graphs node by node: small words for operators, constants, inputs and outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from export.networks.modules import EPSILON

Weights = dict[str, NDArray[np.float32]]
BLOCK = 32  # weights that share one scale when quantised
# Weights stand in the file under their torch names, so that a training can begin with them; what
# follows the name says how they are stored.
TURNED, PACKED, SCALES, WHOLE, ROW_SCALES = ":turned", ":packed", ":scales", ":whole", ":rows"


class Builder:
    """A graph under construction. Linear weights are stored in 32, 8 or 4 bits.

    Operators return the names of what they compute; `weights` are looked up by their torch names.
    """

    def __init__(self, weights: Weights, bits: int) -> None:
        self.weights, self.bits = weights, bits
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[bytes, str] = {}
        self.initializers: list[onnx.TensorProto] = []
        self.ins: list[onnx.ValueInfoProto] = []
        self.outs: list[onnx.ValueInfoProto] = []
        self.count = 0

    def model(self, name: str) -> onnx.ModelProto:
        """What was built so far."""
        graph = helper.make_graph(self.nodes, name, self.ins, self.outs, self.initializers)
        opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="perpetuo")
        model.ir_version = 10
        return model

    def op(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        return self.ops(kind, inputs, 1, **attributes)[0]

    def ops(self, kind: str, inputs: list[str], count: int, **attributes: Any) -> list[str]:
        self.count += 1
        outputs = [f"{kind.lower()}_{self.count}_{i}" for i in range(count)]
        self.nodes.append(helper.make_node(kind, inputs, outputs, **attributes))
        return outputs

    def named(self, array: NDArray[np.generic], name: str) -> str:
        """An initializer of this name."""
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def constant(self, array: NDArray[np.generic]) -> str:
        """An initializer; equal ones are stored once."""
        key = array.tobytes() + str((array.dtype, array.shape)).encode()
        if key not in self.constants:
            self.constants[key] = f"constant_{len(self.constants)}"
            self.initializers.append(numpy_helper.from_array(array, self.constants[key]))
        return self.constants[key]

    def integers(self, *values: int) -> str:
        """A scalar for one value given, else a vector."""
        return self.constant(np.array(values[0] if len(values) == 1 else values, np.int64))

    def axes(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def real(self, value: float) -> str:
        return self.constant(np.array(value, np.float32))

    def input(self, name: str, kind: int, dims: Sequence[str | int]) -> str:
        self.ins.append(helper.make_tensor_value_info(name, kind, dims))
        return name

    def output(self, name: str, source: str, kind: int, dims: Sequence[str | int]) -> None:
        """Make `source` the graph's output `name` by renaming it where it is made."""
        for node in self.nodes:
            for i, made in enumerate(node.output):
                if made == source:
                    node.output[i] = name
            for i, read in enumerate(node.input):
                if read == source:
                    node.input[i] = name
        self.outs.append(helper.make_tensor_value_info(name, kind, dims))

    def linear(self, x: str, name: str) -> str:
        """x times the transposed torch weight `name`."""
        name = f"{name}.weight"
        weight = self.weights[name]
        outputs, inputs = weight.shape
        if self.bits == 32 or inputs % BLOCK:
            turned = self.named(np.ascontiguousarray(weight.T), name + TURNED)
            return self.op("MatMul", [x, turned])
        packed, scales = quantise(weight, self.bits)
        return self.op(
            "MatMulNBits",
            [x, self.named(packed, name + PACKED), self.named(scales, name + SCALES)],
            domain="com.microsoft",
            K=inputs,
            N=outputs,
            bits=self.bits,
            block_size=BLOCK,
            accuracy_level=4,
        )

    def rows(self, index: str, name: str) -> str:
        """Rows of the embedding `name`."""
        name = f"{name}.weight"
        return self.op("Gather", [self.stored(self.weights[name], name), index])

    def stored(self, matrix: NDArray[np.float32], name: str) -> str:
        """A matrix that is read as floats. If weights are quantised it takes a byte a weight in
        the file (4 bits would cost too much here) and is unfolded once, when that is loaded."""
        if self.bits == 32:
            return self.named(matrix, name)
        scale = np.maximum(np.abs(matrix).max(axis=1), 1e-8).astype(np.float32) / 127
        whole = np.rint(matrix / scale[:, None]).astype(np.int8)
        parts = [self.named(whole, name + WHOLE), self.named(scale, name + ROW_SCALES)]
        return self.op("DequantizeLinear", parts, axis=0)

    def norm(self, x: str, name: str) -> str:
        scale = self.named(self.weights[f"{name}.weight"], f"{name}.weight")
        return self.op("SimplifiedLayerNormalization", [x, scale], axis=-1, epsilon=EPSILON)


def quantise(
    weight: NDArray[np.float32], bits: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A torch weight [outputs, inputs] as MatMulNBits stores it: blocks along the inputs, one
    scale a block, values around the middle of their range."""
    outputs, inputs = weight.shape
    blocks = weight.reshape(outputs, inputs // BLOCK, BLOCK)
    middle = 1 << (bits - 1)
    # The extreme of a block is put on -middle, which has one step more than +middle.
    extreme = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=2)[..., None], axis=2)[..., 0]
    scales = (extreme / -middle).astype(np.float32)
    safe = np.where(scales == 0, 1, scales)[..., None]
    values = np.clip(np.rint(blocks / safe) + middle, 0, 2 * middle - 1).astype(np.uint8)
    if bits == 4:
        values = values[..., 0::2] | (values[..., 1::2] << 4)
    return np.ascontiguousarray(values), scales


def stored_weights(model: onnx.ModelProto) -> Weights:
    """The weights of a graph by their names, as whole as they were stored."""
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    found: Weights = {}
    for stored, tensor in tensors.items():
        name, colon, form = stored.partition(":")
        if colon + form == TURNED:
            found[name] = tensor.T
        elif colon + form == PACKED:
            found[name] = unfolded(tensor, tensors[name + SCALES])
        elif colon + form == WHOLE:
            found[name] = tensor * tensors[name + ROW_SCALES][:, None]
        elif "." in name and not colon:
            found[name] = tensor
    return found


def unfolded(packed: NDArray[np.uint8], scales: NDArray[np.float32]) -> NDArray[np.float32]:
    """What `quantise` stored, [outputs, inputs]."""
    bits = 8 * packed.shape[2] // BLOCK
    if bits == 4:
        packed = np.stack((packed & 15, packed >> 4), axis=-1).reshape(*packed.shape[:2], BLOCK)
    values = packed.astype(np.float32) - (1 << (bits - 1))
    found: NDArray[np.float32] = (values * scales[..., None]).reshape(len(packed), -1)
    return found
