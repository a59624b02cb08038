"""Measuring how fast streams are composed, what they take and where the time goes.

Everything is timed from outside, around the calls of the network: the engine knows no clock.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.errors import BundleError
from engine.composing.composer import Composer
from engine.ensemble.ensemble import MOST_ROWS, Ensemble
from engine.library.bars import notes_of
from engine.network.runtime import Network, Pool
from server.benches.matmul_floor import matmul_floor_of, stepper

WARM_UP = 0.25  # share of the time asked for that is composed before anything is counted
TURNS = 5
LEAST_CALLS = 20  # of a measurement, however short
FLOOR_SHARE = 0.25  # share of that time which the floor gets besides
FAR = 1 << 60  # a lookahead and horizon that leave no stream waiting


@dataclass(frozen=True, slots=True)
class MeasuredSpeed:
    """So many streams on so many threads, measured for so many seconds.

    `ms_p50` and `ms_p99` are milliseconds a note: the time from one call of the network to the
    next, shared among the streams that the call served. `outside` is the share of all the time
    that was not spent in onnxruntime. `floor_ms` are the milliseconds a note of the matrix
    products alone, `ratio` is `ms_p50` over it; both None if that was not measured, and
    `floor_note` says why. `state_bytes` is the network's state of one stream, `resident_bytes` by
    how much the process grew for each, None where the system does not tell.
    """

    streams: int
    threads: int
    seconds: float
    calls: int
    notes_per_second: float
    steps_per_second: float
    ms_p50: float
    ms_p99: float
    outside: float
    floor_ms: float | None
    floor_note: str
    ratio: float | None
    state_bytes: int
    resident_bytes: int | None


class Stopwatch:
    """Times the calls of a network's session for as long as it is entered.

    `ends` are when calls ended, `inside` is how long all of them took, in seconds.
    """

    def __init__(self, network: Network) -> None:
        self.ends: list[float] = []
        self.inside = 0.0
        self._session = network.session
        self._run = self._session.run_with_iobinding

    def __enter__(self) -> Stopwatch:
        self._session.run_with_iobinding = self._timed
        return self

    def __exit__(self, *_: object) -> None:
        del self._session.run_with_iobinding  # what the class has shows again

    def clear(self) -> None:
        self.ends.clear()
        self.inside = 0.0

    def _timed(self, *arguments: Any) -> None:
        start = perf_counter()
        self._run(*arguments)
        end = perf_counter()
        self.inside += end - start
        self.ends.append(end)


class _Streams(NamedTuple):
    """Streams that compose: `advance` returns the notes of the bars that it finished, and how
    many streams each of its calls of the network served."""

    advance: Callable[[], tuple[int, int]]
    pools: list[Pool]


def measure(
    network: Network, bundle: bytes, streams: int, threads: int, seconds: float
) -> MeasuredSpeed:
    """Let so many streams compose; `network`, of `bundle`, must run on `threads` threads.

    Composing and the floor take turns, so that a machine which is slower for a while is slower for
    both.
    """
    floor = _MatmulFloor(network, bundle, streams, threads)
    _give_back_memory()
    before = resident_bytes()
    spans = []
    with Stopwatch(network) as watch:
        loaded_model = _alone(network) if streams == 1 else _together(network, streams)
        _compose(loaded_model, watch, seconds * WARM_UP)
        for _ in range(TURNS):
            spans.append(_compose(loaded_model, watch, seconds / TURNS))
            floor.measure(seconds / TURNS * FLOOR_SHARE)
    after = resident_bytes()
    steps = sum(sum(span.served) for span in spans)
    taken = sum(span.seconds for span in spans)
    # One event of `notes` is one note; of other representations a note takes several.
    one_each = network.specification.codec == "notes"
    steps_a_note = 1.0 if one_each else steps / max(sum(span.notes for span in spans), 1)
    each = np.concatenate([span.milliseconds() for span in spans]) * steps_a_note
    p50, p99 = (float(p) for p in np.percentile(each, (50, 99)))
    floor_ms = floor.milliseconds() * steps_a_note if floor.times else None
    return MeasuredSpeed(
        streams=streams,
        threads=threads,
        seconds=taken,
        calls=sum(len(span.served) for span in spans),
        notes_per_second=steps / taken / steps_a_note,
        steps_per_second=steps / taken,
        ms_p50=p50,
        ms_p99=p99,
        outside=1 - sum(span.inside for span in spans) / taken,
        floor_ms=floor_ms,
        floor_note=floor.note,
        ratio=p50 / floor_ms if floor_ms else None,
        state_bytes=loaded_model.pools[0].state_bytes,
        resident_bytes=None if before is None or after is None else (after - before) // streams,
    )


def glance(network: Network, seconds: float) -> float:
    """Milliseconds a step of one stream, at the median: a first idea in no time."""
    with Stopwatch(network) as watch:
        loaded_model = _alone(network)
        _compose(loaded_model, watch, seconds * WARM_UP)
        return float(np.median(_compose(loaded_model, watch, seconds).milliseconds()))


def _alone(network: Network) -> _Streams:
    composer = Composer(network, network.pool(1), seed=1)

    def advance() -> tuple[int, int]:
        bar = composer.compose_bar()
        composer.commit(composer.next_bar)
        return notes_of(bar), 1

    return _Streams(advance, [composer.pool])


def _together(network: Network, streams: int) -> _Streams:
    ensemble = Ensemble(network, lookahead=FAR, horizon=FAR, most=streams)
    joined = [ensemble.join(stream, stream + 1, 0) for stream in range(streams)]

    def advance() -> tuple[int, int]:
        done, served = ensemble.step(0)
        return sum(notes_of(composed.bar) for composed in done), served

    return _Streams(
        advance, list({id(composer.pool): composer.pool for composer in joined}.values())
    )


class _Span(NamedTuple):
    """What was counted: `marks` are the beginning and when each call ended, `served` how many
    streams each call served, `inside` the seconds in onnxruntime."""

    seconds: float
    notes: int
    marks: list[float]
    served: list[int]
    inside: float

    def milliseconds(self) -> NDArray[np.float64]:
        """What each step of each stream took."""
        return np.repeat(np.diff(self.marks) * 1e3 / np.array(self.served), self.served)


def _compose(loaded_model: _Streams, watch: Stopwatch, seconds: float) -> _Span:
    """Compose for at least so long and at least so many calls."""
    served: list[int] = []
    notes = 0
    watch.clear()
    start = perf_counter()
    while len(served) < LEAST_CALLS // TURNS or watch.ends[-1] < start + seconds:
        composed, streams = loaded_model.advance()
        notes += composed
        served += [streams] * (len(watch.ends) - len(served))
    end = watch.ends[-1]
    return _Span(end - start, notes, [start, *watch.ends], served, watch.inside)


class _MatmulFloor:
    """The products of one call for so many streams, run alone; `note` says why if they are not."""

    def __init__(self, network: Network, bundle: bytes, streams: int, threads: int) -> None:
        self.rows = min(streams, MOST_ROWS)
        self.times: list[float] = []
        self.note = ""
        self._step = None
        if network.device != "cpu":
            self.note = "the floor is measured on the CPU only"
            return
        try:
            self._step = stepper(matmul_floor_of(bundle, network.specification), self.rows, threads)
        except BundleError as error:
            self.note = str(error)
            return
        self._step()

    def measure(self, seconds: float) -> None:
        if self._step is None:
            return
        self._step()  # brings its memory back near
        end = perf_counter() + seconds
        for turn in count():
            start = perf_counter()
            if start >= end and turn >= LEAST_CALLS // TURNS:
                break
            self._step()
            self.times.append(perf_counter() - start)

    def milliseconds(self) -> float:
        """A row at the median."""
        return float(np.median(self.times)) * 1e3 / self.rows


def _give_back_memory() -> None:
    """Return what was freed to the system, so that growth shows as growth; glibc alone can."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def resident_bytes() -> int | None:
    """Resident memory of this process's own, None where the system does not tell.

    Pages of libraries do not count: they are read in when code is first used, and belong to all.
    """
    try:
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
    except OSError:
        return None
    own = [line.split()[1] for line in lines if line.startswith("RssAnon:")]
    return int(own[0]) * 1024 if own else None
