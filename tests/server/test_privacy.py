"""Where files lie on the server is told to nobody who asks from outside."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from common.errors import BundleError, ConfigError
from common.words import without_folders
from server.house.events import StateTurned
from server.osc.query import describe
from server.web.sessions import Sessions
from server.web.settings import WebSettings
from server.web.site import Site
from tests.server.test_osc_receiver import Room, in_a_room
from tests.server.web_asking import Asked, scope
from tests.server.web_house import WebHouse
from tests.server.web_line import Talk

FOLDER = "/home/somebody/My models"
MODEL = f"{FOLDER}/night.onnx"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"{MODEL}: is damaged; export it again", "night.onnx: is damaged; export it again"),
        (f"model {MODEL} by web-1", "model night.onnx by web-1"),
        ("the SoundFont '/srv/x/a.sf2' is none", "the SoundFont 'a.sf2' is none"),
        ("(/srv/x/a.sf2) is none", "(a.sf2) is none"),
        (r"C:\Users\me\a.onnx: is none", "a.onnx: is none"),
        ("~/models/a.onnx is none", "a.onnx is none"),
        ("../models/a.onnx is none", "a.onnx is none"),
        ("the metre is 3/4, not 6/8", "the metre is 3/4, not 6/8"),
        ("start and/or stop / go on", "start and/or stop / go on"),
    ],
)
def test_paths_become_names(text: str, told: str) -> None:
    assert without_folders(text) == told


class Failing(WebHouse):
    async def start(self, stream: Any, *, by: str) -> None:
        raise BundleError(f"{MODEL}: is not an ONNX model that can be run here")


def test_websocket_and_http_tell_no_paths() -> None:
    house = Failing()
    study = house.find("study")
    stream = study
    stream.opening = replace(stream.opening, model=MODEL)
    sessions = Sessions(house, WebSettings())  # type: ignore[arg-type]

    talk = Talk(sessions)
    talk.hello()
    said = talk.say({"type": "listen", "stream": "study"})
    said += talk.say({"type": "transport", "stream": "study", "action": "start", "id": 3})
    house.tell(study, StateTurned("playing", 1, f"model {MODEL} by web-1"))
    told = repr(said + talk.take())
    assert "night.onnx: is not an ONNX model" in told
    assert "model night.onnx by web-1" in told
    site = Site(sessions, [], lambda path, attribute: describe(house, path, attribute))  # type: ignore[arg-type]
    asked = Asked(sessions, site)
    for path in ("/health", "/api/stations", "/api/stations/study", "/api/presets", "/oscquery/"):
        told += asked.answer(scope(path)).body.decode()
    assert "night" in told
    assert "somebody" not in told
    assert "My models" not in told


def test_osc_tells_no_paths() -> None:
    def reload() -> None:
        raise ConfigError(f"{FOLDER}/mine.toml: density is wrong")

    async def go(room: Room) -> None:
        stream = room.house.streams["study"]
        stream.opening = replace(stream.opening, model=MODEL)
        assert await room.ask("/perpetuo/study/load") == [("/perpetuo/study/load", "night")]
        ((_, _, words),) = await room.ask("/perpetuo/reload")
        assert words == "mine.toml: density is wrong"
        ((_, _, words),) = await room.ask("/perpetuo/study/reload")
        assert "/perpetuo/reload" in words  # an address is no path of a file

    in_a_room(go, reload=reload)
