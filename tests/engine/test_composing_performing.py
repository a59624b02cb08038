"""Laws of swing and humanising."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.composing.performing import performed
from engine.music.score import TIED_FROM, Note

QUARTER = 600_000
START = 96 * 7
NOTES = st.lists(
    st.builds(
        Note,
        st.integers(START, START + 95),
        st.integers(1, 96),
        st.integers(0, 127),
        st.integers(1, 127),
        st.integers(0, 7),
        st.sampled_from([0, 1]),
    ),
    max_size=20,
).map(lambda notes: tuple(sorted(notes)))
KEYS = st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 9999))


@given(notes=NOTES, key=KEYS)
def test_zero_controls_change_nothing(notes: tuple[Note, ...], key: tuple[int, int, int]) -> None:
    assert performed(notes, START, QUARTER, 0, 0, 0, key) == (notes, (0,) * len(notes))


@given(
    notes=NOTES, key=KEYS, swing=st.floats(0, 1), time=st.floats(0, 50), velocity=st.floats(0, 30)
)
def test_a_bar_is_always_played_alike_and_within_bounds(
    notes: tuple[Note, ...], key: tuple[int, int, int], swing: float, time: float, velocity: float
) -> None:
    played, shifts = performed(notes, START, QUARTER, swing, time, velocity, key)
    assert (played, shifts) == performed(notes, START, QUARTER, swing, time, velocity, key)
    assert len(played) == len(shifts) == len(notes)
    for before, after, shift in zip(notes, played, shifts, strict=True):
        assert after == before._replace(velocity=after.velocity)
        assert 1 <= after.velocity <= 127
        assert abs(after.velocity - before.velocity) <= velocity + 0.5
        assert -1000 * time - 1 <= shift <= 1000 * time + swing * QUARTER / 6 + 1


@given(swing=st.floats(0, 1))
def test_swing_keeps_beats_and_the_order_of_what_lies_between(swing: float) -> None:
    notes = tuple(Note(START + tick, 6, 60, 64, 0) for tick in range(96))
    _, shifts = performed(notes, START, QUARTER, swing, 0, 0, (1, 0, 0))
    times = [tick * QUARTER / 24 + shift for tick, shift in enumerate(shifts)]
    assert times == sorted(times)
    assert all(shifts[beat] == 0 for beat in range(0, 96, 24))


def test_full_swing_makes_the_off_beat_the_last_of_a_triplet() -> None:
    eighths = tuple(Note(START + 12 * i, 12, 60, 64, 0) for i in range(8))
    _, shifts = performed(eighths, START, QUARTER, 1.0, 0, 0, (1, 0, 0))
    times = [12 * i * QUARTER // 24 + shift for i, shift in enumerate(shifts)]
    assert times[1::2] == [beat * QUARTER + QUARTER * 2 // 3 for beat in range(4)]


@pytest.mark.parametrize("other", [(2, 0, 5), (1, 1, 5), (1, 0, 6)])
def test_each_seed_stream_and_bar_is_played_in_its_own_way(other: tuple[int, int, int]) -> None:
    notes = tuple(Note(START + 6 * i, 6, 60, 64, 0) for i in range(16))
    assert performed(notes, START, QUARTER, 0, 20, 9, (1, 0, 5)) != performed(
        notes, START, QUARTER, 0, 20, 9, other
    )


def test_what_goes_on_from_the_bar_before_is_not_shifted() -> None:
    notes = (Note(START, 96, 60, 64, 0, TIED_FROM), Note(START, 96, 64, 64, 0))
    _, shifts = performed(notes, START, QUARTER, 0, 30, 0, (1, 0, 5))
    assert shifts[0] == 0
    assert shifts[1] != 0
