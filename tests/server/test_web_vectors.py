"""The shared cases of the wire protocol hold for the server."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.playing.pedals import timed_pedals
from server.web.incoming import decode_request
from server.web.outgoing import BarMessage, decode, encode
from server.web.sessions import Sessions
from server.web.settings import WebSettings
from tests.server.web_house import WebHouse
from tests.server.web_line import Talk, talking

VECTORS = Path(__file__).parents[1] / "vectors"


def cases(file: str) -> list[Any]:
    found = json.loads((VECTORS / f"{file}.json").read_text("utf-8"))["cases"]
    return [pytest.param(case, id=case["name"]) for case in found]


@pytest.mark.parametrize("case", cases("client_messages"))
def test_messages_of_clients_mean_what_the_vectors_say(case: dict[str, Any]) -> None:
    if "meaning" in case:
        message = decode_request(case["text"])
        assert json.loads(msgspec.json.encode(message)) == case["meaning"]
    else:
        _, talk = talking()
        (answer,) = talk.say(case["text"])
        assert (answer["type"], answer["code"]) == ("error", case["error"])
        assert answer["id"] == case["id"]


@pytest.mark.parametrize("case", cases("server_messages"))
def test_messages_of_the_server_mean_what_the_vectors_say(case: dict[str, Any]) -> None:
    message = decode(case["text"])
    assert json.loads(encode(message)) == case["meaning"]


@pytest.mark.parametrize("case", cases("postponements"))
def test_the_vectors_tell_of_changes_as_a_server_would(case: dict[str, Any]) -> None:
    for message in case["messages"]:
        assert has(json.loads(encode(decode(json.dumps(message)))), message)


def test_notes_sound_when_the_vectors_say() -> None:
    case = json.loads((VECTORS / "server_messages.json").read_text("utf-8"))["cases"][0]
    message = decode(case["text"])
    assert isinstance(message, BarMessage)
    bar, due = message.bar, message.due
    assert due + bar.length == case["ends"]
    sounds = []
    for note in bar.notes:
        part, pitch, velocity, tick, length, shift, tie = msgspec.structs.astuple(note)
        on = due + tick * bar.tempo // 24 + shift  # as clients reckon it
        off = due + (tick + length) * bar.tempo // 24 + shift
        assert due + bar.onset_of(note) == on
        assert bar.timeline(due).time_of(bar.tick + tick) == on - shift
        sounds.append([part, pitch, velocity, None if tie & 2 else on, None if tie & 1 else off])
    assert sounds == case["sounds"]
    assert [list(pedal) for pedal in timed_pedals(bar, bar.timeline(due))] == case["pressed"]


@pytest.mark.parametrize("case", cases("clock"))
def test_the_page_s_way_to_compare_clocks_gives_what_the_vectors_say(case: dict[str, Any]) -> None:
    page = (VECTORS.parents[1] / "docs" / "protocol.md").read_text("utf-8")
    example = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert example is not None
    names: dict[str, Any] = {}
    exec(example[1], names)
    assert names["offset"](case["samples"]) == case["offset"]
    assert names["offset"]([case["samples"][case["best"]]]) == case["offset"]


def has(message: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict) and isinstance(message, dict):
        return all(name in message and has(message[name], wanted[name]) for name in wanted)
    return bool(message == wanted)


@pytest.mark.parametrize("case", cases("conversations"))
def test_conversations_go_as_the_vectors_say(case: dict[str, Any]) -> None:
    house = WebHouse()
    sessions = Sessions(house, WebSettings(**case.get("settings", {})))  # type: ignore[arg-type]
    talk = Talk(sessions)
    said: list[dict[str, Any]] = []
    session = ""
    for step in case["steps"]:
        if "server" in step:
            message = said.pop(0)
            assert has(message, step["server"]), (message, step["server"])
            session = message.get("session", session)
            continue
        assert not said, "the server said more than the case has"
        if "client" in step:
            said = talk.say(json.dumps(step["client"]).replace("$session", session))
        elif "house" in step:
            what, name = step["house"].split()
            {"plan": house.plan, "postpone": house.postpone}[what](house.find(name))
            said = talk.take()
        elif "cut" in step:
            talk.cut(step["cut"])
            talk = Talk(sessions)
        else:
            assert talk.line.closed is not None
            assert talk.line.closed[0] == step["closed"]
    assert not said
