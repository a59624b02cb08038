"""What a network misses of what is asked is made up for, within bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.aim import FURTHEST, NO_TRIMS, Trims, aimed
from engine.fields import ATTRIBUTE, ATTRIBUTES
from engine.finishing import heard_values
from engine.score import DRUMS, Note

DENSITY = list(ATTRIBUTE).index("density")
POLYPHONY = list(ATTRIBUTE).index("polyphony")
TRIMS = st.tuples(*[st.floats(-FURTHEST, FURTHEST)] * len(ATTRIBUTES))
POSITIONS = st.tuples(*[st.none() | st.floats(1, a.buckets) for a in ATTRIBUTES])
VALUES = st.tuples(*[st.none() | st.floats(0, 130)] * len(ATTRIBUTES))


def of_density(position: float | None) -> tuple[float | None, ...]:
    return tuple(position if i == DENSITY else None for i in range(len(ATTRIBUTES)))


@given(TRIMS, POSITIONS, VALUES)
def test_trims_stay_in_bounds_and_nothing_is_trimmed_that_nobody_asked(
    trims: Trims, asked: tuple[float | None, ...], heard: tuple[float | None, ...]
) -> None:
    for trim, position in zip(aimed(trims, asked, heard), asked, strict=True):
        assert abs(trim) <= FURTHEST
        if position is None:
            assert trim == 0


@given(st.floats(2, 9), st.floats(0.3, 1))
def test_a_network_that_goes_only_part_of_the_way_is_brought_all_of_it(
    position: float, share: float
) -> None:
    """It plays the middle of its range, moved by a share of what it is told."""
    attribute, trims, middle = ATTRIBUTES[DENSITY], NO_TRIMS, 5.0
    for _ in range(200):
        told = min(12.0, max(1.0, position + trims[DENSITY]))
        level = middle + share * (told - middle)
        value = float(_value_at(level))
        trims = aimed(trims, of_density(position), of_density(value))
    reachable = abs(trims[DENSITY]) < FURTHEST - 1e-6 and 1 < told < 12
    assert abs(attribute.position(value) - position) < 0.1 or not reachable


def _value_at(level: float) -> float:
    """The density whose position is `level`."""
    attribute = ATTRIBUTES[DENSITY]
    low = int(level)
    here = attribute.centre(low)
    there = attribute.centre(min(low + 1, attribute.buckets))
    return here + (level - low) * (there - here)


def test_values_of_a_bar_count_what_sounds_into_it() -> None:
    notes = (Note(96, 24, 60, 80, 0), Note(120, 24, 64, 60, 1), Note(96, 6, 40, 99, DRUMS))
    density, register, polyphony, dynamics, _ = heard_values(notes, (96, 192), carried=(144, 96))
    assert density == 0.75
    assert register == 62
    assert polyphony == 2  # one held note under a melody, both for 48 ticks
    assert dynamics is not None
    assert round(dynamics, 1) == 79.7


def test_an_empty_bar_tells_of_its_density_alone() -> None:
    density, *others = heard_values((), (0, 96), carried=())
    assert density == 0
    assert others == [None] * 4
