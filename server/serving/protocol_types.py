"""The messages of the protocol as types, for the clients in TypeScript and Python.

`make protocol` makes them of docs/protocol.schema.json; a test holds them to it. Generators of
others do not fit: of an array whose places mean different things, as those of a note,
json-schema-to-typescript makes `unknown[]` and datamodel-code-generator `list[Any]`; and the
latter's types need a package that the client does without.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from server.serving.protocol_doc import SCHEMA

CLIENTS = Path(__file__).parents[2] / "clients"
MADE = "Made of docs/protocol.schema.json by `make protocol`: change nothing here."
WIDTH = 100  # of a line

Shape = dict[str, Any]  # a type, as JSON schema has it


class Language(NamedTuple):
    """How types are written that are made of others."""

    plain: dict[str, str]  # what has a name of its own, by JSON schema's
    array: Callable[[str], str]
    places: Callable[[list[tuple[str, str]]], str]  # an array whose places have names
    table: Callable[[str], str]
    literals: Callable[[list[str]], str]


PYTHON = Language(
    plain={
        "integer": "int",
        "number": "float",
        "string": "str",
        "boolean": "bool",
        "null": "None",
        "any": "Any",
    },
    array="Sequence[{}]".format,
    places=lambda places: f"Sequence[{_either(kind for _, kind in places)}]",
    table="Mapping[str, {}]".format,
    literals=lambda values: f"Literal[{', '.join(values)}]",
)
TYPESCRIPT = Language(
    plain={
        "integer": "number",
        "number": "number",
        "string": "string",
        "boolean": "boolean",
        "null": "null",
        "any": "unknown",
    },
    array="ReadonlyArray<{}>".format,
    places=lambda places: f"readonly [{', '.join(map(': '.join, places))}]",
    table="Readonly<Record<string, {}>>".format,
    literals=" | ".join,
)


def typed(shape: Shape, language: Language) -> str:
    """A type of the schema in a language."""
    if "$ref" in shape:
        return str(shape["$ref"]).rpartition("/")[2]
    if "anyOf" in shape:
        return _either(typed(one, language) for one in shape["anyOf"])
    if "enum" in shape:
        return language.literals([json.dumps(value) for value in shape["enum"]])
    if "prefixItems" in shape:
        return _places(shape["prefixItems"], language)
    if shape.get("type") == "array":
        return language.array(typed(shape["items"], language))
    if shape.get("type") == "object":
        return language.table(typed(shape.get("additionalProperties", {}), language))
    return language.plain[shape.get("type", "any")]


def _places(shapes: list[Shape], language: Language) -> str:
    """An array of so many places; it is one of equal things where they have no names."""
    if all("title" in one for one in shapes):
        return language.places([(one["title"], typed(one, language)) for one in shapes])
    return language.array(_either(typed(one, language) for one in shapes))


def _either(types: Iterable[str]) -> str:
    return " | ".join(dict.fromkeys(types))


def typescript(shapes: dict[str, Shape]) -> str:
    lines = [f"// {MADE}", "// biome-ignore-all format: lines are as a program writes them"]
    for name, shape in shapes.items():
        lines += ["", *_told(shape, "/** ", " * ", " */")]
        if "properties" in shape:
            lines += [f"export interface {name} {{", *_members(shape), "}"]
        else:
            lines.append(f"export type {name} = {typed(shape, TYPESCRIPT)};")
    return "\n".join(lines) + "\n"


def _members(shape: Shape) -> Iterator[str]:
    for name, one in shape["properties"].items():
        mark = "" if name in shape["required"] else "?"
        yield from _told(one, "  /** ", "   * ", " */")
        yield f"  readonly {name}{mark}: {typed(one, TYPESCRIPT)};"


PYTHON_HEAD = f'''"""The messages of the protocol, as they are read out of JSON and written into it.

{MADE}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypeAlias, TypedDict
'''


def python(shapes: dict[str, Shape]) -> str:
    """Names of types are only known below their classes: those that are no class come last."""
    lines = [PYTHON_HEAD]
    for name, shape in shapes.items():
        if "properties" in shape:
            lines += ["", f"class {name}(TypedDict):", *_told(shape, '    """', "    ", '"""')]
            lines += ["", *_keys(shape), ""]
    for name, shape in shapes.items():
        if "properties" not in shape:
            lines += ["", *_told(shape, "# ", "# "), *_alias(name, typed(shape, PYTHON))]
    return "\n".join(lines) + "\n"


def _keys(shape: Shape) -> Iterator[str]:
    for name, one in shape["properties"].items():
        kind = typed(one, PYTHON)
        yield from _told(one, "    # ", "    # ")
        yield f"    {name}: {kind if name in shape['required'] else f'NotRequired[{kind}]'}"


def _alias(name: str, kind: str) -> list[str]:
    line = f"{name}: TypeAlias = {kind}"
    if len(line) <= WIDTH:
        return [line]
    first, *others = kind.split(" | ")
    return [f"{name}: TypeAlias = (", f"    {first}", *(f"    | {one}" for one in others), ")"]


def _told(shape: Shape, begin: str, on: str, end: str = "") -> list[str]:
    """A description as a comment that begins, goes on and ends so."""
    text = shape.get("description", "")
    if not text:
        return []
    return textwrap.wrap(text + end, WIDTH, initial_indent=begin, subsequent_indent=on)


def files() -> dict[Path, str]:
    """What the clients' types are, by where they stand."""
    shapes = json.loads(SCHEMA.read_text("utf-8"))["$defs"]
    return {
        CLIENTS / "web" / "src" / "core" / "protocol.ts": typescript(shapes),
        CLIENTS / "python" / "perpetuo_client" / "protocol.py": python(shapes),
    }


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text, "utf-8")
