"""The clients' types of messages are what the schema says."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NotRequired, get_origin, get_type_hints

import pytest
from perpetuo_client import protocol

from server.serving.protocol_doc import schema
from server.serving.protocol_types import (
    PYTHON,
    TYPESCRIPT,
    Shape,
    files,
    python,
    typed,
    typescript,
)

HOW = "run: make protocol"


@pytest.mark.parametrize(("path", "text"), files().items(), ids=lambda one: Path(one).name[:20])
def test_the_types_are_those_of_the_schema(path: Path, text: str) -> None:
    assert path.read_text("utf-8") == text, HOW


WHOLE, TEXT = {"type": "integer", "minimum": 0}, {"type": "string", "maxLength": 80}


@pytest.mark.parametrize(
    ("shape", "in_python", "in_typescript"),
    [
        (WHOLE, "int", "number"),
        ({"type": "number"}, "float", "number"),
        ({"type": "boolean"}, "bool", "boolean"),
        ({}, "Any", "unknown"),
        ({"$ref": "#/$defs/Bar"}, "Bar", "Bar"),
        ({"anyOf": [TEXT, {"type": "null"}]}, "str | None", "string | null"),
        ({"enum": ["a", "b"]}, 'Literal["a", "b"]', '"a" | "b"'),
        ({"type": "array", "items": TEXT}, "Sequence[str]", "ReadonlyArray<string>"),
        (
            {"type": "array", "prefixItems": [WHOLE, WHOLE, TEXT]},
            "Sequence[int | str]",
            "ReadonlyArray<number | string>",
        ),
        (
            {"type": "array", "prefixItems": [WHOLE | {"title": "a"}, TEXT | {"title": "b"}]},
            "Sequence[int | str]",
            "readonly [a: number, b: string]",
        ),
        ({"type": "object"}, "Mapping[str, Any]", "Readonly<Record<string, unknown>>"),
        (
            {"type": "object", "additionalProperties": WHOLE},
            "Mapping[str, int]",
            "Readonly<Record<string, number>>",
        ),
    ],
)
def test_what_types_are_called(shape: Shape, in_python: str, in_typescript: str) -> None:
    assert typed(shape, PYTHON) == in_python
    assert typed(shape, TYPESCRIPT) == in_typescript


SHAPES: dict[str, Shape] = {
    "Either": {"anyOf": [{"$ref": "#/$defs/One"}, {"type": "null"}]},
    "One": {
        "description": "What it is.",
        "type": "object",
        "properties": {"a": TEXT, "b": WHOLE | {"description": "Which one." + " It is." * 14}},
        "required": ["a"],
    },
}


def test_a_message_in_typescript() -> None:
    assert (
        typescript(SHAPES).partition("\n\n")[2]
        == """\
export type Either = One | null;

/** What it is. */
export interface One {
  readonly a: string;
  /** Which one. It is. It is. It is. It is. It is. It is. It is. It is. It is. It is. It is. It is.
   * It is. It is. */
  readonly b?: number;
}
"""
    )


def test_a_message_in_python() -> None:
    assert (
        python(SHAPES).partition("TypedDict\n\n\n")[2]
        == '''\
class One(TypedDict):
    """What it is."""

    a: str
    # Which one. It is. It is. It is. It is. It is. It is. It is. It is. It is. It is. It is. It is.
    # It is. It is.
    b: NotRequired[int]


Either: TypeAlias = One | None
'''
    )


@pytest.mark.parametrize(
    "name", [name for name, one in schema()["$defs"].items() if "properties" in one]
)
def test_the_types_of_python_have_every_field_and_know_which_may_be_left_out(name: str) -> None:
    shape: dict[str, Any] = schema()["$defs"][name]
    hints = get_type_hints(getattr(protocol, name), include_extras=True)
    assert list(hints) == list(shape["properties"])
    optional = {field for field, kind in hints.items() if get_origin(kind) is NotRequired}
    assert optional == hints.keys() - shape["required"]
