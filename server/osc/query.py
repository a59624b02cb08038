"""OSCQuery: the address space as JSON, so that other programs find it by themselves.

The web server hands this out under `/oscquery`; the paths are those of OSC. The proposal is at
https://github.com/Vidvox/OSCQueryProposal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.controls.table import CONTROLS
from engine.controls.values import Control
from server.osc.addresses import ROOT, SERVER_WORDS, VERBS
from server.osc.settings import PORT

if TYPE_CHECKING:
    from server.house.house import House
    from server.house.stream import Stream

Node = dict[str, Any]

NONE, READ, WRITE, BOTH = range(4)  # what may be done with an address

_EXTENSIONS = ("ACCESS", "VALUE", "RANGE", "DESCRIPTION", "UNIT")


def describe(
    house: House,
    path: str,
    attribute: str | None = None,
    *,
    host: str | None = None,
    port: int = PORT,
) -> dict[str, Any] | None:
    """The node at an OSC path, or one of its attributes as an object of that alone.

    None where there is no such path; an empty object where the node lacks the attribute, which
    HTTP answers with 204. `host` and `port` are where OSC listens; without a host, that of HTTP.
    """
    if attribute == "HOST_INFO":
        return _host_info(host, port)
    node = _root(house)
    for name in path.strip("/").split("/") if path.strip("/") else ():
        inside = node.get("CONTENTS", {})
        if name not in inside:
            return None
        node = inside[name]
    if attribute is None:
        return node
    return {attribute: node[attribute]} if attribute in node else {}


def _host_info(host: str | None, port: int) -> Node:
    info: Node = {
        "NAME": ROOT,
        "OSC_PORT": port,
        "OSC_TRANSPORT": "UDP",
        "EXTENSIONS": dict.fromkeys(_EXTENSIONS, True),
    }
    return {**info, "OSC_IP": host} if host else info


def _root(house: House) -> Node:
    here = f"/{ROOT}"
    stations = list(house.stations.values())
    inside = _stream(here, stations[0]) if stations else {}
    for name, text in SERVER_WORDS.items():
        inside[name] = _trigger(f"{here}/{name}", text)
    for stream in stations:
        place = f"{here}/{stream.name}"
        inside[stream.name] = _container(
            place, f"The station {stream.name}.", _stream(place, stream)
        )
    server = _container(here, "The first station and the server.", inside)
    return _container("/", "perpetuo", {ROOT: server})


def _container(path: str, text: str, inside: dict[str, Node]) -> Node:
    return {"FULL_PATH": path, "ACCESS": NONE, "DESCRIPTION": text, "CONTENTS": inside}


def _stream(path: str, stream: Stream) -> dict[str, Node]:
    nodes = {c.name: _control(f"{path}/{c.name}", c, stream) for c in CONTROLS}
    for verb, text in VERBS.items():
        nodes[verb] = _trigger(f"{path}/{verb}", text)
    for name, text, value in (
        ("preset", "The preset that was applied last, by name.", stream.preset or ""),
        ("load", "The model, by name; another one begins anew.", stream.model_name),
        ("seed", "What all is drawn from, a whole number; another one begins anew.", stream.seed),
    ):
        nodes[name] = _leaf(f"{path}/{name}", text, "s", str(value), BOTH)
    nodes["state"] = _leaf(f"{path}/state", "playing or stopped", "s", stream.state, READ)
    return nodes


def _leaf(path: str, text: str, tags: str, value: object, access: int) -> Node:
    return {
        "FULL_PATH": path,
        "ACCESS": access,
        "DESCRIPTION": text,
        "TYPE": tags,
        "VALUE": [value],
    }


def _trigger(path: str, text: str) -> Node:
    return {"FULL_PATH": path, "ACCESS": WRITE, "DESCRIPTION": text, "TYPE": "N"}


def _control(path: str, control: Control, stream: Stream) -> Node:
    """Numbers as numbers, null while they are open; everything else as its text form, which one
    address of a fixed type can hold."""
    value: object = stream.controls.plain(control.name)
    tags, text = {"number": "f", "integer": "i", "per_field": "f"}.get(control.kind.name), ""
    if control.kind.name == "per_field":
        value = getattr(stream.controls, control.name).base
    elif tags is None:
        value = stream.controls.spelled(control.name)
        text = f" {control.form[0].upper()}{control.form[1:]}."
    text += f" Refused: {why}." if (why := stream.unfollowed.get(control.name)) else ""
    node = _leaf(path, control.help + text, tags or "s", value, BOTH)
    if control.choices:
        node["RANGE"] = [{"VALS": list(control.choices)}]
    elif tags:
        node["RANGE"] = [{"MIN": control.low, "MAX": control.high}]
    return {**node, "UNIT": [control.unit]} if tags and control.unit else node
