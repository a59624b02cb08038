"""The surface for Open Stage Control: all controls, what it sends, what it shows.

The program itself is in no package archive, so its part is played by `stage_control.mjs`.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from engine.controls.controls import Controls
from engine.controls.table import CONTROLS
from engine.controls.values import AUTO, Control
from engine.library.presets import load_presets
from server.commands.cli import main
from server.osc.addresses import (
    NEWS,
    VERBS,
    QueryAll,
    SetControl,
    SetPreset,
    SetSeed,
    SetTransport,
    Subscribe,
    request_of,
)
from server.osc.subscribers import LIFETIME
from server.osc.surface import RENEWAL, Surface
from server.osc.values import arguments_of
from tests.clients.hosts import CLIENTS, program

SHIPPED = CLIENTS / "open-stage-control" / "perpetuo.json"
STYLES = ("calm", "lively")
SURFACE = Surface("night", tuple(load_presets(None)), STYLES)
# The properties of widgets that are used here, as the program's manual has them.
EVERY = {"type", "id", "width", "height", "expand", "address", "bypass", "typeTags", "decimals"}
EVERY |= {"comments", "default", "alphaStroke", "html", "onValue"}
CONTAINER = EVERY | {"layout", "scroll", "widgets", "tabs"}
PROPERTIES = {
    "root": CONTAINER | {"onCreate"},
    "panel": CONTAINER,
    "tab": CONTAINER | {"label"},
    "text": EVERY | {"wrap", "align"},
    "variable": EVERY,
    "button": EVERY | {"label", "mode", "on"},
    "dropdown": EVERY | {"label", "values"},
    "switch": EVERY | {"layout", "gridTemplate", "values"},
    "input": EVERY,
    "fader": EVERY | {"horizontal", "design", "range", "steps"},
    "knob": EVERY | {"range"},
}
# Values that are right beside the other one's default.
APART = {"low_pitch": (0, 60), "high_pitch": (70, 127)}

Sent = list[tuple[str, str, list[Any]]]


def inside(widget: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield widget
    for child in (*widget.get("widgets", ()), *widget.get("tabs", ())):
        yield from inside(child)


def all_widgets() -> dict[str, dict[str, Any]]:
    found = list(inside(SURFACE.session()["content"]))
    assert len({widget["id"] for widget in found}) == len(found)
    return {widget["id"]: widget for widget in found}


def played(commands: Sequence[Sequence[Any]]) -> list[Any]:
    """What came of each command; the first answer is what is sent when the session is opened."""
    node = program("node", "nodejs")
    told = json.dumps({"session": SURFACE.session(), "commands": commands})
    script = CLIENTS.parent / "tests" / "clients" / "stage_control.mjs"
    done = subprocess.run([node, script], input=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def requested(address: str, tags: str, values: list[Any]) -> Any:
    kinds = {"i": int, "f": float, "s": str}
    return request_of(address, [kinds[tag](v) for tag, v in zip(tags, values, strict=True)])


def test_the_shipped_surface_is_that_of_the_default_configuration(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    assert main(["surface", "-o", "-"]) == 0
    renewed = capfdbinary.readouterr().out == SHIPPED.read_bytes()
    assert renewed, f"run: perpetuo surface --force -o {SHIPPED.relative_to(CLIENTS.parent)}"


def test_a_station_that_is_not_there_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    assert main(["surface", "--station", "nihgt", "-o", str(tmp_path / "new.json")]) == 1
    assert "there is no station 'nihgt': choose from study" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_widgets_have_the_properties_that_their_type_has() -> None:
    for name, widget in all_widgets().items():
        assert set(widget) <= PROPERTIES[widget["type"]], name
        assert not (widget.get("widgets") and widget.get("tabs")), name


def test_every_control_has_a_row_in_the_tab_of_its_group() -> None:
    tabs = {name: w for name, w in all_widgets().items() if w["type"] == "tab"}
    assert list(tabs) == list(dict.fromkeys(f"{control.group}_tab" for control in CONTROLS))
    for control in CONTROLS:
        rows = {widget["id"]: widget for widget in tabs[f"{control.group}_tab"]["widgets"]}
        row = {widget["id"]: widget for widget in inside(rows[f"{control.name}_row"])}
        address = f"/perpetuo/night/{control.name}"
        assert row[f"{control.name}_told"]["address"] == address
        assert (
            row[f"{control.name}_{AUTO}"] | {"address": address, "on": AUTO}
            == row[f"{control.name}_{AUTO}"]
        )
        assert control.help in row[f"{control.name}_label"]["comments"]
        if control.kind.name in ("number", "integer", "per_field") and not control.choices:
            span = row[control.name]["range"]
            assert (span["min"], span["max"]) == (control.low, control.high)


def test_it_subscribes_and_asks_for_everything() -> None:
    ((subscribe, tags, values), query), *_ = played([])
    request = requested(subscribe, tags, values)
    assert isinstance(request, Subscribe)
    assert request.mode == "due"
    assert set(request.what) == {"bars", "chords", "sections", "controls"}
    assert requested(*query) == QueryAll("night")
    assert RENEWAL < LIFETIME * 1000


def touches(control: Control) -> list[tuple[str, Any, Any]]:
    """A widget, a value that it is given by hand, and what the control is then."""
    name, kind = control.name, control.kind.name
    if control.choices:
        return [(name, value, value) for value in control.choices]
    if kind in ("number", "integer", "per_field"):
        return [(name, value, value) for value in APART.get(name, (control.low, control.high))]
    texts = {
        "chords": "Am F C G",
        "scale": "1 0 1 0 1 1 0 1 0 1 0 1",
        "programs": "1:0 2:33",
        "by_part": "1:0.5 2:1",
        "metre": "6/8",
    }
    return [(name, texts[kind], control.plain(control.parse(texts[kind])))]


def test_what_is_touched_sets_the_control() -> None:
    plain = [c for c in CONTROLS if c.kind.name not in ("key", "mix", "parts")]
    wanted = [(control, *touch) for control in plain for touch in touches(control)]
    _, *answers = played([("touch", widget, value) for _, widget, value, _ in wanted])
    for (control, widget, _, meaning), sent in zip(wanted, answers, strict=True):
        ((address, tags, values),) = sent
        request = requested(address, tags, values)
        assert isinstance(request, SetControl), widget
        assert (request.stream, request.control) == ("night", control.name)
        after = Controls().with_value(control.name, request.value)
        assert after.plain(control.name) == pytest.approx(meaning), widget


def test_every_button_and_preset_is_understood() -> None:
    presets = all_widgets()["preset"]["values"]
    defaults = [f"{control.name}_{AUTO}" for control in CONTROLS]
    _, *answers = played(
        [
            *(("touch", verb, None) for verb in VERBS),
            *(("touch", "preset", name) for name in presets),
            *(("touch", name, AUTO) for name in defaults),
            ("touch", "seed", 1),
        ]
    )
    requests = [requested(*sent) for (sent,) in answers]
    assert requests[: len(VERBS)] == [SetTransport("night", verb) for verb in VERBS]
    assert requests[len(VERBS) :][: len(presets)] == [SetPreset("night", n) for n in presets]
    assert requests[len(VERBS) + len(presets) : -1] == [
        SetControl("night", control.name, AUTO) for control in CONTROLS
    ]
    assert isinstance(requests[-1], SetSeed)


def test_key_style_and_parts_are_put_together() -> None:
    _, none, key, calm, both, one, two, no_part = played(
        [
            ("touch", "key_tonic", "D"),
            ("touch", "key_mode", "dorian"),
            ("touch", "style_calm", 0.5),
            ("touch", "style_lively", 0.25),
            ("touch", "parts_2", 1),
            ("touch", "parts_8", 1),
            ("touch", "parts_8", 0),
        ]
    )
    assert none == []  # half a key
    assert [requested(*sent) for (sent,) in (key, calm, both, one, two, no_part)] == [
        SetControl("night", "key", "D dorian"),
        SetControl("night", "style", {"calm": 0.5}),
        SetControl("night", "style", {"calm": 0.5, "lively": 0.25}),
        SetControl("night", "parts", 2),
        SetControl("night", "parts", [2, 8]),
        SetControl("night", "parts", 2),
    ]


def test_it_shows_what_the_server_tells_and_sends_nothing_for_it() -> None:
    told = {
        "density": 6.0,
        "transpose": -5,
        "form": "arc",
        "metre": "3/4",
        "key": "Eb major pentatonic",
        "style": {"lively": 1.0},
        "parts": [1, 8],
        "temperature": {"all": 0.9, "pitch": 0.7},
        "bars_per_chord": 0.5,
    }
    news = [
        ("receive", f"/perpetuo/night/{name}", *arguments_of(name, value))
        for name, value in told.items()
    ]
    shown = {
        "density": 6.0,
        "density_told": 6.0,
        "transpose": -5,
        "form": "arc",
        "metre": "3/4",
        "key_tonic": "Eb",
        "key_mode": "major pentatonic",
        "style_calm": 0,
        "style_lively": 1.0,
        "parts_1": 1,
        "parts_2": 0,
        "parts_8": 1,
        "temperature": 0.9,
        "temperature_told": [0.9, "pitch", 0.7],
        "bars_per_chord": 0.5,
        "place": "bar 41 · D minor · 4/4",
        "news": "tempo cannot be 900",
        "chord": "Dm",
        "state": "playing",
    }
    news += [
        ("receive", "/perpetuo/night/bar", 41, 164.0, 72.0, "4/4", "D minor"),
        ("receive", "/perpetuo/night/chord", "Dm"),
        ("receive", "/perpetuo/night/state", "playing"),
        ("receive", "/perpetuo/night/heard", "tempo", 42),
        ("receive", "/perpetuo/error", "/perpetuo/night/tempo", "tempo cannot be 900"),
    ]
    assert {command[1].rpartition("/")[2] for command in news[len(told) :]} <= set(NEWS)
    _, *answers = played([*news, *(("get", name) for name in shown)])
    assert answers[: len(news)] == [[]] * len(news)
    assert dict(zip(shown, answers[len(news) :], strict=True)) == shown


def test_it_says_where_a_change_is_heard_and_what_is_not_on_disk() -> None:
    told = {
        ("heard", "tempo", 42): "tempo is heard from bar 42",
        ("postponed", "tempo", 43): "tempo comes later: from bar 43",
        ("unsaved", "tempo"): "tempo is not on the disk of the server yet",
    }
    for (word, *values), news in told.items():
        assert word in NEWS
        said = played([("receive", f"/perpetuo/night/{word}", *values), ("get", "news")])
        assert said[-1] == news
