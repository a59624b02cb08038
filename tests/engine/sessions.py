"""Playing a stream as a hand would: composing, committing, changing one's mind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from engine.composing.composer import Composer, PlanOverrides
from engine.controls.values import Json
from engine.music.bars import Bar
from engine.music.score import TIED_FROM, TIED_ON, Note, as_array

Action = tuple[str, Any]

CHANGES: tuple[dict[str, Json], ...] = (
    {"density": 6.0},
    {"key": "D minor"},
    {"key": "Eb major", "transpose": 3},
    {"metre": "3/4"},
    {"metre": "6/8", "tempo": 70},
    {"chords": "I vi IV V"},
    {"chords": "Am F", "bars_per_chord": 0.5},
    {"chords": None},
    {"parts": [2, 3]},
    {"max_polyphony": 2},
    {"max_rest": 0.5},
    {"temperature": 1.5, "min_p": 0.1},
    {"style": {"calm": 1}},
    {"form": "phrases", "variety": 0},
    {"low_pitch": 50, "high_pitch": 70},
    {"swing": 0.6, "humanise_time": 15, "humanise_velocity": 9, "tempo_drift": 6},
    {"programs": {"1": 40}},
    {"expression": 0.9},
    {"expression": 0.3, "pedal": "on"},
    {"counterpoint": 1, "breath": 0},
    {"counterpoint": 0.5, "key": "D dorian", "breath": 1},
    {},
)
_COLUMNS = st.dictionaries(st.sampled_from(["chord", "half_chord", "density"]), st.integers(0, 8))
_BY_HAND = st.dictionaries(st.integers(0, 4), _COLUMNS, max_size=2)
_ACTIONS = st.one_of(
    st.tuples(st.just("bars"), st.integers(1, 3)),
    st.tuples(st.just("steps"), st.integers(1, 12)),
    st.tuples(st.just("commit"), st.integers(0, 3)),
    st.tuples(st.just("change"), st.tuples(st.sampled_from(CHANGES), _BY_HAND)),
)
ACTIONS = st.lists(_ACTIONS, min_size=3, max_size=14)


def as_heard(bar: Bar) -> Bar:
    """The bar without the number of its revision."""
    return replace(bar, revision=0)


def compose(composer: Composer, bars: int) -> list[Bar]:
    return [composer.compose_bar() for _ in range(bars)]


def advance(composer: Composer) -> Bar | None:
    """One step, or the bar that was done without one."""
    bar = composer.finished()
    if bar is None:
        composer.prepare()
        composer.pool.run([composer.row])
        bar = composer.absorb()
    return bar


@dataclass
class Session:
    """Runs actions on a stream and keeps what was heard last of every bar, and the log."""

    composer: Composer
    heard: dict[int, Bar] = field(default_factory=dict)
    log: list[tuple[int, Mapping[str, Json], PlanOverrides]] = field(default_factory=list)

    def run(self, actions: Sequence[Action]) -> None:
        for name, value in actions:
            getattr(self, f"_{name}")(value)

    def _listen(self, bar: Bar) -> None:
        before = self.heard.get(bar.index)
        assert bar.revision == (0 if before is None else before.revision + 1)
        assert bar.index >= self.composer.committed
        self.heard[bar.index] = bar

    def _bars(self, count: int) -> None:
        for bar in compose(self.composer, count):
            self._listen(bar)

    def _steps(self, count: int) -> None:
        for _ in range(count):
            bar = advance(self.composer)
            if bar is not None:
                self._listen(bar)

    def _commit(self, behind: int) -> None:
        self.composer.commit(self.composer.next_bar - behind)

    def _change(self, change: tuple[Mapping[str, Json], PlanOverrides]) -> None:
        controls, offsets = change
        if not self.composer.codec.metrical:
            controls = {n: v for n, v in controls.items() if n not in ("expression", "pedal")}
        expected = self.composer.first_open
        plan = {expected + k: columns for k, columns in offsets.items() if columns}
        first = self.composer.change(controls, plan)
        assert first == expected >= self.composer.committed
        assert self.composer.next_bar in (first, first - 1)
        self.log.append((first, controls, plan))


def replay(
    composer: Composer, log: Sequence[tuple[int, Mapping[str, Json], PlanOverrides]], until: int
) -> dict[int, Bar]:
    """What a log gives: each change made when the stream stands at its bar."""
    found: dict[int, Bar] = {}
    for first, controls, plan in log:
        while composer.next_bar < first:
            bar = composer.compose_bar()
            found[bar.index] = bar
        composer.commit(first)
        assert composer.change(controls, plan) == first
    while composer.next_bar <= until:
        bar = composer.compose_bar()
        found[bar.index] = bar
    return found


def check_bars(bars: Sequence[Bar]) -> None:
    """What holds for any bars in a row."""
    for before, bar in pairwise(bars):
        assert bar.index == before.index + 1
        assert bar.start == before.end
        ended = {(n.part, n.pitch) for n in before.notes if n.tie & TIED_ON}
        assert {(n.part, n.pitch) for n in bar.notes if n.tie & TIED_FROM} <= ended
    for bar in bars:
        assert list(bar.notes) == sorted(bar.notes)
        assert len(bar.shifts) == len(bar.notes)
        assert len(bar.programs) == 8
        check_pedals(bar)
        for note in bar.notes:
            assert bar.start <= note.onset < bar.end
            assert note.duration > 0
            assert 0 <= note.pitch <= 127
            assert 1 <= note.velocity <= 127
            if note.tie & TIED_FROM:
                assert note.onset == bar.start
            if note.tie & TIED_ON:
                assert note.onset + note.duration == bar.end


def check_pedals(bar: Bar) -> None:
    """They are in order and in their bar, and those of one part apart from each other."""
    assert list(bar.pedals) == sorted(bar.pedals)
    up = dict.fromkeys(range(8), 0)
    for tick, length, part in bar.pedals:
        assert up[part] <= tick < tick + length <= bar.metre.ticks
        up[part] = tick + length


def joined(bars: Sequence[Bar]) -> list[Note]:
    """The notes of bars in a row, ties joined."""
    return [Note(*row) for row in as_array([n for bar in bars for n in bar.notes]).tolist()]
