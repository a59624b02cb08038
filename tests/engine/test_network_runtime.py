"""Laws of pools: endless equals dense, rows do not disturb each other, going back is exact."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from common.errors import BundleError, CapacityError, ProviderError
from engine.composing.composer import Composer
from engine.controls.controls import Controls
from engine.music.noise import gumbel_block, uniforms
from engine.network.bundle import METADATA_KEY, PAIRED, PLANNER_KEY
from engine.network.runtime import MOST_BINDINGS, Network, Pool
from engine.network.seal import SEAL_KEY
from engine.representations.codec import field_offsets
from tests.bundles import NETWORKS, RING, WINDOW, tiny, tiny_bytes, torch_network

STEPS = 6 * RING
CERTAIN = 1e9
each_network = pytest.mark.parametrize("kind", NETWORKS)
each_bundle = pytest.mark.parametrize(
    ("kind", "bits"), [("gpt", 32), ("lstm", 32), ("gpt", 8), ("gpt", 4), ("lstm", 8)]
)


class Music(NamedTuple):
    """Random but well-formed steps of several rows."""

    inputs: NDArray[np.int64]
    mix: NDArray[np.float32]
    ticks: NDArray[np.int64]
    targets: NDArray[np.int64]


def invented(kind: str, rows: int, steps: int, codec: str = "notes") -> Music:
    shape = torch_network(kind, codec).shape
    draws = np.random.default_rng(11)
    targets = np.stack([draws.integers(1, s, (rows, steps)) for s in shape.event_sizes], axis=-1)
    context = np.stack([draws.integers(0, s, (rows, steps)) for s in shape.context_sizes], axis=-1)
    before = np.concatenate((np.zeros_like(targets[:, :1]), targets[:, :-1]), axis=1)
    return Music(
        np.concatenate((before, context), axis=-1),
        draws.random((rows, shape.mix_width)).astype(np.float32),
        np.cumsum(draws.integers(0, 24, (rows, steps)), axis=1),
        targets,
    )


@torch.no_grad()
def dense(kind: str, music: Music, codec: str = "notes") -> NDArray[np.float32]:
    """Log-probabilities of the targets by the torch network over whole sequences."""
    network = torch_network(kind, codec)
    steps = music.inputs.shape[1]
    logits = network(
        torch.from_numpy(music.inputs),
        torch.from_numpy(music.mix)[:, None].expand(-1, steps, -1),
        torch.zeros(music.inputs.shape[:2], dtype=torch.long),
        torch.from_numpy(music.ticks),
        torch.from_numpy(music.targets),
    )
    found = []
    for i, values in enumerate(logits):
        values[..., 0] = -1e9  # "open" is never drawn
        chosen = torch.from_numpy(music.targets[..., i : i + 1])
        found.append(values.log_softmax(-1).gather(-1, chosen)[..., 0])
    return torch.stack(found, dim=-1).numpy()


def force(pool: Pool, row: int, music: Music, r: int, t: int) -> None:
    """Fill a row for step t of the music's row r, so that its target is drawn."""
    offsets = field_offsets(pool.network.specification.open_codec().fields)[:-1]
    pool.inputs[row, 0] = music.inputs[r, t]
    pool.mix[row] = music.mix[r]
    pool.ticks[row] = music.ticks[r, t]
    pool.bias[row] = 0
    pool.bias[row, np.array(offsets) + music.targets[r, t]] = CERTAIN


# -- an endless stream equals the dense network ------------------------------------------------


@each_network
def test_an_endless_stream_equals_the_dense_network_at_every_step(kind: str) -> None:
    """Three rows at different lengths, one of them primed, the ring overwritten many times."""
    music = invented(kind, 3, STEPS)
    truth = dense(kind, music)
    pool = tiny(kind).pool(3)
    rows = [pool.acquire() for _ in range(3)]
    at = [0, 0, 25]
    pool.mix[rows[2]] = music.mix[2]
    pool.prefill(rows[2], music.inputs[2, :25], music.ticks[2, :25])
    for turn in range(2 * STEPS):
        waiting = (False, turn % 3 == 0, turn % 5 < 2)
        active = [r for r in range(3) if at[r] < STEPS and not waiting[r]]
        for r in active:
            force(pool, rows[r], music, r, at[r])
        if active:
            pool.run([rows[r] for r in active])
        for r in active:
            assert (pool.event[rows[r]] == music.targets[r, at[r]]).all()
            assert np.abs(pool.likelihood[rows[r]] - truth[r, at[r]]).max() < 1e-4
            at[r] += 1
    assert at == [STEPS] * 3


def test_step_one_million_is_as_exact_as_step_one() -> None:
    music = invented("gpt", 1, STEPS)
    truth = dense("gpt", music)
    late = music._replace(ticks=music.ticks + 12_000_000)
    pool = tiny("gpt").pool(1)
    row = pool.acquire()
    pool.steps[row] = pool.furthest[row] = 1_000_000
    warm = 2 * WINDOW  # until nothing of the empty ring is seen, layer upon layer
    for t in range(STEPS):
        force(pool, row, late, 0, t)
        pool.run([row])
        if t >= warm:
            assert np.abs(pool.likelihood[row] - truth[0, t]).max() < 1e-4


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_long_prompt_in_few_calls_equals_stepping_it(kind: str) -> None:
    length = 2 * RING + 7
    music = invented(kind, 1, length + 1, "performance")
    pool = tiny(kind, "performance").pool(2)
    stepped, primed = pool.acquire(), pool.acquire()
    for t in range(length):
        force(pool, stepped, music, 0, t)
        pool.run([stepped])
    pool.mix[primed] = music.mix[0]
    pool.prefill(primed, music.inputs[0, :length], music.ticks[0, :length])
    assert pool.steps[primed, 0] == pool.steps[stepped, 0] == length
    for row in (stepped, primed):
        force(pool, row, music, 0, length)
    pool.run([stepped, primed])
    assert np.abs(pool.likelihood[stepped] - pool.likelihood[primed]).max() < 1e-4


# -- rows do not disturb each other ------------------------------------------------------------


class Stream:
    """A row that feeds back what it draws, under a script of its own."""

    def __init__(self, pool: Pool, seed: int) -> None:
        self.pool, self.row, self.seed = pool, pool.acquire(), seed
        spec = pool.network.specification
        self.event = [0] * len(spec.event)
        self.sizes = [size for _, size in spec.context]
        pool.mix[self.row] = uniforms(seed, 1, 9, 0, spec.mix_width)
        pool.bias[self.row] = 0
        pool.sharpness[self.row], pool.cut[self.row] = 1, np.log(0.01)
        self.told: list[tuple[list[int], list[float]]] = []

    @property
    def step(self) -> int:
        return int(self.pool.steps[self.row, 0])

    def prepare(self) -> None:
        pool, row = self.pool, self.row
        draws = uniforms(self.seed, 2, 9, self.step, len(self.sizes))
        context = (draws * self.sizes).astype(np.int64).tolist()
        pool.inputs[row, 0] = self.event + context
        pool.ticks[row] = 7 * self.step
        pool.noise[row] = gumbel_block(self.seed, 0, self.step, 1, pool.noise.shape[1])[0]

    def absorb(self) -> None:
        self.event = self.pool.event[self.row].tolist()
        self.told.append((self.event, self.pool.likelihood[self.row].tolist()))

    @staticmethod
    def advance(streams: list[Stream]) -> None:
        for stream in streams:
            stream.prepare()
        streams[0].pool.run([stream.row for stream in streams])
        for stream in streams:
            stream.absorb()


def alone(kind: str, bits: int, seed: int, steps: int) -> list[tuple[list[int], list[float]]]:
    stream = Stream(tiny(kind, "notes", bits).pool(1), seed)
    for _ in range(steps):
        Stream.advance([stream])
    return stream.told


@each_bundle
def test_a_row_is_bit_for_bit_the_same_alone_and_among_others(kind: str, bits: int) -> None:
    pool = tiny(kind, "notes", bits).pool(8)
    streams = [Stream(pool, seed) for seed in range(8)]
    for _ in range(60):
        Stream.advance(streams)
    for stream in streams:
        assert stream.told == alone(kind, bits, stream.seed, 60)


@each_bundle
def test_only_the_rows_from_the_first_to_the_last_are_computed(kind: str, bits: int) -> None:
    pool = tiny(kind, "notes", bits).pool(8)
    streams = [Stream(pool, seed) for seed in range(8)]
    for first, last in [(0, 8), (3, 4), (7, 8), (2, 6), (0, 1), (6, 8), (3, 4)] * 5:
        taking_part = streams[first:last]
        for stream in taking_part:
            stream.prepare()
        assert pool.run([stream.row for stream in taking_part]) == max(last - first, 2)
        for stream in taking_part:
            stream.absorb()
    for stream in streams:
        assert stream.told == alone(kind, bits, stream.seed, len(stream.told))


@each_network
def test_whichever_rows_are_computed_little_is_kept_of_it(kind: str) -> None:
    pool = tiny(kind).pool(16)
    streams = [Stream(pool, seed) for seed in range(16)]
    for first in range(15):
        for last in range(first + 1, 16):
            Stream.advance([streams[first], streams[last]])
    assert len(pool._bindings) == MOST_BINDINGS
    for stream in streams:
        assert stream.told == alone(kind, 32, stream.seed, 15)


@each_bundle
def test_others_may_come_and_go_and_rest(kind: str, bits: int) -> None:
    pool = tiny(kind, "notes", bits).pool(8)
    guests = [Stream(pool, 100 + i) for i in range(5)]
    mine = Stream(pool, 3)
    assert mine.row == 5
    for turn in range(90):
        if turn % 13 == 5:
            pool.release(guests.pop(turn % len(guests)).row)
        if turn % 17 == 9:
            guests.append(Stream(pool, 200 + turn))
        active = [guest for i, guest in enumerate(guests) if (turn + i) % 3]
        Stream.advance([*active, mine] if turn % 4 else active)
    assert mine.told == alone(kind, bits, 3, len(mine.told))
    for guest in guests:
        assert guest.told == alone(kind, bits, guest.seed, len(guest.told))


@each_network
def test_a_pool_gives_the_lowest_row_first_and_says_when_it_is_full(kind: str) -> None:
    pool = tiny(kind).pool(3)
    assert [pool.acquire() for _ in range(3)] == [0, 1, 2]
    assert not pool.has_place
    with pytest.raises(CapacityError, match="all 3 places"):
        pool.acquire()
    pool.release(2)
    pool.release(0)
    assert pool.has_place
    assert [pool.acquire(), pool.acquire()] == [0, 2]


@each_network
def test_a_row_taken_again_remembers_nothing(kind: str) -> None:
    pool = tiny(kind).pool(1)
    first = Stream(pool, 1)
    for _ in range(RING + 5):
        Stream.advance([first])
    pool.release(first.row)
    second = Stream(pool, 2)
    for _ in range(10):
        Stream.advance([second])
    assert second.told == alone(kind, 32, 2, 10)


# -- going back, and moving house --------------------------------------------------------------


@each_bundle
def test_going_back_anywhere_within_the_margin_is_exact(kind: str, bits: int) -> None:
    pool = tiny(kind, "notes", bits).pool(2)
    mine, other = Stream(pool, 4), Stream(pool, 5)
    margin = min(pool.margin, RING)
    marks = []
    for _ in range(2 * RING):
        marks.append((pool.mark(mine.row), mine.event))
        Stream.advance([mine, other])
    truth = list(mine.told)
    for back in (1, 2, margin // 2, margin):
        mark, event = marks[2 * RING - back]
        assert pool.can_rewind(mine.row, mark)
        pool.rewind(mine.row, mark)
        mine.event, mine.told = event, truth[: 2 * RING - back]
        for _ in range(back):
            Stream.advance([mine])
            Stream.advance([other])
        assert mine.told == truth


def test_what_the_ring_has_overwritten_cannot_be_gone_back_to() -> None:
    pool = tiny("gpt").pool(1)
    stream = Stream(pool, 1)
    mark = pool.mark(stream.row)
    for step in range(pool.margin + 1):
        assert pool.can_rewind(stream.row, mark), step
        Stream.advance([stream])
    assert not pool.can_rewind(stream.row, mark)
    late = pool.mark(stream.row)
    Stream.advance([stream])
    pool.rewind(stream.row, late)
    assert not pool.can_rewind(stream.row, mark)  # going back does not bring the past back


@each_bundle
def test_a_row_goes_on_in_another_pool_bit_for_bit(kind: str, bits: int) -> None:
    truth = alone(kind, bits, 6, RING + 40)
    first = tiny(kind, "notes", bits).pool(2)
    stream = Stream(first, 6)
    for _ in range(RING + 20):
        Stream.advance([stream])
    mark, event = first.mark(stream.row), stream.event
    for _ in range(10):
        Stream.advance([stream])
    first.rewind(stream.row, mark)
    second = tiny(kind, "notes", bits).pool(4)
    moved = [Stream(second, 6) for _ in range(3)][-1]
    second.load(moved.row, first.save(stream.row))
    moved.event, moved.told = event, stream.told[: RING + 20]
    assert second.furthest[moved.row] == RING + 30
    for _ in range(20):
        Stream.advance([moved])
    assert moved.told == truth


@each_network
def test_the_state_of_a_row_has_the_size_it_says(kind: str) -> None:
    pool = tiny(kind).pool(4)
    row = pool.acquire()
    saved = sum(state.nbytes for state in pool.save(row).states.values())
    assert pool.state_bytes == saved


# -- sampling ----------------------------------------------------------------------------------

SAMPLING = [(1.0, 0.0), (0.6, 0.0), (1.7, 0.0), (1.0, 0.08), (1.5, 0.2)]


def draw_often(
    kind: str, field: int, temperature: float, min_p: float, bias: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(how often each value of a field was drawn, its analytic probability), at one place of the
    music, the other fields being fixed."""
    rows, rounds = 64, 40
    pool = tiny(kind).pool(rows, reveal=True)
    music = invented(kind, 1, 1)
    taken = [pool.acquire() for _ in range(rows)]
    offsets = field_offsets(pool.network.specification.open_codec().fields)
    span = slice(offsets[field], offsets[field + 1])
    counts = np.zeros(span.stop - span.start, np.int64)
    for turn in range(rounds):
        for row in taken:
            pool.reset(row)
            force(pool, row, music, 0, 0)
            pool.bias[row, span] = bias
            pool.noise[row] = gumbel_block(1, row, turn, 1, pool.noise.shape[1])[0]
        pool.sharpness[:] = 1 / temperature
        with np.errstate(divide="ignore"):
            pool.cut[:] = np.log(min_p)
        pool.run(taken)
        counts += np.bincount(pool.event[taken, field], minlength=len(counts))
    height = (pool.log_p[field][taken[0]].astype(np.float64) + bias) / temperature
    weight = np.exp(height - height.max())
    weight[weight < min_p] = 0
    return counts, weight / weight.sum()


@each_network
@pytest.mark.parametrize(("temperature", "min_p"), SAMPLING)
@pytest.mark.parametrize("field", [0, 4])
def test_draws_follow_the_analytic_distribution(
    kind: str, temperature: float, min_p: float, field: int
) -> None:
    size = tiny(kind).specification.event[field][1]
    bias = np.zeros(size, np.float32)
    bias[2], bias[3], bias[size // 2 :] = 0.7, -1e9, -0.7
    counts, chances = draw_often(kind, field, temperature, min_p, bias)
    assert counts[0] == counts[3] == 0
    assert (counts[chances == 0] == 0).all()
    expected = counts.sum() * chances
    rare = expected < 5  # together one cell, as the test demands
    cells = [(counts[i], expected[i]) for i in np.flatnonzero(~rare)]
    if expected[rare].sum() >= 1:
        cells.append((counts[rare].sum(), expected[rare].sum()))
    freedom = len(cells) - 1
    deviation = sum((seen - due) ** 2 / due for seen, due in cells)
    assert freedom >= 1
    assert deviation < freedom + 4 * np.sqrt(2 * freedom) + 4


@each_network
def test_open_is_never_drawn_however_much_it_is_wanted(kind: str) -> None:
    pool = tiny(kind).pool(2)
    row = pool.acquire()
    pool.bias[row, field_offsets(pool.spec.open_codec().fields)[:-1]] = 1e6
    pool.sharpness[row] = 0.1
    for step in range(20):
        pool.noise[row] = gumbel_block(2, 0, step, 1, pool.noise.shape[1])[0]
        pool.run([row])
        assert (pool.event[row] > 0).all()


# -- the bias of the second field by the first -------------------------------------------------


def without_paired(data: bytes) -> bytes:
    """The bundle as it was exported before there was such a bias."""
    model = onnx.load_from_string(data)
    assert model.metadata_props.pop().key == SEAL_KEY
    graph = model.graph
    (gather,) = (node for node in graph.node if node.op_type == "GatherND" and PAIRED in node.input)
    (added,) = (node for node in graph.node if gather.output[0] in node.input)
    (kept,) = (name for name in added.input if name != gather.output[0])
    for node in graph.node:
        for i, name in enumerate(node.input):
            if name == added.output[0]:
                node.input[i] = kept
    graph.node.remove(gather)
    graph.node.remove(added)
    graph.input.remove(next(entry for entry in graph.input if entry.name == PAIRED))
    return bytes(model.SerializeToString())


@each_network
def test_a_pair_is_biased_exactly_when_its_first_is_drawn(kind: str) -> None:
    pool = tiny(kind).pool(3)
    plain, wanted, others = (Stream(pool, 5) for _ in range(3))
    for _ in range(30):
        for stream in (plain, wanted, others):
            stream.prepare()
        first, second = peek(kind, plain)
        pool.paired[:] = 0
        pool.paired[wanted.row, first] = -1e6
        pool.paired[wanted.row, first, 61] = 0
        pool.paired[others.row] = -1e6 * (np.arange(pool.paired.shape[2]) != 61)
        pool.paired[others.row, first] = 0
        pool.run([plain.row, wanted.row, others.row])
        for stream in (plain, wanted, others):
            stream.absorb()
        assert plain.event[:2] == others.event[:2] == [first, second]
        assert plain.told[-1] == others.told[-1]
        assert wanted.event[:2] == [first, 61]
        others.event = wanted.event = plain.event


def peek(kind: str, stream: Stream) -> list[int]:
    """The first two fields of what a row draws next, from a copy of it."""
    pool = tiny(kind).pool(1)
    row = pool.acquire()
    pool.load(row, stream.pool.save(stream.row))
    for name in ("inputs", "mix", "bias", "noise", "sharpness", "cut", "ticks"):
        getattr(pool, name)[row] = getattr(stream.pool, name)[stream.row]
    pool.run([row])
    return [int(value) for value in pool.event[row, :2]]


@each_network
def test_a_bundle_of_before_draws_what_one_without_such_a_bias_does(kind: str) -> None:
    before = Network(without_paired(tiny_bytes(kind)), "before.onnx")
    assert before.paired_sizes == (0, 0)
    assert tiny(kind).paired_sizes == tuple(size for _, size in before.specification.event[:2])
    ours, theirs = Stream(tiny(kind).pool(1), 9), Stream(before.pool(1), 9)
    for _ in range(40):
        for stream in (ours, theirs):
            stream.prepare()
            stream.pool.run([stream.row])
            stream.absorb()
    assert ours.told == theirs.told


@each_network
def test_a_bundle_of_before_composes_and_hears_of_no_counterpoint(kind: str) -> None:
    before = Network(without_paired(tiny_bytes(kind)), "before.onnx")
    bars = []
    for network, strength in ((before, 1), (before, 0), (tiny(kind), 0)):
        controls = Controls.from_dict({"counterpoint": strength, "form": "off"})
        composer = Composer(network, network.pool(1), 2, 0, controls)
        bars.append([composer.compose_bar() for _ in range(6)])
    assert bars[0] == bars[1] == bars[2]


def test_a_bundle_whose_pairs_have_other_sizes_is_refused() -> None:
    def change(model: onnx.ModelProto) -> None:
        (entry,) = (entry for entry in model.graph.input if entry.name == PAIRED)
        entry.type.tensor_type.shape.dim[1].dim_value += 1

    with pytest.raises(BundleError, match=r"'paired' is .* export it again"):
        Network(rewritten(change), "some.onnx")


def test_one_field_alone_has_no_pairs() -> None:
    network = tiny("gpt", "performance")
    assert network.paired_sizes == (0, 0)
    assert not network.pool(2).paired.size


# -- bad files ---------------------------------------------------------------------------------


def rewritten(change: Callable[[onnx.ModelProto], None]) -> bytes:
    model = onnx.load_from_string(tiny_bytes("gpt"))
    assert model.metadata_props.pop().key == SEAL_KEY  # as bundles of before have none
    change(model)
    return bytes(model.SerializeToString())


def with_specification(text: str) -> bytes:
    def change(model: onnx.ModelProto) -> None:
        for entry in model.metadata_props:
            if entry.key == METADATA_KEY:
                entry.value = text

    return rewritten(change)


def with_specification_part(old: str, new: str) -> bytes:
    text = tiny("gpt").specification.to_json()
    assert old in text
    return with_specification(text.replace(old, new))


def test_a_file_that_is_not_onnx_is_refused_with_its_name() -> None:
    for data in (b"", b"MThd\x00\x00", b"\x00" * 100, tiny_bytes("gpt")[:5000]):
        with pytest.raises(BundleError, match=r"^some\.onnx: is not an ONNX model"):
            Network(data, "some.onnx")


def test_an_onnx_file_of_another_kind_is_refused() -> None:
    data = rewritten(lambda model: model.ClearField("metadata_props"))
    with pytest.raises(BundleError, match="without a perpetuo specification"):
        Network(data, "some.onnx")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"version": 1', '"version": 99', "bundle version 99"),
        ('"network": "gpt"', '"network": "rnn"', "network 'rnn' is not known"),
        ('"codec": "notes"', '"codec": "tunes"', "representation 'tunes'"),
        ('["pitch", 176]', '["pitch", 99]', "'pitch' has 99 values"),
        ('["pitch", 176]', '["peach", 176]', "'peach' is not known"),
        ('["chord", 74]', '["chord", 12]', "'chord' has 12 values"),
        ('"styles": ["calm", "lively"]', '"styles": ["calm"]', "'mix' is"),
        ('"styles": ["calm", "lively"], ', "", "incomplete"),
        ('"name": "key0"', '"name": "key9"', "no 'key9'"),
        (f'"shape": [16, {RING}]', f'"shape": [16, {2 * RING}]', "'key0' is"),
        (f'"ring": {RING}', f'"ring": {WINDOW}', "does not hold"),
        (f'"window": {WINDOW}', '"window": "wide"', "incomplete"),
    ],
)
def test_a_specification_that_does_not_fit_says_what_is_wrong(
    old: str, new: str, words: str
) -> None:
    with pytest.raises(BundleError, match=words) as caught:
        Network(with_specification_part(old, new), "some.onnx")
    assert "some.onnx" in str(caught.value) or "representation" in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '"text"', "null"])
def test_a_damaged_specification_is_refused(text: str) -> None:
    with pytest.raises(BundleError, match=r"some\.onnx"):
        Network(with_specification(text), "some.onnx")


def test_a_damaged_planner_is_refused() -> None:
    def change(model: onnx.ModelProto) -> None:
        for entry in model.metadata_props:
            if entry.key == PLANNER_KEY:
                entry.value = "not base 85: \x7f"

    with pytest.raises(BundleError, match="planner table is damaged"):
        Network(rewritten(change), "some.onnx")


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(ProviderError, match=r"'tpu'.*cpu or cuda"):
        Network(tiny_bytes("gpt"), "some.onnx", device="tpu")


@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="CUDA is there"
)
def test_cuda_that_is_missing_is_refused_with_the_remedy() -> None:
    with pytest.raises(ProviderError, match=r"cannot compute on CUDA.*--device cuda"):
        Network(tiny_bytes("gpt"), "some.onnx", device="cuda")
