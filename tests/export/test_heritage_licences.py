"""Which licence may follow which."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.heritage.licences import FOLLOWERS, followers, known, may_follow, strictest

LADDER = ("CC0 1.0", "CC BY 4.0", "CC BY-SA 4.0")


@pytest.mark.parametrize("new", range(3))
@pytest.mark.parametrize("old", range(3))
def test_only_what_asks_for_as_much_may_follow(new: int, old: int) -> None:
    assert may_follow(LADDER[new], LADDER[old]) == (new >= old)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("CC-BY-SA-3.0-DE", "CC BY-SA 3.0 DE"),
        ("cc by 2.5", "CC BY 2.5"),
        ("CC0-1.0", "CC0 1.0"),
        ("PD", "public domain"),
        ("BSD-3-Clause", "BSD 3-Clause"),
        ("Creative Commons BY-NC-SA 4.0 International", "CC BY-NC-SA 4.0"),
        ("CC-BY-SA-?", "CC BY-SA"),
    ],
)
def test_a_licence_is_known_however_it_is_spelt(text: str, name: str) -> None:
    assert str(known(text)) == name


@pytest.mark.parametrize("text", ["", "mine", "CC BY-ND 4.0", "PD music, encoding unstated", "CC"])
def test_what_the_table_does_not_have_is_followed_by_itself_alone(text: str) -> None:
    assert known(text) is None
    assert may_follow(text, text)
    assert may_follow(text.upper().replace(" ", "-"), text)
    assert not may_follow("CC BY-SA 4.0", text)
    assert not may_follow(text, "CC0 1.0")


@pytest.mark.parametrize(
    ("new", "old", "may"),
    [
        ("CC BY-SA 4.0", "CC BY-SA 3.0 DE", True),
        ("CC BY-SA 3.0", "CC BY-SA 4.0", False),
        ("CC BY-SA 4.0", "CC BY-SA 1.0", False),
        ("CC BY-SA 4.0", "CC-BY-SA-?", True),
        ("CC BY-SA", "CC BY-SA 4.0", False),
        ("CC BY-NC-SA 4.0", "CC BY-SA 4.0", False),
        ("CC BY 3.0", "CC BY 4.0", True),
    ],
)
def test_share_alike_reaches_to_later_versions(new: str, old: str, may: bool) -> None:
    assert may_follow(new, old) == may


def test_the_strictest_of_several_may_follow_all() -> None:
    assert strictest(["PD", "CC-BY-4.0", "CC-BY-SA-3.0-DE", "CC-BY-SA-4.0"]) == "CC BY-SA 4.0"
    assert strictest(["CC BY-SA 4.0", "CC BY-NC 4.0"]) is None
    assert strictest([]) is None
    assert strictest(["mine"]) == "mine"


@given(st.sampled_from(sorted(FOLLOWERS)), st.sampled_from(sorted(FOLLOWERS)), st.data())
def test_what_may_follow_a_follower_may_follow(
    first: str, second: str, data: st.DataObject
) -> None:
    third = data.draw(st.sampled_from(FOLLOWERS[second]))
    if may_follow(second, first) and may_follow(third, second):
        assert may_follow(third, first)
    assert first in followers(first)
