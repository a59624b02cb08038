"""What a network misses of what is asked is made up for, within bounds."""

from __future__ import annotations

from statistics import mean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.composing.composer import Composer
from engine.composing.finishing import heard_values
from engine.controls.controls import Controls
from engine.music.bars import Bar
from engine.music.fields import ATTRIBUTE, ATTRIBUTES
from engine.music.score import DRUMS, Note
from engine.planning.correction import (
    FURTHEST,
    LAST,
    NO_TRIMS,
    UPRIGHT,
    Leaning,
    Trims,
    corrected,
    leaning,
    told,
)
from tests.fakes import TableNetwork

DENSITY = list(ATTRIBUTE).index("density")
POLYPHONY = list(ATTRIBUTE).index("polyphony")
REGISTER = list(ATTRIBUTE).index("register")
TRIMS = st.tuples(*[st.floats(-LAST, LAST)] * len(ATTRIBUTES))
POSITIONS = st.tuples(*[st.none() | st.floats(1, a.buckets) for a in ATTRIBUTES])
VALUES = st.tuples(*[st.none() | st.floats(0, 130)] * len(ATTRIBUTES))


def of_density(position: float | None) -> tuple[float | None, ...]:
    return tuple(position if i == DENSITY else None for i in range(len(ATTRIBUTES)))


@given(TRIMS, POSITIONS, VALUES)
def test_trims_stay_in_bounds_and_nothing_is_trimmed_that_nobody_asked(
    trims: Trims, asked: tuple[float | None, ...], heard: tuple[float | None, ...]
) -> None:
    for trim, position in zip(corrected(trims, asked, heard), asked, strict=True):
        assert abs(trim) <= LAST
        if position is None:
            assert trim == 0


@given(st.floats(2, 9), st.floats(0.3, 1))
def test_a_network_that_goes_only_part_of_the_way_is_brought_all_of_it(
    position: float, share: float
) -> None:
    """It plays the middle of its range, moved by a share of what it is told."""
    attribute, trims, middle = ATTRIBUTES[DENSITY], NO_TRIMS, 5.0
    for _ in range(200):
        shown = position + told(trims, of_density(position))[DENSITY]
        level = middle + share * (shown - middle)
        value = float(_value_at(level))
        trims = corrected(trims, of_density(position), of_density(value))
    leans = leaning(trims, of_density(position), of_density(1.0)).density
    assert abs(attribute.position(value) - position) < 0.1 or abs(leans) > 0.1


@given(TRIMS, POSITIONS)
def test_it_leans_by_what_it_cannot_be_told(trims: Trims, asked: tuple[float | None, ...]) -> None:
    said = told(trims, asked)
    for attribute, trim, part, position in zip(ATTRIBUTES, trims, said, asked, strict=True):
        assert abs(part) <= FURTHEST
        assert part * trim >= 0
        assert position is None or 1 <= position + part <= attribute.buckets
    values = [None if position is None else 2.0 for position in asked]
    lean = leaning(trims, asked, values)
    lefts = {DENSITY: lean.density, POLYPHONY: lean.polyphony, REGISTER: lean.register}
    for i, left in lefts.items():
        assert left == (0 if asked[i] is None else trims[i] - said[i])
    assert leaning(NO_TRIMS, asked, values) == UPRIGHT


def late_bars(codec_name: str, **asked: float) -> list[Bar]:
    """What a network plays at last that hears nothing of what is asked."""
    network = TableNetwork(codec_name)
    controls = Controls().with_values(asked)
    composer = Composer(network, network.pool(1), 1, controls=controls)  # type: ignore[arg-type]
    bars = []
    for index in range(48):
        bars.append(composer.compose_bar())
        composer.commit(index + 1)
    return bars[24:]


@pytest.mark.parametrize("codec_name", ["notes", "performance"])
def test_a_network_that_hears_nothing_of_what_is_asked_is_leaned_until_it_does(
    codec_name: str,
) -> None:
    def density(asked: float) -> float:
        late = late_bars(codec_name, density=asked)
        return sum(len(bar.notes) for bar in late) / sum(bar.metre.ticks / 24 for bar in late)

    def register(asked: float) -> float:
        late = late_bars(codec_name, register=asked)
        return mean(n.pitch for bar in late for n in bar.notes if n.part != DRUMS)

    assert density(0.7) < 1.4
    assert density(5.0) > 3.5
    assert abs(register(48) - 48) < 4
    assert abs(register(76) - 76) < 4


@given(st.floats(-LAST, LAST), st.floats(30, 90))
def test_a_tilt_is_against_the_wrong_side_alone(register: float, pitch: float) -> None:
    tilt = Leaning(register=register, pitch=pitch).tilt
    wrong = np.arange(128) < pitch if register > 0 else np.arange(128) > pitch
    assert (tilt <= 0).all()
    assert (tilt[~wrong] == 0).all()
    assert abs(register) < 0.01 or (tilt[wrong] < 0).all()


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
