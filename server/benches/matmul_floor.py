"""The floor of a network: its matrix products alone, without anything between them.

The graph is made from the bundle's own: each product with its own weights, however they are
stored, fed by noise of the right shape. What a step of the whole composer takes beyond that is
the price of everything else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from common.errors import BundleError
from engine.network.bundle import Specification
from engine.network.runtime import open_session
from server.protobuf import Message

PRODUCTS = ("MatMul", "MatMulNBits", "LSTM")
# Field numbers of ONNX messages.
MODEL_GRAPH = 7
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_OUTPUT = 1, 5, 11, 12
NODE_INPUT, NODE_OUTPUT, NODE_KIND, NODE_ATTRIBUTE = 1, 2, 4, 5
ATTRIBUTE_NAME, ATTRIBUTE_INTEGER = 1, 3
TENSOR_DIMS, TENSOR_NAME = 1, 8
NAME, TYPE = 1, 2  # of a graph's inputs and outputs
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
    except (ValueError, LookupError) as error:
        raise BundleError(
            f"the matrix products of {spec.name} cannot be told apart ({error}): "
            "export the model again"
        ) from error


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
        self.spec = spec
        self.model = Message.parse(bundle)
        (graph,) = self.model.messages(MODEL_GRAPH)
        self.nodes = graph.messages(GRAPH_NODE)
        self.weights = {}
        for raw in graph.chunks(GRAPH_INITIALIZER):
            tensor = Message.parse(raw)
            self.weights[tensor.text(TENSOR_NAME)] = (tensor.numbers(TENSOR_DIMS), raw)
        self.makers = {name: node for node in self.nodes for name in node.texts(NODE_OUTPUT)}
        self.states = {f"{state.name}_out": state.shape for state in spec.states}
        self.heads = max((_integer(node, "num_heads", 0) for node in self.nodes), default=0)
        self.inputs: dict[str, Shape] = {}
        self.kept: dict[str, bytes] = {}  # weights
        self.constants: list[Message] = []  # nodes that make a weight out of others
        self.products: list[Message] = []

    def floor(self) -> MatmulFloor:
        for node in self.nodes:
            if node.text(NODE_KIND) in PRODUCTS:
                self._take(node)
        graph = Message().add(2, "floor")
        for node in (*self.constants, *self.products):
            graph.add(GRAPH_NODE, node)
        for raw in self.kept.values():
            graph.add(GRAPH_INITIALIZER, raw)
        for name, shape in self.inputs.items():
            graph.add(GRAPH_INPUT, _value(name, shape))
        for node in self.products:
            graph.add(GRAPH_OUTPUT, _value(node.texts(NODE_OUTPUT)[0], None))
        # Metadata would only be loaded for nothing.
        model = self.model.without(MODEL_GRAPH, 14).add(MODEL_GRAPH, graph)
        return MatmulFloor(model.to_bytes(), self.inputs, len(self.products))

    def _take(self, node: Message) -> None:
        """Keep a product, each of its moving inputs replaced by an input of the floor."""
        names = node.texts(NODE_INPUT)
        shapes = self._moving_shapes(node, names)
        taken = Message()
        for i, name in enumerate(names):
            if i not in shapes:
                self._keep(name)
            else:
                name = "x" + "_".join(map(str, shapes[i]))
                if names[i] in self.states:  # every stream and layer has its own memory
                    name = names[i]
                self.inputs[name] = shapes[i]
            taken.add(NODE_INPUT, name)
        taken.fields += node.without(NODE_INPUT).fields
        self.products.append(taken)

    def _moving_shapes(self, node: Message, names: list[str]) -> dict[int, Shape]:
        """The shape of each input that is not a weight, by its place."""
        if node.text(NODE_KIND) == "LSTM":
            width = _integer(node, "hidden_size")
            carried: Shape = (1, ROWS, width)
            return {0: (1, ROWS, self._columns(names[1])), 5: carried, 6: carried}
        if self._is_weight(names[1]):
            across = _integer(node, "K", 0) or self.weights[names[1]][0][0]
            return {0: (ROWS, across)}
        memory = self.states[names[1]]
        return {0: (ROWS, self.heads, memory[0]), 1: (ROWS, *memory)}

    def _is_weight(self, name: str) -> bool:
        """Whether a value is stored, or made of stored ones only."""
        if name in self.weights or not name:
            return True
        made = self.makers.get(name)
        return made is not None and all(map(self._is_weight, made.texts(NODE_INPUT)))

    def _columns(self, name: str) -> int:
        """The last axis of a stored matrix, or of the one that a weight is made of."""
        while name not in self.weights:
            name = self.makers[name].texts(NODE_INPUT)[0]
        return self.weights[name][0][-1]

    def _keep(self, name: str) -> None:
        if name in self.weights:
            self.kept[name] = self.weights[name][1]
        elif name and self.makers[name] not in self.constants:
            for part in self.makers[name].texts(NODE_INPUT):
                self._keep(part)
            self.constants.append(self.makers[name])


def _integer(node: Message, name: str, default: int | None = None) -> int:
    """An integer attribute of a node; LookupError if it has none and no default."""
    for attribute in node.messages(NODE_ATTRIBUTE):
        if attribute.text(ATTRIBUTE_NAME) == name:
            return attribute.numbers(ATTRIBUTE_INTEGER)[0]
    if default is None:
        raise LookupError(f"{node.text(NODE_KIND)} has no {name}")
    return default


def _value(name: str, shape: Shape | None) -> Message:
    """What a graph says of an input or output: floats, of this shape if it is known."""
    tensor = Message().add(1, FLOAT)
    if shape is not None:
        sizes = Message()
        for size in shape:
            # Field 1 of a dimension is its size, field 2 a name for one that varies.
            sizes.add(1, Message().add(1 if isinstance(size, int) else 2, size))
        tensor.add(2, sizes)
    return Message().add(NAME, name).add(TYPE, Message().add(1, tensor))
