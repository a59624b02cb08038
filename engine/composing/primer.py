"""Music that primes a stream: a prompt as the network, the planner and the echoes hear it."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from common.errors import MidiError
from engine.composing.step_context import HeardBar, remember
from engine.controls.key import HOME_MAJOR, HOME_MINOR, LEARNED_MODES, Key
from engine.controls.values import Json
from engine.music.analysis import Analysis, analyse
from engine.music.fields import ATTRIBUTES
from engine.music.plan import BarPlan
from engine.music.score import Score
from engine.music.time import quarters_per_minute
from engine.network.bundle import Specification
from engine.planning.planner_table import MAX_ECHO
from engine.planning.scene import PlannerState
from engine.representations.codec import Encoded
from engine.representations.context_rows import ranks

# More than the layers of any bundle see back; older events of a prompt would change nothing.
MAX_EVENTS = 1024


@dataclass(frozen=True, slots=True)
class Primer:
    """A prompt, ready to be heard: `bars` of it, up to tick `end`, where composing begins.

    `inputs` and `ticks` are what the network reads, `events` the last event, which it reads with
    the first step of its own.
    """

    bars: int = 0
    end: int = 0
    events: tuple[int, ...] = ()
    inputs: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    ticks: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    heard: dict[int, HeardBar[int]] = field(default_factory=dict)
    planner: PlannerState = PlannerState()  # noqa: RUF009 - a NamedTuple is immutable


NOTHING = Primer()


def primer_of(score: Score, spec: Specification) -> tuple[Primer, dict[str, Json]]:
    """The primer of a score for a model, and the controls that the score itself suggests: key,
    metre, tempo, parts and programs. MidiError if there is nothing to hear."""
    if not len(score.notes):
        raise MidiError("the prompt has no notes: give a MIDI file with music in it")
    analysis = analyse(score)
    codec = spec.open_codec()
    encoded = codec.encode(analysis)
    if not len(encoded.events):
        raise MidiError(f"the prompt has no notes that a model of '{codec.name}' can hear")
    grid = analysis.grid
    end = int(grid.starts[-1]) + grid.metres[-1].ticks
    kept = _latest(codec.bridge(encoded, end))
    first = int(kept.bars[0])
    base = int(grid.starts[first])
    events = kept.events.astype(np.int64)
    before = np.concatenate((np.zeros_like(events[:1]), events[:-1]))
    # An older network is told fewer things than the codec has to tell.
    told = kept.context[:, [codec.context.index(name) for name, _ in spec.context]]
    primer = Primer(
        bars=len(grid.starts) - first,
        end=end - base,
        events=tuple(events[-1].tolist()),
        inputs=np.concatenate((before, told.astype(np.int64)), axis=1),
        ticks=kept.onsets - base,
        heard=_heard(kept, first, grid.starts, spec),
        planner=_remembered(analysis, first),
    )
    return primer, _suggested(score, analysis)


def _latest(encoded: Encoded) -> Encoded:
    """The last bars that hold at most MAX_EVENTS events."""
    count = len(encoded.events)
    if count <= MAX_EVENTS:
        return encoded
    bar_lines = np.flatnonzero(np.diff(encoded.bars, prepend=-1))
    late = bar_lines[bar_lines >= count - MAX_EVENTS]
    start = int(late[0]) if len(late) else count - MAX_EVENTS
    return Encoded(
        encoded.events[start:],
        encoded.context[start:],
        encoded.onsets[start:],
        encoded.bars[start:],
    )


def _heard(
    encoded: Encoded, first: int, starts: NDArray[np.int64], spec: Specification
) -> dict[int, HeardBar[int]]:
    codec = spec.open_codec()
    bars: dict[int, HeardBar[int]] = {}
    order = ranks(encoded.onsets)
    for event, onset, bar, rank in zip(
        encoded.events.tolist(), encoded.onsets.tolist(), encoded.bars.tolist(), order, strict=True
    ):
        values = codec.echoed(event)
        if values is not None:
            told = bars.setdefault(bar - first, array("i"))
            remember(told, onset - int(starts[bar]), int(rank), values)
    return bars


def _remembered(analysis: Analysis, first: int) -> PlannerState:
    bars = range(max(first, len(analysis.grid.starts) - MAX_ECHO), len(analysis.grid.starts))
    plans = [analysis.bar(bar) for bar in bars]
    memory = tuple(
        (bar - first, plan._replace(source=max(plan.source - first, -1)))
        for bar, plan in zip(bars, plans, strict=True)
    )
    last = plans[-1]
    return PlannerState(
        before=last.chord,
        last=last.half_chord,
        drift=(0.0,) * len(ATTRIBUTES),  # it begins where the prompt is
        memory=memory,
        lent=_mean_levels(plans),
    )


def _mean_levels(plans: Sequence[BarPlan]) -> tuple[float, ...]:
    """The mean level of each attribute, 0 where no bar has one."""
    columns = zip(*(plan.levels for plan in plans), strict=True)
    known = [[level for level in column if level] for column in columns]
    return tuple(sum(levels) / len(levels) if levels else 0.0 for levels in known)


def _suggested(score: Score, analysis: Analysis) -> dict[str, Json]:
    home = HOME_MINOR if analysis.minor else HOME_MAJOR
    key = Key((home - analysis.shift) % 12, LEARNED_MODES[analysis.minor])
    tempo = quarters_per_minute(score.tempos[-1][1])
    return {
        "key": str(key),
        "metre": str(score.metres[-1][1]),
        "tempo": round(min(300.0, max(20.0, tempo)), 3),
        "parts": [part + 1 for part in score.parts],
        "programs": {str(part + 1): int(score.programs[part]) for part in score.parts},
    }
