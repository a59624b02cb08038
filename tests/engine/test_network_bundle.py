"""The specification that a bundle carries: it comes back as it was, or says what is wrong."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import BundleError
from engine.music.fields import CONTEXT
from engine.network.bundle import VERSION, Specification, StateTensor, pack, unpack
from engine.representations.codec import codec

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


def specification(name: str = "notes", network: str = "gpt") -> Specification:
    coder = codec(name)
    return Specification(
        name="test",
        network=network,
        codec=name,
        event=tuple((field.name, field.size) for field in coder.fields),
        context=tuple((field, CONTEXT[field].size) for field in coder.context),
        styles=("folk", "baroque"),
        states=(StateTensor("key0", (16, 48), "ring"), StateTensor("value0", (48, 16), "ring")),
        window=16,
        ring=48,
        step_frequencies=(1.0, 0.1),
        tick_frequencies=(0.5,),
        parameters=1234,
        card={"licence": "CC0", "figures": {"valid": 4.5}},
    )


@pytest.mark.parametrize("name", ["notes", "performance"])
@pytest.mark.parametrize("network", ["gpt", "lstm"])
def test_a_specification_comes_back_as_it_was(name: str, network: str) -> None:
    spec = specification(name, network)
    assert Specification.from_json(spec.to_json(), "here") == spec
    assert spec.open_codec().name == name


def test_widths_follow_from_the_fields_and_styles() -> None:
    spec = specification()
    assert spec.mix_width == 2 + 8 + 12
    assert spec.event_width == sum(size for _, size in spec.event)


@given(key=st.sampled_from(sorted(json.loads(specification().to_json()))), value=JSON)
@settings(max_examples=150)
def test_a_value_of_another_kind_is_refused_or_harmless(key: str, value: object) -> None:
    raw = json.loads(specification().to_json())
    raw[key] = value
    try:
        found = Specification.from_json(json.dumps(raw), "some.onnx")
    except BundleError:
        return
    assert isinstance(found.mix_width, int)
    assert isinstance(found.event_width, int)


@given(st.text(max_size=40))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(BundleError, match=r"some\.onnx"):
        Specification.from_json(text, "some.onnx")


def test_another_version_is_named_with_the_remedy() -> None:
    text = replace(specification(), version=VERSION + 1).to_json()
    with pytest.raises(BundleError, match=f"version {VERSION + 1}.*export it again"):
        Specification.from_json(text, "some.onnx")


def test_a_field_that_is_left_out_is_missed() -> None:
    raw = json.loads(specification().to_json())
    del raw["event"][2]
    with pytest.raises(BundleError, match="event fields are not those of 'notes'"):
        Specification.from_json(json.dumps(raw), "some.onnx")


@given(st.binary(max_size=200))
def test_bytes_come_back_from_metadata(data: bytes) -> None:
    assert unpack(pack(data), "here") == data
