"""Laws of the drums that a composer of their own plays beside the other parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.composing.closing import SPREAD
from engine.composing.composer import Composer
from engine.composing.percussion import SPARSE, percussion_beside
from engine.composing.snapshot import restore, save
from engine.controls.controls import Controls
from engine.controls.values import Json
from engine.ensemble.ensemble import Ensemble
from engine.music.bars import Bar
from engine.music.score import DRUMS, Note
from engine.music.time import COMMON_TIME
from engine.network.runtime import Network
from tests.bundles import NETWORKS, tiny_bytes
from tests.engine.sessions import (
    ACTIONS,
    Action,
    Session,
    advance,
    as_heard,
    check_bars,
    compose,
    replay,
)
from tests.fakes import TableNetwork

STYLES = ("calm", "drums")
TABLE = TableNetwork(haste=1.2, styles=STYLES)
WITH_DRUMS: dict[str, Json] = {"parts": [1, 2, 8], "density": 4}
SECOND = 1_000_000


def graph(kind: str) -> Network:
    """A tiny bundle that says it knows drums."""
    network = Network(tiny_bytes(kind), f"tiny {kind}")
    network.specification = replace(network.specification, styles=STYLES)
    return network


def stream(network: TableNetwork | Network = TABLE, seed: int = 1, **controls: Json) -> Composer:
    setting = Controls.from_dict({**WITH_DRUMS, **controls})
    return Composer(network, network.pool(1), seed, 0, setting)  # type: ignore[arg-type]


def drums_of(bar: Bar) -> list[Note]:
    return [note for note in bar.notes if note.part == DRUMS]


def others_of(bar: Bar) -> list[Note]:
    return [note for note in bar.notes if note.part != DRUMS]


@given(seed=st.integers(0, 999))
@settings(max_examples=10)
def test_drums_change_no_note_of_the_other_parts(seed: int) -> None:
    beside, without = compose(stream(seed=seed), 6), compose(stream(seed=seed, parts=[1, 2]), 6)
    assert [others_of(bar) for bar in beside] == [list(bar.notes) for bar in without]
    assert any(drums_of(bar) for bar in beside[:2])  # they may rest for a bar, as `max_rest` says
    check_bars(beside)


def test_drums_alone_and_parts_left_open_are_composed_as_before() -> None:
    for parts in ([8], None, [1, 2]):
        controls = Controls.from_dict({"parts": parts})
        assert percussion_beside(controls, STYLES, COMMON_TIME, 100) is None
    asked = Controls.from_dict({"parts": [1, 8]})
    assert percussion_beside(asked, ("calm",), COMMON_TIME, 100) is None


@given(density=st.floats(0.1, 16))
def test_drums_beside_other_parts_are_no_denser_than_asked(density: float) -> None:
    controls = Controls.from_dict({"parts": [1, 8], "density": density})
    found = percussion_beside(controls, STYLES, COMMON_TIME, 100)
    assert found is not None
    assert found.density is not None
    assert min(SPARSE, density) <= found.density <= density


DRUM_CHANGES = st.tuples(
    st.just("change"),
    st.tuples(
        st.sampled_from([{"parts": [1, 8]}, {"parts": [2]}, {"parts": None}, {"density": 2}, {}]),
        st.just({}),
    ),
)
STEPS = st.lists(st.tuples(st.just("steps"), st.integers(1, 30)), min_size=1, max_size=3)


@given(
    turns=st.lists(st.tuples(ACTIONS, DRUM_CHANGES, STEPS), min_size=1, max_size=3),
    seed=st.integers(0, 99),
    margin=st.sampled_from([1 << 30, 25, 60]),
)
@settings(max_examples=40)
def test_a_replay_gives_the_drums_that_were_heard_last(
    turns: Sequence[tuple[list[Action], Action, list[Action]]], seed: int, margin: int
) -> None:
    """However the hand went back and forth, took the drums out and put them in again."""
    network = TableNetwork(haste=1.2, margin=margin, styles=STYLES)
    session = Session(stream(network, seed))
    for actions, change, steps in turns:
        session.run([a for a in actions if "style" not in str(a)])
        session.run([change, *steps])
    session.run([("bars", 2)])
    last = session.composer.next_bar - 1
    heard = {index: bar for index, bar in session.heard.items() if index <= last}
    again = replay(stream(seed=seed), session.log, last)
    assert {i: as_heard(b) for i, b in again.items()} == {i: as_heard(b) for i, b in heard.items()}


@given(seed=st.integers(0, 999), before=st.integers(0, 3))
@settings(max_examples=10, deadline=None)
def test_drums_close_with_the_other_parts(seed: int, before: int) -> None:
    composer = stream(seed=seed)
    compose(composer, before)
    composer.close_with(5)
    last = compose(composer, 6 - before)[-1]
    assert drums_of(last)
    assert {note.onset + note.duration for note in last.notes} == {last.end}
    assert max(note.onset for note in last.notes) <= last.start + SPREAD


def test_drums_that_close_are_restored_so() -> None:
    network = graph("gpt")
    composer = stream(network)
    composer.close_with(6)
    compose(composer, 3)
    composer.commit(3)
    twin = restore(save(composer), network, network.pool(1))
    found = [as_heard(bar) for bar in compose(composer, 4)]
    assert [as_heard(bar) for bar in compose(twin, 4)] == found


@given(steps=st.integers(0, 60), back=st.integers(0, 3))
@settings(max_examples=20)
def test_going_back_in_the_middle_of_drums_gives_the_same_again(steps: int, back: int) -> None:
    composer = stream()
    first = compose(composer, 3)
    for _ in range(steps):
        bar = advance(composer)
        first += [] if bar is None else [bar]
    composer.rewind(max(0, len(first) - back))
    again = compose(composer, back)
    assert [as_heard(b) for b in again] == [as_heard(b) for b in first[len(first) - back :]]


@given(steps=st.integers(0, 60), to=st.integers(0, 4))
@settings(max_examples=20)
def test_a_leap_in_the_middle_of_drums_loses_nothing(steps: int, to: int) -> None:
    """What is composed on after it is the same as if it had been leapt before the first step."""
    ours, theirs = stream(), stream()
    before = compose(ours, 3)
    for _ in range(steps):
        bar = advance(ours)
        before += [] if bar is None else [bar]
    compose(theirs, len(before))
    here = ours.next_bar
    for composer in (ours, theirs):
        composer.leap(here + to, 5000)
    assert compose(ours, 5) == compose(theirs, 5)


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_restored_stream_goes_on_with_its_drums(kind: str) -> None:
    network = graph(kind)
    composer = stream(network)
    for i in range(9):
        composer.compose_bar()
        composer.commit(i - 1)
    for _ in range(5):
        advance(composer)
    opening = composer.first_open
    again = restore(save(composer), network, network.pool(1))
    composer.rewind(opening)
    ours, theirs = compose(composer, 8), compose(again, 8)
    assert [as_heard(bar) for bar in ours] == [as_heard(bar) for bar in theirs]
    assert any(drums_of(bar) for bar in ours)


def test_streams_with_drums_take_turns_on_few_rows() -> None:
    ensemble = Ensemble(TABLE, rows=2)  # type: ignore[arg-type]
    for number in range(4):
        setting = Controls.from_dict(WITH_DRUMS if number % 2 else {})
        ensemble.join(number, number, 0, setting)
    found: dict[int, list[Bar]] = {number: [] for number in range(4)}
    for now in range(0, 9 * SECOND, SECOND // 4):
        if now == 3 * SECOND:
            ensemble.change(1, now, {})
        while True:
            done, count = ensemble.step(now)
            for one in done:
                found[one.stream].append(one.bar)
            if not (done or count):
                break
    for number, bars in found.items():
        setting = Controls.from_dict(WITH_DRUMS if number % 2 else {})
        alone = compose(Composer(TABLE, TABLE.pool(1), number, number, setting), 12)  # type: ignore
        last = {bar.index: as_heard(bar) for bar in bars}
        if number != 1:
            assert [last[i] for i in range(4)] == [as_heard(bar) for bar in alone[:4]]
        assert max(last) > 3
    for number in range(4):
        ensemble.leave(number)
    pool = ensemble._room.pool
    assert len({pool.acquire() for _ in range(pool.capacity)}) == pool.capacity
