"""The schema and the page of the protocol are what the code says."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any, get_args

import jsonschema
import msgspec
import pytest

from server.base.wire import WireBar
from server.serving.protocol_doc import PAGE, SCHEMA, alike, page, schema, schema_text
from server.web.incoming import FromClient, decode_request
from server.web.outgoing import FromServer
from tests.server.web_line import Talk, talking

VECTORS = Path(__file__).parents[1] / "vectors"
HOW = "run: make protocol"


def validator(direction: str) -> Any:
    of = {"$ref": f"#/$defs/{direction}", "$defs": schema()["$defs"]}
    return jsonschema.Draft202012Validator(of)


def cases(file: str) -> list[Any]:
    found = json.loads((VECTORS / f"{file}.json").read_text("utf-8"))["cases"]
    return [pytest.param(case, id=case["name"]) for case in found]


def test_the_schema_is_that_of_the_code() -> None:
    assert SCHEMA.read_text("utf-8") == schema_text(), HOW
    jsonschema.Draft202012Validator.check_schema(schema())


def test_the_schema_is_the_same_however_docstrings_are_folded() -> None:
    """Versions of msgspec hand them on as they stand in the source, or cleaned, or folded."""
    told = "What it is.\n\n    With more, broken\n    into lines.\n    "
    null, other = {"type": "null"}, {"$ref": "#/$defs/Other"}
    as_it_stands = {"Kind": {"description": told, "anyOf": [null, other]}}
    cleaned = {"Kind": {"description": inspect.cleandoc(told), "anyOf": [other, null]}}
    folded = {"Kind": {"description": " ".join(told.split()), "anyOf": [other, null]}}
    assert alike(as_it_stands) == alike(cleaned) == alike(folded) == folded
    assert schema() == alike(schema())


def test_a_field_may_be_called_as_words_of_a_schema_are() -> None:
    fields = {"properties": {"description": {"type": "string"}, "anyOf": {"type": "null"}}}
    assert alike(fields) == fields


def test_the_page_has_the_tables_of_the_code() -> None:
    text = PAGE.read_text("utf-8")
    assert text == page(text), HOW


def test_the_page_tells_of_every_message_and_every_field_of_a_bar() -> None:
    text = PAGE.read_text("utf-8")
    for kind in (*get_args(FromClient), *get_args(FromServer)):
        assert f"**`{kind.__struct_config__.tag}`**" in text
    for field in msgspec.structs.fields(WireBar):
        assert f"`{field.name}`" in text.partition("## Time")[0]


@pytest.mark.parametrize("case", cases("client_messages"))
def test_schema_and_code_accept_the_same_messages_of_clients(case: dict[str, Any]) -> None:
    try:
        message = json.loads(case["text"])
    except ValueError:
        with pytest.raises(ValueError, match=r"JSON|malformed|trunc"):
            decode_request(case["text"])
        return
    plan = message.get("plan", {}) if isinstance(message, dict) else {}
    if not all(bar.isdigit() for bar in plan):
        return  # JSON schema does not say what names of an object look like here
    assert validator("FromClient").is_valid(message) == ("meaning" in case)


@pytest.mark.parametrize("case", cases("server_messages"))
def test_messages_of_the_server_fit_the_schema(case: dict[str, Any]) -> None:
    validator("FromServer").validate(case["meaning"])


def test_a_real_conversation_fits_the_schema() -> None:
    house, talk = talking()
    valid = validator("FromServer")
    said = [
        Talk(talk.sessions).hello(),
        *talk.say({"type": "listen", "stream": "study"}),
        *talk.say({"type": "steer", "stream": "study", "controls": {"density": 3}}),
        *talk.say({"type": "preset", "id": 2, "stream": "study", "name": "dance"}),
        *talk.say({"type": "seed", "stream": "study", "seed": 3}),
        *talk.say({"type": "get", "what": "stations"}),
        *talk.say({"type": "get", "what": "presets"}),
        *talk.say("nonsense"),
    ]
    house.plan(house.find("study"))
    for message in [*said, *talk.take()]:
        valid.validate(message)
    assert {message["type"] for message in said} >= {
        "welcome",
        "state",
        "bar",
        "steered",
        "turned",
        "error",
    }
