"""The address space described after the OSCQuery proposal, and the page about OSC."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.errors import PerpetuoError
from engine.controls.controls import Controls
from engine.controls.table import CONTROLS
from server.osc.addresses import RESERVED, QueryAll, request_of
from server.osc.query import describe
from server.serving.osc_tables import BEGIN, END, renewed, tables
from tests.server.osc_house import OscHouse

PAGE = Path(__file__).parents[2] / "docs" / "osc.md"


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inside in node.get("CONTENTS", {}).values():
        yield from nodes(inside)


def of(path: str, attribute: str | None = None, house: Any = None) -> Any:
    return describe(house or OscHouse("study", "attic"), path, attribute)


def test_every_node_is_found_at_its_own_path() -> None:
    house = OscHouse("study", "attic")
    everything = list(nodes(of("/", house=house)))
    assert len(everything) > 3 * len(CONTROLS)
    for node in everything:
        assert of(node["FULL_PATH"], house=house) == node
        assert node["DESCRIPTION"]
        assert ("CONTENTS" in node) != ("TYPE" in node)
    assert json.loads(json.dumps(everything)) == everything


def test_every_leaf_is_an_address_that_is_understood() -> None:
    for node in nodes(of("/")):
        if "TYPE" in node:
            assert not isinstance(request_of(node["FULL_PATH"], ()), QueryAll)
        if node["ACCESS"] == 3 and node["VALUE"] not in ([None], [""]):
            request_of(node["FULL_PATH"], tuple(node["VALUE"]))


def test_a_control_is_described() -> None:
    house = OscHouse("study")
    stream = house.first_station()
    assert of("/perpetuo/tempo", "VALUE", house) == {"VALUE": [None]}
    stream.controls = Controls.from_dict({"tempo": 90, "style": {"folk": 1}, "min_p": "0.1"})
    assert of("/perpetuo/study/tempo", house=house) == {
        "FULL_PATH": "/perpetuo/study/tempo",
        "ACCESS": 3,
        "DESCRIPTION": next(control.help for control in CONTROLS if control.name == "tempo"),
        "TYPE": "f",
        "VALUE": [90.0],
        "RANGE": [{"MIN": 20, "MAX": 300}],
        "UNIT": ["quarters a minute"],
    }
    assert of("/perpetuo/transpose", house=house)["TYPE"] == "i"
    assert of("/perpetuo/style", "VALUE", house) == {"VALUE": ["folk:1"]}
    assert of("/perpetuo/min_p", "VALUE", house) == {"VALUE": [0.1]}
    assert "song" in of("/perpetuo/form", "RANGE", house)["RANGE"][0]["VALS"]
    assert of("/perpetuo/study/state", house=house)["ACCESS"] == 1
    assert of("/perpetuo/study/panic", "ACCESS", house) == {"ACCESS": 2}


def test_what_is_not_there_is_none_and_what_it_lacks_is_empty() -> None:
    assert of("/perpetuo/nothing") is None
    assert of("/perpetuo/tempo/more") is None
    assert of("/perpetuo/panic", "RANGE") == {}
    assert of("/perpetuo", "NONSENSE") == {}


def test_the_host_says_where_osc_is() -> None:
    house = OscHouse("study")
    info = describe(house, "/", "HOST_INFO", host="10.0.0.2", port=9999)  # type: ignore[arg-type]
    assert info is not None
    assert (info["OSC_IP"], info["OSC_PORT"], info["OSC_TRANSPORT"]) == ("10.0.0.2", 9999, "UDP")
    assert info["EXTENSIONS"]["RANGE"]
    assert "OSC_IP" not in of("/", "HOST_INFO")


def test_a_house_without_stations_is_described_too() -> None:
    assert set(of("/", house=OscHouse())["CONTENTS"]["perpetuo"]["CONTENTS"]) == {
        *("reload", "ping", "stations", "controls", "presets")
    }


def test_the_tables_of_the_page_are_what_the_code_says() -> None:
    page = PAGE.read_text("utf-8")
    assert page == renewed(page), "run: python -m server.serving.osc_tables docs/osc.md"
    assert page.count(BEGIN) == page.count(END) == 1


def test_the_tables_hold_every_word() -> None:
    rows = re.findall(r"^\| `/perpetuo/(?:STREAM/)?([a-z_]+)` \|", tables(), re.MULTILINE)
    assert sorted({*rows}) == sorted(RESERVED)


@pytest.mark.parametrize(
    ("address", "types", "values"),
    re.findall(
        r'^    oscsend localhost 8771 (\S+)(?: ([ifs]+) ("[^"]*"|\S+))?$',
        PAGE.read_text("utf-8"),
        re.MULTILINE,
    ),
)
def test_the_examples_of_the_page_work(address: str, types: str, values: str) -> None:
    read = {"f": float, "i": int, "s": lambda text: text.strip('"'), "": str}[types]
    request = request_of(address, (read(values),) if types else ())  # type: ignore[operator]
    control, value = getattr(request, "control", None), getattr(request, "value", None)
    if control:
        assert Controls().with_value(control, value) != Controls()
    else:
        assert not isinstance(request, QueryAll)


def test_the_error_that_the_page_shows_is_the_one_that_comes() -> None:
    page = PAGE.read_text("utf-8")
    shown = re.search(r'/perpetuo/error "\S+" "(.*)"', page)
    with pytest.raises(PerpetuoError) as error:
        Controls().with_value("tempo", 900)
    assert shown is not None
    assert shown.group(1) == str(error.value)
