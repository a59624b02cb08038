"""From tables to settings: what is right is taken whole, what is wrong is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import ConfigError
from server.configuration.options import Source, option, options_of

FOLDER = Path("/etc/music")
SOURCE = Source("mine.toml", FOLDER)


@dataclass(frozen=True)
class Lamp:
    colour: str = option("red", "Its colour.", choices=("red", "blue"))
    levels: tuple[int, ...] = option((), "Steps.", low=0, high=9)

    def __post_init__(self) -> None:
        if list(self.levels) != sorted(self.levels):
            raise ValueError("levels: must rise")


@dataclass(frozen=True)
class Room:
    name: str = option(help="What it is called.", pattern="[a-z]+", form="small letters")
    size: float = option(1.5, "In metres.", low=0, high=10)
    open: bool = option(False, "Whether one can enter.")
    file: Path | None = option(None, "A picture.")
    doors: Mapping[int, int] = option({}, "Widths.", low=1, high=3, form="widths by number")
    extras: Mapping[str, Any] = option({}, "Whatever.")
    main: Lamp = option(Lamp(), "The lamp in the middle.")
    lamps: tuple[Lamp, ...] = option((Lamp("blue"),), "The others.")


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
        ({"doors": {"1": 4}}, "doors.1 must be widths by number, not 4"),
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
        | st.dictionaries(st.sampled_from([*options_of(Room), "colour", "levels", "x"]), inner)
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
