"""The JSON schema of the protocol, and the tables of docs/protocol.md, derived from the messages.

`make protocol` writes both, and the clients' types of the messages; tests hold them to the code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import msgspec

from server.web.incoming import FromClient
from server.web.outgoing import FromServer
from server.web.terms import ENDS, ERRORS, PROTOCOL

DOCS = Path(__file__).parents[2] / "docs"
PAGE, SCHEMA = DOCS / "protocol.md", DOCS / "protocol.schema.json"
# The page tells of them in its own words.
_BY_HAND = ("WireBar", "WireController", "WireNote", "WirePedal")
# How fields are described that many messages have, of which the page tells once.
_TOLD_ONCE = ("Chosen by the client;", "Number of this message")
_SECTION = re.compile(r"<!-- begin (\w+) -->\n.*?<!-- end \1 -->", re.DOTALL)


def schema() -> dict[str, Any]:
    """The JSON schema: what clients send, what the server sends, and all shapes inside."""
    (client, server), shapes = msgspec.json.schema_components(
        [FromClient, FromServer], ref_template="#/$defs/{name}"
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"perpetuo WebSocket protocol, version {PROTOCOL}",
        "anyOf": [{"$ref": "#/$defs/FromClient"}, {"$ref": "#/$defs/FromServer"}],
        "$defs": alike({"FromClient": client, "FromServer": server, **shapes}),
    }


def alike(value: Any) -> Any:
    """A schema as it is with every version of msgspec: they fold the lines of docstrings each in
    their way, and have null in this or that place among alternatives. Here a description is one
    line, and null comes last."""
    if isinstance(value, list):
        return [alike(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return {name: _alike(name, inner) for name, inner in value.items()}


def _alike(name: str, value: Any) -> Any:
    if name == "description" and isinstance(value, str):
        return _one_line(value)
    if name == "anyOf" and isinstance(value, list):
        value = sorted(value, key=lambda one: one == {"type": "null"})
    return alike(value)


def schema_text() -> str:
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def page(text: str) -> str:
    """The page with its tables as the code has them."""
    sections = {
        "client": _messages(get_args(FromClient)),
        "server": _messages(get_args(FromServer)),
        "shapes": _shapes(),
        "errors": _table(("code", "meaning"), (_coded(code, ERRORS[code]) for code in ERRORS)),
        "ends": _table(
            ("`bye`", "close code", "meaning"),
            ((f"`{end}`", str(code), meaning) for end, (code, meaning) in ENDS.items()),
        ),
    }
    return _SECTION.sub(
        lambda found: f"<!-- begin {found[1]} -->\n{sections[found[1]]}<!-- end {found[1]} -->",
        text,
    )


def _coded(code: str, meaning: str) -> tuple[str, str]:
    return f"`{code}`", meaning


def _messages(types: Iterable[type[msgspec.Struct]]) -> str:
    parts = []
    for kind in types:
        tag = str(kind.__struct_config__.tag)
        parts.append(f"\n**`{tag}`** {_described(kind)}\n\n{_fields(kind)}")
    return "".join(parts) + "\n"


def _shapes() -> str:
    shapes = schema()["$defs"]
    used = {reference for shape in shapes.values() for reference in _references(shape)}
    messages = {kind.__name__ for kind in (*get_args(FromClient), *get_args(FromServer))}
    parts = []
    for name in shapes:
        if name in used and name not in messages and name not in _BY_HAND:
            words = shapes[name].get("description", "")
            parts.append(f"\n**{name}** {words}\n\n{_rows(shapes[name])}")
    return "".join(parts) + "\n"


def _described(kind: type) -> str:
    return _one_line(kind.__doc__ or "")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _fields(kind: type[msgspec.Struct]) -> str:
    return _rows(schema()["$defs"][kind.__name__])


def _rows(shape: dict[str, Any]) -> str:
    required = shape.get("required", ())
    return "".join(
        f"- `{name}`: {_type(one)}{'' if name in required else _default(one)}{_meaning(one)}\n"
        for name, one in shape["properties"].items()
        if name != "type" and not one.get("description", "").startswith(_TOLD_ONCE)
    )


def _default(one: dict[str, Any]) -> str:
    return f", else {json.dumps(one.get('default'))}"


def _meaning(one: dict[str, Any]) -> str:
    return f". {one['description']}" if "description" in one else ""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _type(one: dict[str, Any]) -> str:
    """A type of the schema, in words."""
    if "$ref" in one:
        return str(one["$ref"]).rpartition("/")[2]
    if "anyOf" in one:
        return " or ".join(_type(option) for option in one["anyOf"])
    if "enum" in one:
        return ", ".join(f'"{value}"' for value in one["enum"])
    if one.get("type") == "array":
        return _list_type(one)
    if one.get("type") == "object":
        inner = one.get("additionalProperties")
        return f"object of {_type(inner)}" if inner else "object"
    return str(one.get("type", "any")) + _range(one)


def _list_type(one: dict[str, Any]) -> str:
    if "prefixItems" in one:
        return f"array of {len(one['prefixItems'])} numbers"
    return f"array of {_type(one['items'])}"


def _range(one: dict[str, Any]) -> str:
    low, high = one.get("minimum"), one.get("maximum")
    if high == 2**53 - 1:
        return " ≥ 0"
    if low is None:
        return f" up to {one['maxLength']} characters" if "maxLength" in one else ""
    return f" {low} … {high}"


def _references(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield str(value["$ref"]).rpartition("/")[2]
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


if __name__ == "__main__":
    SCHEMA.write_text(schema_text(), "utf-8")
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
