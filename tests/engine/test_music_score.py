"""Laws of notes, their order, bars and ties."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.music.score import (
    NOTE,
    PARTS,
    TIED_FROM,
    TIED_ON,
    Note,
    Score,
    as_array,
    bar_grid,
    note_order,
)
from engine.music.time import COMMON_TIME, Metre

ROWS = st.lists(
    st.tuples(
        st.integers(0, 2000),
        st.integers(1, 400),
        st.integers(0, 127),
        st.integers(1, 127),
        st.integers(0, PARTS - 1),
    ),
    max_size=40,
)
METRES = st.builds(Metre, st.integers(1, 8), st.sampled_from([4, 8]))


def array(rows: list[tuple[int, ...]]) -> NDArray[np.void]:
    return np.array(rows, NOTE)


def rows_of(notes: NDArray[np.void]) -> list[tuple[int, ...]]:
    return [tuple(int(value) for value in row) for row in notes.tolist()]


def piece(rows: list[tuple[int, ...]], lengths: list[tuple[Metre, int, int]]) -> Score:
    """A score whose metres last so many whole bars, the last one for ever; a piece may cut the
    last bar before a change short by so many ticks."""
    metres, tick = [], 0
    for metre, bars, cut in lengths:
        metres.append((tick, metre))
        tick += max(1, bars * metre.ticks - cut)
    return Score(note_order(array(rows)), tuple(metres))


@given(rows=ROWS, seed=st.randoms(use_true_random=False))
def test_note_order_does_not_depend_on_the_order_given(rows: list, seed: object) -> None:
    shuffled = list(dict.fromkeys(rows))
    expected = sorted(shuffled, key=lambda r: (r[0], r[4], -r[2]))
    seed.shuffle(shuffled)
    keys = [(r[0], r[4], -r[2]) for r in rows_of(note_order(array(shuffled)))]
    assert keys == [(r[0], r[4], -r[2]) for r in expected]


@given(rows=ROWS)
def test_note_order_loses_nothing_and_is_at_rest(rows: list) -> None:
    ordered = note_order(array(rows))
    assert sorted(rows_of(ordered)) == sorted(rows)
    assert rows_of(note_order(ordered)) == rows_of(ordered)


@given(rows=ROWS)
def test_a_score_ends_when_its_last_note_does(rows: list) -> None:
    score = Score(note_order(array(rows)))
    assert score.end == max((onset + duration for onset, duration, *_ in rows), default=0)
    assert score.parts == tuple(sorted({row[4] for row in rows}))


@given(
    rows=ROWS,
    lengths=st.lists(
        st.tuples(METRES, st.integers(1, 6), st.integers(0, 30)), min_size=1, max_size=5
    ),
)
def test_bars_tile_the_piece(rows: list, lengths: list) -> None:
    score = piece(rows, lengths)
    grid = bar_grid(score)
    starts = grid.starts.tolist()
    assert starts[0] == 0
    assert len(grid.metres) == len(starts)
    for start, following, metre in zip(starts, starts[1:], grid.metres, strict=False):
        assert start < following <= start + metre.ticks
    # A metre change begins a bar, and bars are cut short nowhere else.
    changes = {tick for tick, _ in score.metres}
    short = {
        following
        for start, following, metre in zip(starts, starts[1:], grid.metres, strict=False)
        if following < start + metre.ticks
    }
    assert short <= changes
    assert {tick for tick in changes if tick <= starts[-1]} <= set(starts)


@given(
    rows=ROWS.filter(bool),
    lengths=st.lists(st.tuples(METRES, st.integers(1, 6), st.just(0)), min_size=1, max_size=5),
)
def test_every_onset_lies_in_its_bar(rows: list, lengths: list) -> None:
    score = piece(rows, lengths)
    grid = bar_grid(score)
    onsets = score.notes["onset"].astype(np.int64)
    for onset, bar in zip(onsets.tolist(), grid.bar_of(onsets).tolist(), strict=True):
        assert 0 <= onset - int(grid.starts[bar]) < grid.metres[bar].ticks


def test_an_empty_score_has_one_bar() -> None:
    grid = bar_grid(Score(array([])))
    assert grid.starts.tolist() == [0]
    assert grid.metres == (COMMON_TIME,)


@given(rows=ROWS)
def test_notes_without_ties_stay_as_they_are(rows: list) -> None:
    assert sorted(rows_of(as_array([Note(*row) for row in rows]))) == sorted(rows)


@given(
    onset=st.integers(0, 500),
    lengths=st.lists(st.integers(1, 96), min_size=1, max_size=6),
    pitch=st.integers(0, 127),
    part=st.integers(0, PARTS - 1),
    velocity=st.integers(1, 127),
    others=ROWS,
)
def test_a_chain_of_ties_is_one_note(
    onset: int, lengths: list, pitch: int, part: int, velocity: int, others: list
) -> None:
    """Whatever else sounds in other parts, a tied chain comes out as long as its links."""
    chain, tick = [], onset
    for i, length in enumerate(lengths):
        tie = (TIED_FROM if i else 0) | (TIED_ON if i + 1 < len(lengths) else 0)
        chain.append(Note(tick, length, pitch, velocity, part, tie))
        tick += length
    others = [row for row in others if row[4] != part]
    joined = rows_of(as_array([Note(*row) for row in others] + chain))
    assert sorted(joined) == sorted([*others, (onset, sum(lengths), pitch, velocity, part)])


def test_a_tie_needs_both_its_ends() -> None:
    """A note that its successor does not continue ends; a continuation of nothing begins."""
    for first, second in ((TIED_ON, 0), (0, TIED_FROM), (0, 0)):
        notes = [Note(0, 24, 60, 80, 0, first), Note(24, 24, 60, 70, 0, second)]
        assert rows_of(as_array(notes)) == [(0, 24, 60, 80, 0), (24, 24, 60, 70, 0)]
