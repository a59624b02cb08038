"""What the Python client makes of messages has the fields of the protocol, and no others."""

from __future__ import annotations

from dataclasses import fields

import pytest
from perpetuo_client import protocol
from perpetuo_client.bars import Bar, Note
from perpetuo_client.capabilities import Capabilities, Control, Preset, Station
from perpetuo_client.messages import Prompt

from server.serving.protocol_doc import schema


@pytest.mark.parametrize(
    ("made", "told", "ours"),
    [
        (Bar, protocol.WireBar, {"due", "epoch"}),
        (Capabilities, protocol.Capabilities, {"raw"}),
        (Control, protocol.ControlRow, set()),
        (Preset, protocol.PresetRow, set()),
        (Prompt, protocol.PromptMusic, set()),
        (Station, protocol.StationRow, set()),
    ],
)
def test_values_have_fields_of_the_message_they_are_made_of(
    made: type, told: type, ours: set[str]
) -> None:
    assert {field.name for field in fields(made)} - ours <= told.__annotations__.keys()


def test_a_note_has_its_numbers_in_the_order_of_the_protocol() -> None:
    places = schema()["$defs"]["WireNote"]["prefixItems"]
    assert Note._fields == tuple(place["title"] for place in places)
    prompted = schema()["$defs"]["PromptMusic"]["properties"]["notes"]["items"]["prefixItems"]
    assert Note._fields[:5] == tuple(place["title"] for place in prompted)
