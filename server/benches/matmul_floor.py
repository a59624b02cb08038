"""The floor of a network: its matrix products alone, without anything between them.

The graph is made from the bundle's own: each product with its own weights, however they are
stored, fed by noise of the right shape. What a step of the whole composer takes beyond that is
the price of everything else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from common.errors import BundleError
from engine.network.bundle import Specification
from engine.network.runtime import open_session

PRODUCTS = ("MatMul", "MatMulNBits", "LSTM")
# As much of an ONNX file as is looked at, as onnx.proto has it; what else stands in it is kept.
ONNX = {
    "Model": ("Graph graph = 7", "repeated bytes metadata_props = 14"),
    "Graph": (
        "repeated Node node = 1",
        "string name = 2",
        "repeated Tensor initializer = 5",
        "repeated Value input = 11",
        "repeated Value output = 12",
    ),
    "Node": (
        "repeated string input = 1",
        "repeated string output = 2",
        "string op_type = 4",
        "repeated Attribute attribute = 5",
    ),
    "Attribute": ("string name = 1", "int64 i = 3"),
    "Tensor": ("repeated int64 dims = 1", "string name = 8"),
    "Value": ("string name = 1", "Type type = 2"),
    "Type": ("TensorType tensor_type = 1",),
    "TensorType": ("int32 elem_type = 1", "Shape shape = 2"),
    "Shape": ("repeated Dimension dim = 1",),
    "Dimension": ("int64 dim_value = 1", "string dim_param = 2"),
}
FLOAT = 1
ROWS = "rows"

Shape = tuple[int | str, ...]  # ROWS stands for the number of streams in a call


class MatmulFloor(NamedTuple):
    """The graph of the products, and the shapes of what it is fed with."""

    graph: bytes
    inputs: dict[str, Shape]
    products: int


def matmul_floor_of(bundle: bytes, spec: Specification) -> MatmulFloor:
    """The floor of a bundle; BundleError if its graph is not as `perpetuo export` writes it."""
    try:
        return _Stripped(bundle, spec).floor()
    except (DecodeError, LookupError, ValueError) as error:
        raise BundleError(
            f"the matrix products of {spec.name} cannot be told apart ({error}): "
            "export the model again"
        ) from error


def messages() -> dict[str, Any]:
    """The classes of ONNX's messages, by name."""
    file = FileDescriptorProto(name="onnx_floor.proto", package="onnx_floor")
    for name, fields in ONNX.items():
        file.message_type.add(name=name, field=map(_field, fields))
    pool = DescriptorPool()
    pool.Add(file)
    found = pool.FindFileByName(file.name).message_types_by_name
    return {name: GetMessageClass(found[name]) for name in ONNX}


def _field(line: str) -> FieldDescriptorProto:
    *repeated, kind, name, _, number = line.split()
    field = FieldDescriptorProto(name=name, number=int(number))
    field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
    if kind in ONNX:
        field.type_name = kind
    else:
        field.type = field.Type.Value(f"TYPE_{kind.upper()}")
    return field


def stepper(floor: MatmulFloor, rows: int, threads: int) -> Callable[[], None]:
    """What runs the products once for so many rows; its inputs and outputs are bound once."""
    session = open_session(floor.graph, "the floor", "cpu", threads)
    binding = session.io_binding()
    dice = np.random.Generator(np.random.Philox(1))
    held = []
    for name, shape in floor.inputs.items():
        sizes = [rows if size == ROWS else int(size) for size in shape]
        array = dice.standard_normal(sizes, np.float32)
        held.append(array)
        binding.bind_input(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
    for output in session.get_outputs():
        binding.bind_output(output.name, "cpu")

    # The default keeps the bound memory alive as long as the function.
    def step(_held: list[Any] = held) -> None:
        session.run_with_iobinding(binding)

    return step


class _Stripped:
    """A bundle's graph while the products are taken out of it."""

    def __init__(self, bundle: bytes, spec: Specification) -> None:
        self.onnx = messages()
        self.model = self.onnx["Model"].FromString(bundle)
        self.nodes = self.model.graph.node
        self.weights = {tensor.name: tensor for tensor in self.model.graph.initializer}
        self.makers = {name: node for node in self.nodes for name in node.output}
        self.states = {f"{state.name}_out": state.shape for state in spec.states}
        self.heads = max((_integer(node, "num_heads", 0) for node in self.nodes), default=0)
        self.inputs: dict[str, Shape] = {}
        self.kept: dict[str, Any] = {}  # weights
        self.constants: list[Any] = []  # nodes that make a weight out of others
        self.products: list[Any] = []

    def floor(self) -> MatmulFloor:
        for node in self.nodes:
            if node.op_type in PRODUCTS:
                self._take(node)
        if not self.products:
            raise LookupError("there are none")
        graph = self.onnx["Graph"](
            name="floor",
            node=[*self.constants, *self.products],
            initializer=self.kept.values(),
            input=[_value(name, shape) for name, shape in self.inputs.items()],
            output=[_value(node.output[0], None) for node in self.products],
        )
        self.model.graph.CopyFrom(graph)
        self.model.ClearField("metadata_props")  # it would only be loaded for nothing
        return MatmulFloor(self.model.SerializeToString(), self.inputs, len(self.products))

    def _take(self, node: Any) -> None:
        """Keep a product, each of its moving inputs replaced by an input of the floor."""
        shapes = self._moving_shapes(node)
        taken = self.onnx["Node"]()
        taken.CopyFrom(node)
        for i, name in enumerate(node.input):
            if i not in shapes:
                self._keep(name)
                continue
            # Every stream and layer has its own memory.
            known = name if name in self.states else "x" + "_".join(map(str, shapes[i]))
            self.inputs[known] = shapes[i]
            taken.input[i] = known
        self.products.append(taken)

    def _moving_shapes(self, node: Any) -> dict[int, Shape]:
        """The shape of each input that is not a weight, by its place."""
        name = node.input[1]
        if node.op_type == "LSTM":
            width = _integer(node, "hidden_size")
            carried: Shape = (1, ROWS, width)
            return {0: (1, ROWS, self._columns(name)), 5: carried, 6: carried}
        if self._is_weight(name):
            across = _integer(node, "K", 0) or self.weights[name].dims[0]
            return {0: (ROWS, across)}
        memory = self.states[name]
        return {0: (ROWS, self.heads, memory[0]), 1: (ROWS, *memory)}

    def _is_weight(self, name: str) -> bool:
        """Whether a value is stored, or made of stored ones only."""
        if name in self.weights or not name:
            return True
        made = self.makers.get(name)
        return made is not None and all(map(self._is_weight, made.input))

    def _columns(self, name: str) -> int:
        """The last axis of a stored matrix, or of the one that a weight is made of."""
        while name not in self.weights:
            name = self.makers[name].input[0]
        return int(self.weights[name].dims[-1])

    def _keep(self, name: str) -> None:
        if name in self.weights:
            self.kept[name] = self.weights[name]
        elif name and self.makers[name] not in self.constants:
            for part in self.makers[name].input:
                self._keep(part)
            self.constants.append(self.makers[name])


def _integer(node: Any, name: str, default: int | None = None) -> int:
    """An integer attribute of a node; LookupError if it has none and no default."""
    for attribute in node.attribute:
        if attribute.name == name:
            return int(attribute.i)
    if default is None:
        raise LookupError(f"{node.op_type} has no {name}")
    return default


def _value(name: str, shape: Shape | None) -> dict[str, Any]:
    """What a graph says of an input or output: floats, of this shape if it is known."""
    tensor: dict[str, Any] = {"elem_type": FLOAT}
    if shape is not None:
        sizes = [{"dim_value" if isinstance(n, int) else "dim_param": n} for n in shape]
        tensor["shape"] = {"dim": sizes}
    return {"name": name, "type": {"tensor_type": tensor}}
