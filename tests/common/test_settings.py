"""From tables to settings: what is right is taken whole, what is wrong is named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, field
from msgspec.structs import fields, replace

from common.errors import ConfigError
from common.reference import key_table
from common.settings import Source, Table

FOLDER = Path("/etc/music")
SOURCE = Source("mine.toml", FOLDER)


class Lamp(Table, frozen=True):
    colour: Annotated[Literal["red", "blue"], "Its colour."] = "red"
    levels: Annotated[tuple[Annotated[int, Meta(ge=0, le=9)], ...], "Steps."] = ()

    def __post_init__(self) -> None:
        if list(self.levels) != sorted(self.levels):
            raise ValueError("levels: must rise")


class Room(Table, frozen=True):
    name: Annotated[str, Meta(pattern=r"\A[a-z]+\Z", title="small letters"), "What it is called."]
    size: Annotated[float, Meta(ge=0, le=10), "In metres."] = 1.5
    open: Annotated[bool, "Whether one can enter."] = False
    file: Annotated[Path | None, "A picture."] = None
    doors: Annotated[
        Mapping[int, Annotated[int, Meta(ge=1, le=3)]], Meta(title="widths by number"), "Widths."
    ] = {}
    extras: Annotated[Mapping[str, Any], "Whatever."] = {}
    main: Lamp = Lamp()
    lamps: tuple[Lamp, ...] = field(name="lamp", default=(Lamp("blue"),))
    seats: Annotated[Annotated[int, Meta(ge=1)] | None, "For how many."] = None


def test_nothing_but_what_must_be_given_is_the_defaults() -> None:
    assert SOURCE.build(Room, {"name": "hall"}) == Room("hall")


def test_a_table_is_read_whole() -> None:
    raw = {
        "name": "hall",
        "size": 3,
        "open": True,
        "file": "hall.png",
        "doors": {"1": 2, "7": 3},
        "extras": {"a": [1]},
        "main": {"levels": [1, 5]},
        "lamp": [{}, {"colour": "blue"}],
    }
    lamps = (Lamp(), Lamp("blue"))
    expected = Room(
        "hall", 3.0, True, FOLDER / "hall.png", {1: 2, 7: 3}, {"a": [1]}, Lamp("red", (1, 5)), lamps
    )
    found = SOURCE.build(Room, raw)
    assert found == expected
    assert type(found.size) is float


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"siez": 1}, "siez is no key here: did you mean 'size'?"),
        ({"lamps": []}, "lamps is no key here: did you mean 'lamp'?"),
        ({"name": "Hall"}, "name must be small letters, not 'Hall'"),
        ({"size": 11}, "size must be a number from 0 to 10, not 11"),
        ({"size": float("nan")}, "size must be a number from 0 to 10, not nan"),
        ({"size": "3"}, "size must be a number from 0 to 10, not '3'"),
        ({"size": True}, "size must be a number from 0 to 10, not true"),
        ({"open": 1}, "open must be true or false, not 1"),
        ({"file": 1}, "file must be a path, not 1"),
        ({"doors": {"1": 4}}, "doors.1 must be a whole number from 1 to 3, not 4"),
        ({"doors": {"one": 1}}, "doors must have whole numbers as keys: give widths by number"),
        ({"doors": []}, "doors must be widths by number, not this list"),
        ({"main": 5}, "main must be a table, not 5"),
        ({"main": {"color": "red"}}, "main.color is no key here: did you mean 'colour'?"),
        ({"main": {"levels": [3, 1]}}, "main levels: must rise"),
        ({"main": {"levels": 3}}, "main.levels must be a list of whole numbers, not 3"),
        (
            {"lamp": [{}, {"levels": [1, 10]}]},
            "lamp[1].levels[1] must be a whole number from 0 to 9, not 10",
        ),
        ({"seats": 0}, "seats must be a whole number from 1 up, not 0"),
        ({"seats": 2.0}, "seats must be a whole number from 1 up, not 2"),
        ({"size": 10**400}, "size must be a number from 0 to 10, not a number that large"),
        ({"main": {"colour": "\udcff"}}, "main.colour must be red or blue, not '\\udcff'"),
        ({"size`\n": 1}, "'size`\\n' is no key here: did you mean 'size'?"),
        ({"lamp": {}}, "lamp must be a list of tables, not this object"),
        ({"lamp": [{"colour": "pink"}]}, "lamp[0].colour must be red or blue, not 'pink'"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_the_remedy(
    changed: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        SOURCE.build(Room, {"name": "hall", **changed})
    assert str(caught.value) == f"mine.toml: {message}"


def test_what_must_be_given_is_asked_for() -> None:
    with pytest.raises(ConfigError, match=r"^mine.toml: name is missing: give small letters$"):
        SOURCE.build(Room, {})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"size": 11.0}, "size must be a number from 0 to 10, not 11"),
        ({"doors": {2: 9}}, "doors.2 must be a whole number from 1 to 3, not 9"),
        ({"lamps": (Lamp(), Lamp(levels=(1, 10)))}, "lamp[1].levels[1] must be a whole number"),
    ],
)
def test_what_was_made_in_another_way_is_checked_as_well(
    changed: dict[str, Any], message: str
) -> None:
    right = Room("hall", file=Path("a"), doors={1: 2}, lamps=(Lamp(levels=(1, 2)),))
    SOURCE.check(right)
    with pytest.raises(ConfigError, match=re.escape(f"mine.toml: {message}")):
        SOURCE.check(replace(right, **changed))


def test_a_path_that_is_none_here_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"^mine.toml: '~nobody-here/a' is no path here \("):
        SOURCE.build(Room, {"name": "hall", "file": "~nobody-here/a"})


def test_keys_are_told_by_their_types() -> None:
    *_, name, size, _, file, doors, _, main, lamps, seats = key_table(fields(Room)).splitlines()
    assert name == "| `name` | small letters | *must be given* | What it is called. |"
    assert size == "| `size` | a number from 0 to 10 | `1.5` | In metres. |"
    assert file == "| `file` | a path | none | A picture. |"
    assert doors == "| `doors` | widths by number | `{}` | Widths. |"
    assert seats == "| `seats` | a whole number from 1 up | none | For how many. |"
    assert (main.split(" | ")[1], lamps.split(" | ")[1]) == ("a table", "a list of tables")


def test_paths_count_from_the_file_and_from_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("USERPROFILE", "/home/ada")
    assert SOURCE.path("a/b") == FOLDER / "a" / "b"
    assert SOURCE.path("/a/b") == Path("/a/b")
    assert SOURCE.path("~/b") == Path("/home/ada/b")


TABLES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*(one.encode_name for one in fields(Room)), "colour", "levels", "x"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(raw=TABLES)
def test_any_table_is_taken_or_refused_in_one_line(raw: object) -> None:
    try:
        answer = repr(SOURCE.build(Room, raw))
    except ConfigError as error:
        answer = str(error)
    assert answer.startswith(("mine.toml: ", "Room("))
    assert "\n" not in answer
