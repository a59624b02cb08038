"""The step graph: weights stored in few bits, tensors named as the runtime expects."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.networks.graph import states_of
from export.networks.onnx_builder import BLOCK, quantise
from tests.bundles import CODECS, NETWORKS, RING, tiny, tiny_bytes, torch_network


@given(
    rows=st.integers(1, 5),
    blocks=st.integers(1, 4),
    bits=st.sampled_from([4, 8]),
    seed=st.integers(0, 1 << 30),
)
@settings(max_examples=40)
def test_a_stored_weight_is_off_by_at_most_half_a_step(
    rows: int, blocks: int, bits: int, seed: int
) -> None:
    weight = np.random.default_rng(seed).normal(size=(rows, blocks * BLOCK)).astype(np.float32)
    packed, scales = quantise(weight, bits)
    assert packed.shape == (rows, blocks, BLOCK * bits // 8)
    if bits == 4:
        packed = np.stack((packed & 15, packed >> 4), axis=-1).reshape(rows, blocks, BLOCK)
    middle = 1 << (bits - 1)
    restored = (packed.astype(np.float64) - middle) * scales[..., None]
    off = np.abs(restored - weight.reshape(restored.shape))
    # The end opposite the largest value has one step less.
    assert (off <= 1.01 * np.abs(scales)[..., None]).all()
    assert (off.mean(axis=-1) <= 0.5 * np.abs(scales)).all()


def test_a_block_of_zeros_stays_zero() -> None:
    packed, scales = quantise(np.zeros((2, BLOCK), np.float32), 8)
    assert (packed == 128).all()
    assert (scales == 0).all()


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("kind", NETWORKS)
def test_every_state_goes_in_and_comes_out(kind: str, codec: str) -> None:
    graph = onnx.load_from_string(tiny_bytes(kind, codec)).graph
    ins = {i.name for i in graph.input}
    outs = {o.name for o in graph.output}
    for state in states_of(torch_network(kind, codec).shape):
        assert state.name in ins
        assert f"{state.name}_out" in outs
        assert state.kind == ("ring" if kind == "gpt" else "carry")
        assert (RING in state.shape) == (kind == "gpt")


@pytest.mark.parametrize("kind", NETWORKS)
def test_fewer_bits_make_smaller_files_that_think_alike(kind: str) -> None:
    sizes, drawn = [], []
    for bits in (32, 8, 4):
        network = tiny(kind, "notes", bits)
        sizes.append(network.size)
        assert network.specification.bits == bits
        pool = network.pool(2, reveal=True)
        pool.run([pool.acquire()])
        drawn.append(np.exp(pool.log_p[0][0].astype(np.float64)))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[-1]
    assert np.abs(drawn[1] - drawn[0]).max() < 0.01
    assert np.abs(drawn[2] - drawn[0]).max() < 0.15


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_file_is_the_same_every_time(kind: str) -> None:
    first = tiny_bytes(kind)
    tiny_bytes.cache_clear()
    assert tiny_bytes(kind) == first
