"""Running bundles: the one place that knows onnxruntime.

A `Network` is made of the bytes of a bundle, `Network.pool` makes rows for many streams that are
stepped together. State stays where it is computed and is updated in place; rows are bound by
address, so nothing is copied at a step. (A step reads every old recurrent state before it writes
the new one: the choice between both, for rows that sit out, is the last to read it.)

A row's results do not depend on the other rows: at least two rows are always computed, because
onnxruntime multiplies a single row by another kernel whose rounding differs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from common.errors import BundleError, CapacityError, ProviderError
from engine.network.bundle import (
    METADATA_KEY,
    PAIRED,
    PLANNER_KEY,
    Specification,
    StateTensor,
    unpack,
)
from engine.network.seal import SEAL_KEY, changed, digest_of, is_sealed
from engine.planning.planner_table import PlannerTable

LEAST_ROWS = 2
MOST_BINDINGS = 64  # kept by a pool: there are as many as pairs of rows, few of them used often
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A place that a row can go back to: the step and, for recurrent networks, the state."""

    step: int
    carried: tuple[NDArray[np.float32], ...]


@dataclass(frozen=True, slots=True)
class SavedRow:
    """The whole state of a row: its step, the furthest one it had reached, and every tensor."""

    step: int
    furthest: int
    states: dict[str, NDArray[np.float32]]


class Network:
    """A loaded bundle. Use from one thread at a time."""

    def __init__(
        self,
        data: bytes,
        where: str,
        device: str = "cpu",
        threads: int = 1,
        known: str | None = None,
    ) -> None:
        """`known` is the SHA-256 that the bundle must have, if that is laid down elsewhere."""
        self.where = where
        self.device = device
        self.digest = digest_of(data, where, known)
        self.is_sealed = is_sealed(data)
        self.size = len(data)
        self.session = open_session(data, where, device, threads)
        # One for all calls: without any, onnxruntime 1.31 loses a few bytes at some of them. The
        # entry is what it takes by itself; looking for it in vain takes it 30 microseconds a call.
        self.options = ort.RunOptions()
        self.options.add_run_config_entry("gpu_graph_id", "0")
        metadata = self.session.get_modelmeta().custom_metadata_map
        if METADATA_KEY not in metadata:
            raise BundleError(
                f"{where}: an ONNX file without a perpetuo specification; bundles are written by "
                "'perpetuo export'"
            )
        self.specification = Specification.from_json(metadata[METADATA_KEY], where)
        if SEAL_KEY in metadata and not self.is_sealed:  # something was put behind it
            raise changed(where)
        packed = metadata.get(PLANNER_KEY, "")
        self.planner = unpack(packed, where) if packed else b""
        _check_graph(self.session, self.specification, where)
        # Sizes of the first two event fields, if one may be biased by the other.
        self.paired_sizes = _paired_sizes(self.session)

    @cached_property
    def planner_table(self) -> PlannerTable:
        """The planner's statistics, shared by all streams; plain ones if the bundle has none."""
        return PlannerTable.from_bytes(self.planner) if self.planner else PlannerTable.plain()

    def pool(self, rows: int, *, reveal: bool = False) -> Pool:
        """Rows for so many streams; `reveal` also gives whole distributions (`Pool.log_p`)."""
        return Pool(self, rows, reveal=reveal)


def open_session(data: bytes, where: str, device: str, threads: int) -> ort.InferenceSession:
    if device not in PROVIDERS:
        raise ProviderError(f"device '{device}' is not known: choose {' or '.join(PROVIDERS)}")
    if PROVIDERS[device] not in ort.get_available_providers():
        raise ProviderError(
            "this onnxruntime cannot compute on CUDA: put its GPU build in place as "
            "docs/installing.md says, or leave out --device cuda"
        )
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Weights that lie in bytes in the file are unfolded once, not at every step.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    try:
        session = ort.InferenceSession(data, options, providers=[PROVIDERS[device]])
    except Exception as error:
        reason = str(error).strip().splitlines()[0][:160]
        raise BundleError(
            f"{where}: is not an ONNX model that can be run here ({reason})"
        ) from error
    if PROVIDERS[device] not in session.get_providers():  # it fell back on the processor
        raise ProviderError(
            "CUDA was asked for but does not work here: check the driver with nvidia-smi, or "
            "leave out --device cuda"
        )
    return session


def _paired_sizes(session: ort.InferenceSession) -> tuple[int, int]:
    for found in session.get_inputs():
        if found.name == PAIRED:
            return found.shape[1], found.shape[2]
    return 0, 0


def _check_graph(session: ort.InferenceSession, spec: Specification, where: str) -> None:
    """The specification and the graph must speak of the same tensors."""
    found = {i.name: tuple(i.shape[1:]) for i in session.get_inputs()}
    wanted: dict[str, tuple[object, ...]] = {s.name: s.shape for s in spec.states}
    wanted["mix"] = (spec.mix_width,)
    wanted["bias"] = wanted["noise"] = (spec.event_width,)
    wanted["inputs"] = ("T", len(spec.event) + len(spec.context))
    if PAIRED in found:
        wanted[PAIRED] = tuple(size for _, size in spec.event[:2])
    for name, shape in wanted.items():
        if name not in found:
            raise BundleError(f"{where}: its graph has no '{name}'; export it again")
        if found[name] != shape:
            raise BundleError(
                f"{where}: '{name}' is {found[name]} in its graph and {shape} in its "
                "specification; export it again"
            )


class Pool:
    """Rows of state and inputs that are stepped together.

    The caller fills the arrays of a row (`inputs`, `mix`, `bias`, `paired`, `noise`, `sharpness`,
    `cut`, `ticks`), calls `run` with the rows that take part, and reads `event` and `likelihood`.
    Other rows are undisturbed.
    """

    def __init__(self, network: Network, rows: int, *, reveal: bool = False) -> None:
        spec = network.specification
        self.network, self.spec = network, spec
        self.capacity = rows
        size = max(rows, LEAST_ROWS)
        fields = len(spec.event)
        self.inputs = np.zeros((size, 1, fields + len(spec.context)), np.int64)
        self.mix = np.zeros((size, spec.mix_width), np.float32)
        self.bias = np.zeros((size, spec.event_width), np.float32)
        # By value of the first field, of the second: bundles of before have no such rows.
        self.paired = np.zeros((size, *network.paired_sizes), np.float32)
        self.noise = np.zeros((size, spec.event_width), np.float32)
        self.sharpness = np.ones((size, fields), np.float32)
        self.cut = np.full((size, fields), -math.inf, np.float32)
        self.ticks = np.zeros(size, np.int64)
        self.event = np.zeros((size, fields), np.int64)
        self.likelihood = np.zeros((size, fields), np.float32)
        # Log-probabilities of every value, field by field, given the fields drawn before it.
        sizes = [width for _, width in spec.event] if reveal else []
        self.log_p = [np.zeros((size, width), np.float32) for width in sizes]
        self.steps = np.zeros((size, 1), np.int64)
        self.furthest = np.zeros(size, np.int64)
        self.active = np.zeros((size, 1), np.bool_)
        self._angles = _Angles(spec, size)
        self._states = [_Buffer(state, size, network.device) for state in spec.states]
        # On a device a call that fails has broken more than a stream, and copies are dear.
        on_cpu = network.device == "cpu"
        self._copied = [b for b in self._states if b.is_carried and on_cpu]
        self._bindings: dict[tuple[int, int], Any] = {}
        self._free = list(range(rows))[::-1]

    # -- rows ----------------------------------------------------------------------------------

    @property
    def margin(self) -> int:
        """Steps that a row can be taken back, and the longest prompt of one call."""
        return self.spec.ring - self.spec.window - 1 if self.spec.ring else 1 << 30

    @property
    def has_place(self) -> bool:
        return bool(self._free)

    @property
    def state_bytes(self) -> int:
        """State of one row in bytes."""
        return sum(buffer.row_bytes for buffer in self._states)

    def acquire(self) -> int:
        if not self._free:
            raise CapacityError(
                f"all {self.capacity} places of this pool are taken: end a stream or make it larger"
            )
        row = self._free.pop()
        self.reset(row)
        return row

    def release(self, row: int) -> None:
        self.inputs[row] = 0  # what sits out is computed too: nothing may stay that is refused
        self._free = sorted((*self._free, row), reverse=True)  # the lowest is taken first

    def reset(self, row: int) -> None:
        self.steps[row] = self.furthest[row] = 0
        self.inputs[row] = 0
        for buffer in self._states:
            buffer.clear(row)

    def mark(self, row: int) -> Checkpoint:
        carried = tuple(b.read(row) for b in self._states if b.is_carried)
        return Checkpoint(int(self.steps[row, 0]), carried)

    def can_rewind(self, row: int, mark: Checkpoint) -> bool:
        return int(self.furthest[row]) - mark.step <= self.margin

    def rewind(self, row: int, mark: Checkpoint) -> None:
        """Go back to a mark of this row, at most `margin` steps behind its furthest."""
        assert self.can_rewind(row, mark), "the ring has been overwritten"
        self.steps[row] = mark.step
        carried = [b for b in self._states if b.is_carried]
        for buffer, saved in zip(carried, mark.carried, strict=True):
            buffer.write(row, saved)

    def save(self, row: int, over: SavedRow | None = None) -> SavedRow:
        """The whole state of a row, for another row of any pool of the same bundle to `load`;
        written `over` what was saved before, if given."""
        states = over.states if over else {}
        for buffer in self._states:
            name = buffer.state.name
            if name in states:
                np.copyto(states[name], buffer.view(row))
            else:
                states[name] = buffer.read(row)
        return SavedRow(int(self.steps[row, 0]), int(self.furthest[row]), states)

    def load(self, row: int, saved: SavedRow) -> None:
        for buffer in self._states:
            buffer.write(row, saved.states[buffer.state.name])
        self.steps[row], self.furthest[row] = saved.step, saved.furthest

    # -- computing -----------------------------------------------------------------------------

    def run(self, rows: list[int]) -> int:
        """One step of these rows; `event` and `likelihood` hold what was drawn. Returns how many
        were computed: all between the first and the last, and never a single one.

        If it raises, on the processor, it may be done again: what a network carries from step to
        step is as before, and to a ring the same is written at the same place."""
        start = min(min(rows), len(self.steps) - LEAST_ROWS)
        span = range(start, max(max(rows) + 1, start + LEAST_ROWS))
        self.active[span.start : span.stop] = False
        self.active[rows] = True
        self._angles.write(self.steps[:, 0], self.ticks, span)
        carried = [buffer.copies(span) for buffer in self._copied]
        try:
            self.network.session.run_with_iobinding(self._binding(span), self.network.options)
        except Exception:
            for buffer, before in zip(self._copied, carried, strict=True):
                buffer.restore(span, before)
            raise
        self.steps[rows] += 1
        np.maximum(self.furthest, self.steps[:, 0], out=self.furthest)
        return len(span)

    def _binding(self, span: range) -> Any:
        start, stop = key = span.start, span.stop
        if key not in self._bindings:
            count = stop - start
            binding = self.network.session.io_binding()
            wanted = {i.name for i in self.network.session.get_inputs()}
            for name, array in self._arrays().items():
                if name in wanted:
                    _bind(binding.bind_input, name, array[start:stop])
            for name in wanted.intersection(("turn", "row")):
                _bind(binding.bind_input, name, self._angles.index[:count])
            for name in ("event", "likelihood"):
                _bind(binding.bind_output, name, getattr(self, name)[start:stop])
            for i, array in enumerate(self.log_p):
                _bind(binding.bind_output, f"log_p{i}", array[start:stop])
            for buffer in self._states:
                buffer.bind(binding, start, count)
            if len(self._bindings) == MOST_BINDINGS:
                del self._bindings[next(iter(self._bindings))]
            self._bindings[key] = binding
        return self._bindings[key]

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "inputs": self.inputs,
            "mix": self.mix,
            "bias": self.bias,
            PAIRED: self.paired,
            "noise": self.noise,
            "sharpness": self.sharpness,
            "cut": self.cut,
            "step": self.steps,
            "cos": self._angles.cos,
            "sin": self._angles.sin,
            "active": self.active,
        }

    def prefill(self, row: int, inputs: NDArray[np.int64], ticks: NDArray[np.int64]) -> None:
        """Let a row hear `inputs` [T, fields] at `ticks` [T] in as few calls as the ring allows.

        The row's `mix` applies; what would be drawn after them is not kept: the last event is
        best left to be the first `run`'s input.
        """
        for start in range(0, len(inputs), self.margin):
            chunk = slice(start, start + self.margin)
            self._prefill(row, inputs[chunk], ticks[chunk])

    def _prefill(self, row: int, inputs: NDArray[np.int64], ticks: NDArray[np.int64]) -> None:
        count = len(inputs)
        first = int(self.steps[row, 0])
        steps = np.arange(first, first + count)
        angles = _Angles(self.spec, count)
        angles.write(steps, ticks, range(count))
        rows = slice(row, row + 1)
        feeds: dict[str, NDArray[Any]] = {name: a[rows] for name, a in self._arrays().items()}
        feeds |= {
            "inputs": np.ascontiguousarray(inputs[None]),
            "step": steps[None],
            "cos": angles.cos,
            "sin": angles.sin,
            "turn": np.arange(count)[None],
            "row": np.zeros((1, count), np.int64),
            "active": np.ones((1, 1), np.bool_),
        }
        binding = self.network.session.io_binding()
        wanted = {i.name for i in self.network.session.get_inputs()}
        for name, array in feeds.items():
            if name in wanted:
                _bind(binding.bind_input, name, array)
        drawn = np.zeros((1, len(self.spec.event)), np.int64)
        likelihood = np.zeros((1, len(self.spec.event)), np.float32)
        _bind(binding.bind_output, "event", drawn)
        _bind(binding.bind_output, "likelihood", likelihood)
        for buffer in self._states:
            buffer.bind(binding, row, 1)
        self.network.session.run_with_iobinding(binding, self.network.options)
        self.steps[row] = first + count
        self.furthest[row] = max(int(self.furthest[row]), first + count)


class _Angles:
    """Rotary angles of a call, in float64 before they are rounded: a step of a million turns as
    exactly as step one."""

    def __init__(self, spec: Specification, size: int) -> None:
        self.by_step = np.array(spec.step_frequencies)
        self.by_tick = np.array(spec.tick_frequencies)
        half = len(self.by_step) + len(self.by_tick)
        self.angle = np.zeros((size, half))
        self.cos = np.zeros((size, half), np.float32)
        self.sin = np.zeros((size, half), np.float32)
        self.index = np.arange(size)[:, None]

    def write(self, steps: NDArray[np.int64], ticks: NDArray[np.int64], span: range) -> None:
        rows, turning = slice(span.start, span.stop), len(self.by_step)
        angle = self.angle[rows]
        np.multiply(steps[rows, None], self.by_step, out=angle[:, :turning])
        np.multiply(ticks[rows, None], self.by_tick, out=angle[:, turning:])
        np.cos(angle, out=self.cos[rows], casting="same_kind")
        np.sin(angle, out=self.sin[rows], casting="same_kind")


class _Buffer:
    """Memory of one state tensor for all rows."""

    def __init__(self, state: StateTensor, size: int, device: str) -> None:
        self.state = state
        self.is_carried = state.kind == "carry"
        self.device = device
        self.row_bytes = 4 * math.prod(state.shape)
        zeros = np.zeros((size, *state.shape), np.float32)
        self.values = ort.OrtValue.ortvalue_from_numpy(zeros, device, 0)

    def bind(self, binding: Any, row: int, count: int) -> None:
        shape = (count, *self.state.shape)
        address = self.values.data_ptr() + self.row_bytes * row
        name = self.state.name
        binding.bind_input(name, self.device, 0, np.float32, shape, address)
        binding.bind_output(f"{name}_out", self.device, 0, np.float32, shape, address)

    def view(self, row: int) -> NDArray[np.float32]:
        seen: NDArray[np.float32] = self.values.numpy()[row]
        return seen

    def read(self, row: int) -> NDArray[np.float32]:
        return self.view(row).copy()

    def write(self, row: int, values: NDArray[np.float32]) -> None:
        """Put a row's state in place; on a device by way of the host."""
        host = self.values.numpy()
        host[row] = values
        if self.device != "cpu":
            self.values.update_inplace(host)

    def copies(self, rows: range) -> NDArray[np.float32]:
        """The state of these rows, for `restore`; on the processor alone."""
        found: NDArray[np.float32] = self.values.numpy()[rows.start : rows.stop].copy()
        return found

    def restore(self, rows: range, values: NDArray[np.float32]) -> None:
        self.values.numpy()[rows.start : rows.stop] = values

    def clear(self, row: int) -> None:
        if self.is_carried:
            self.write(row, np.zeros(self.state.shape, np.float32))


def _bind(bind: Any, name: str, array: NDArray[Any]) -> None:
    """Bind numpy memory by its address; the array must be contiguous and stay alive."""
    assert array.flags.c_contiguous, name
    bind(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
