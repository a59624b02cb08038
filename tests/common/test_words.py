"""Values as error messages quote them: short, on one line, whatever they are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from common.words import shown

ANY = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers())


@given(ANY)
def test_anything_is_quoted_shortly_on_one_line(raw: object) -> None:
    told = shown(raw)
    assert told.isprintable()
    assert len(told) < 450  # forty signs, each escaped at the most


def test_what_can_be_seen_stands_as_it_is() -> None:
    assert shown("naïve ♭") == "'naïve ♭'"
    assert shown("a\nb\x00") == "'a\\nb\\x00'"
    assert shown("\ud800") == "'\\ud800'"
    assert shown("x" * 50) == f"'{'x' * 40}…'"
