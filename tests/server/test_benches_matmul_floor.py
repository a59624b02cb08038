"""The floor of a network: its own matrix products, and nothing else."""

from __future__ import annotations

from typing import Any

import onnx
import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto

from common.errors import BundleError
from server.benches.matmul_floor import PRODUCTS, matmul_floor_of, messages, stepper
from tests.bundles import CODECS, NETWORKS, tiny, tiny_bytes

# What the messages of onnx.proto are called there.
CALLED = {
    "Model": onnx.ModelProto,
    "Graph": onnx.GraphProto,
    "Node": onnx.NodeProto,
    "Attribute": onnx.AttributeProto,
    "Tensor": onnx.TensorProto,
    "Value": onnx.ValueInfoProto,
    "Type": onnx.TypeProto,
    "TensorType": onnx.TypeProto.Tensor,
    "Shape": onnx.TensorShapeProto,
    "Dimension": onnx.TensorShapeProto.Dimension,
}


def fields_of(message: Any) -> dict[str, tuple[int, int, int]]:
    """Number, label and type of each field, by its name."""
    described = DescriptorProto()
    message.DESCRIPTOR.CopyToProto(described)
    return {field.name: (field.number, field.label, field.type) for field in described.field}


def test_the_fields_that_are_looked_at_are_those_of_onnx() -> None:
    known = messages()
    assert known.keys() == CALLED.keys()
    for name, message in known.items():
        theirs = fields_of(CALLED[name])
        for field, ours in fields_of(message).items():
            if field == "metadata_props":  # left out unread, so that its bytes need no meaning
                assert ours[:2] == theirs[field][:2]
            else:
                assert ours == theirs[field], (name, field)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("bits", [32, 8])
def test_the_floor_multiplies_by_the_networks_own_weights(kind: str, codec: str, bits: int) -> None:
    bundle = tiny_bytes(kind, codec, bits)
    floor = matmul_floor_of(bundle, tiny(kind, codec, bits).specification)
    before, after = (onnx.load_from_string(data) for data in (bundle, floor.graph))
    wanted = [node for node in before.graph.node if node.op_type in PRODUCTS]
    found = [node for node in after.graph.node if node.op_type in PRODUCTS]
    assert floor.products == len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        assert (ours.op_type, ours.domain) == (theirs.op_type, theirs.domain)
        assert (ours.attribute, ours.output) == (theirs.attribute, theirs.output)
    own = {tensor.name: tensor for tensor in before.graph.initializer}
    assert all(tensor == own[tensor.name] for tensor in after.graph.initializer)
    assert after.opset_import == before.opset_import
    assert not after.metadata_props
    stepper(floor, 3, 1)()


@pytest.mark.parametrize("broken", [b"", b"\x08", b"\x3a\x05ab", b"\x3a\x05\x0a\x03\x22\x01\xff"])
def test_what_is_no_bundle_has_no_floor(broken: bytes) -> None:
    with pytest.raises(BundleError, match=r"cannot be told apart \(.+\): export the model again"):
        matmul_floor_of(broken, tiny("gpt").specification)


def test_a_product_of_values_that_are_not_known_is_told() -> None:
    model = onnx.load_from_string(tiny_bytes("gpt"))
    product = next(node for node in model.graph.node if node.op_type == "MatMul")
    product.input[1] = product.input[0]
    with pytest.raises(BundleError, match="cannot be told apart"):
        matmul_floor_of(model.SerializeToString(), tiny("gpt").specification)
