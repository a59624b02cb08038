"""Named tuples as JSON and back."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.files.plain_values import from_plain, to_plain
from engine.planning.form import FormState
from engine.planning.guards import GuardState
from engine.planning.scene import PlannerState


class Inner(NamedTuple):
    number: int
    share: float
    words: tuple[str, ...] = ()


class Outer(NamedTuple):
    pair: tuple[int, Inner]
    maybe: tuple[int, ...] | None
    many: tuple[Inner, ...]
    flag: bool = False


INNERS = st.builds(Inner, st.integers(), st.floats(allow_nan=False), st.tuples(st.text()))
OUTERS = st.builds(
    Outer,
    st.tuples(st.integers(), INNERS),
    st.none() | st.lists(st.integers()).map(tuple),
    st.lists(INNERS).map(tuple),
    st.booleans(),
)


@given(OUTERS)
def test_what_goes_out_as_json_comes_back(value: Outer) -> None:
    assert from_plain(Outer, json.loads(json.dumps(to_plain(value)))) == value


@pytest.mark.parametrize("kind", [FormState, PlannerState, GuardState])
def test_the_states_of_a_stream_come_back(kind: Any) -> None:
    assert from_plain(kind, json.loads(json.dumps(to_plain(kind())))) == kind()


@pytest.mark.parametrize(
    ("kind", "plain"),
    [
        (Inner, [1]),
        (Inner, [1, 2.0, [], 4]),
        (Inner, "no list"),
        (Inner, ["one", 2.0, []]),
        (tuple[int, ...], 7),
        (tuple[int, int], [1]),
        (int, True),
        (int, 1.5),
        (bool, 1),
    ],
)
def test_what_does_not_fit_is_refused(kind: Any, plain: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_plain(kind, plain)


def test_what_an_older_program_did_not_know_of_has_its_default() -> None:
    assert from_plain(Inner, [1, 2.0]) == Inner(1, 2.0)
    assert from_plain(PlannerState, []) == PlannerState()
