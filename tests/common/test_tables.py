"""Tables in files: what is no table, or nested without end, is refused in a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from common.errors import ConfigError
from common.files import FileKind
from common.nesting import DEEPEST, shallow
from common.tables import read_json, read_toml

THING = FileKind("the thing", 1 << 20)
DEEP = 20_000


def written(folder: Path, text: str) -> Path:
    path = folder / "thing"
    path.write_text(text, "utf-8")
    return path


def nested(depth: int) -> Any:
    content: Any = 1
    for _ in range(depth):
        content = [content] if depth % 2 else {"a": content}
    return content


def test_tables_are_read(tmp_path: Path) -> None:
    assert read_toml(written(tmp_path, "a.b = [1, {c = 2}]"), THING) == {"a": {"b": [1, {"c": 2}]}}
    assert read_json(written(tmp_path, '{"a": [null]}'), THING) == {"a": [None]}
    assert read_json(written(tmp_path, "7"), THING) == 7


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * DEEP + "]" * DEEP,
        "a = " + "[" * DEEP,
        "a = " + "{a = " * DEEP + "1" + "}" * DEEP,
        "[" + ".".join("a" * 400_000) + "]\nb = 1",
        " . ".join("a" * 200_000) + " = 1",
    ],
    ids=["lists", "open lists", "inline tables", "a header", "a key"],
)
def test_toml_that_is_nested_too_deep_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(
        ConfigError, match=r"thing: is nested more than 32 .* deep: lay it out flat"
    ):
        read_toml(written(tmp_path, text), THING)


@pytest.mark.parametrize("text", ["[" * DEEP + "]" * DEEP, "[" * DEEP, '{"a":' * DEEP])
def test_json_that_is_nested_too_deep_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"thing: is nested more than 32 .* deep"):
        read_json(written(tmp_path, text), THING)


@pytest.mark.parametrize("depth", [0, 1, 2, DEEPEST - 1, DEEPEST])
def test_what_is_as_deep_as_it_may_be_is_taken(depth: int) -> None:
    assert shallow(nested(depth)) == nested(depth)


@pytest.mark.parametrize("depth", [DEEPEST + 1, DEEPEST + 2, 500])
def test_what_is_deeper_is_not(depth: int) -> None:
    with pytest.raises(RecursionError):
        shallow(nested(depth))


@pytest.mark.parametrize("text", ["a = ", "a = 1\na = 2", "a = 2026-02-30", "a = " + "9" * 5000])
def test_what_is_no_toml_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="thing: is not TOML"):
        read_toml(written(tmp_path, text), THING)


@pytest.mark.parametrize("text", ["", "{", "{'a': 1}", "9" * 5000])
def test_what_is_no_json_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="thing: is not JSON"):
        read_json(written(tmp_path, text), THING)


def test_what_is_no_text_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "thing").write_bytes(b"a = '\xff'")
    with pytest.raises(ConfigError, match="thing: is not text in UTF-8"):
        read_toml(tmp_path / "thing", THING)
