"""A layout of every control for Open Stage Control, derived from the table of controls. Pure.

A session of that program is a tree of widgets in JSON. Widgets send to an OSC address and take
over what comes in at it, so the server's news of the controls (`/perpetuo/STREAM/subscribe`) keep
them true whoever turned something. Its scripting has `get`, `set` and `send`; what is set because
of news is never sent.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.controls.table import CONTROLS
from engine.controls.values import AUTO, Control
from engine.music.harmony import SCALES, TONIC_NAMES
from engine.music.score import PARTS
from engine.music.time import Metre
from server.osc.addresses import ROOT, VERBS
from server.osc.settings import BARS, CHORDS, DUE, SECTIONS
from server.osc.settings import CONTROLS as CONTROL_NEWS

Widget = dict[str, Any]

FORMAT = "1.25.0"  # sessions of this version are read as they are by it and all later ones
RENEWAL = 30_000  # milliseconds; a subscription lasts a minute
MAX_BEATS = 16
SILENTLY = "{send: false, sync: false}"
ROW, HIGH_ROW, LABEL, TOLD, BUTTON = 54, 108, 170, 170, 80  # pixels


@dataclass(frozen=True, slots=True)
class Surface:
    """One station's surface."""

    station: str
    presets: Sequence[str]
    styles: Sequence[str]  # of its model

    def session(self) -> Widget:
        groups = list(dict.fromkeys(control.group for control in CONTROLS))
        root = {
            "type": "root",
            "id": "root",
            "layout": "vertical",
            "onCreate": self._following(),
            "widgets": [
                _panel("place_row", ROW, *self._place()),
                _panel("transport_row", ROW, *self._transport()),
                _widget("panel", "groups", expand=True, tabs=[self._tab(name) for name in groups]),
            ],
        }
        head = {"createdWith": "Open Stage Control", "version": FORMAT, "type": "session"}
        return {**head, "content": root}

    def text(self) -> str:
        """The file."""
        return json.dumps(self.session(), ensure_ascii=False, indent=1) + "\n"

    def _to(self, word: str) -> str:
        return f"/{ROOT}/{self.station}/{word}"

    # -- above the tabs --------------------------------------------------------------------------

    def _following(self) -> str:
        """Subscribe, again and again, and ask once for everything as it is."""
        what = (self._to("subscribe"), BARS, CHORDS, SECTIONS, CONTROL_NEWS, DUE)
        return (
            f"var follow = () => send({', '.join(map(json.dumps, what))})\n"
            f"follow()\nsend({json.dumps(self._to('')[:-1])})\nsetInterval(follow, {RENEWAL})"
        )

    def _place(self) -> list[Widget]:
        """Where the music is, and what the server says."""
        place = "set('place', 'bar ' + value[0] + ' · ' + value[4] + ' · ' + value[3])"
        heard = "set('news', value[0] + ' is heard from bar ' + value[1])"
        later = "set('news', value[0] + ' comes later: from bar ' + value[1])"
        unsaved = "set('news', value + ' is not on the disk of the server yet')"
        return [
            _widget("text", "state", width=LABEL, address=self._to("state")),
            _widget("text", "place", width=2 * LABEL),
            _widget("text", "chord", width=BUTTON, address=self._to("chord")),
            _widget("text", "section", width=BUTTON, address=self._to("section")),
            _widget("text", "news", expand=True, wrap="soft"),
            _widget("variable", "bar_told", address=self._to("bar"), onValue=place),
            _widget("variable", "heard_told", address=self._to("heard"), onValue=heard),
            _widget("variable", "later_told", address=self._to("postponed"), onValue=later),
            _widget("variable", "unsaved_told", address=self._to("unsaved"), onValue=unsaved),
            _widget(
                "variable", "error_told", address=f"/{ROOT}/error", onValue="set('news', value[1])"
            ),
        ]

    def _transport(self) -> list[Widget]:
        seed = json.dumps(self._to("seed"))
        number = "{type: 'i', value: Math.floor(Math.random() * 2147483647)}"
        verbs = [
            _widget("button", verb, expand=True, mode="momentary", address=self._to(verb))
            for verb in VERBS
        ]
        return [
            *verbs,
            _widget(
                "button",
                "seed",
                expand=True,
                label="other music",
                mode="tap",
                bypass=True,
                onValue=f"send({seed}, {number})",
            ),
            _widget(
                "dropdown",
                "preset",
                width=2 * LABEL,
                label="preset: %value",
                values=list(self.presets),
                typeTags="s",
                address=self._to("preset"),
            ),
        ]

    # -- a control -------------------------------------------------------------------------------

    def _tab(self, group: str) -> Widget:
        rows = [self._row(control) for control in CONTROLS if control.group == group]
        return _widget("tab", f"{group}_tab", label=group, layout="vertical", widgets=rows)

    def _row(self, control: Control) -> Widget:
        unit = f"\n{control.unit}" if control.unit else ""
        label = _widget("text", f"{control.name}_label", width=LABEL, wrap="soft", align="left")
        label |= {"default": f"{control.name}{unit}", "bypass": True, "comments": control.help}
        told = _widget("text", f"{control.name}_told", width=TOLD, wrap="soft", decimals=2)
        told["address"] = self._to(control.name)
        default = _widget(
            "button",
            f"{control.name}_{AUTO}",
            width=BUTTON,
            label=AUTO if control.is_open else "default",
            mode="tap",
            on=AUTO,
            typeTags="s",
            address=self._to(control.name),
        )
        height = HIGH_ROW if control.kind.name in ("key", "mix") else ROW
        return _panel(f"{control.name}_row", height, label, *self._hands(control), told, default)

    def _hands(self, control: Control) -> list[Widget]:
        """What is touched to turn a control."""
        if control.choices:
            return [self._choice(control)]
        match control.kind.name:
            case "number" | "integer":
                return [self._fader(control)]
            case "per_field":
                follow = f"if (Array.isArray(value)) set('{control.name}', value[0], {SILENTLY})"
                return [self._fader(control), self._ear(control, follow)]
            case "metre":
                return [self._dropdown(control, [AUTO, *_metres()])]
            case "key":
                return self._key(control)
            case "mix":
                return self._mix(control)
            case "parts":
                return self._parts(control)
            case _:
                return [self._input(control)]

    def _fader(self, control: Control) -> Widget:
        is_whole = control.kind.name == "integer"
        low, high = control.low, control.high
        fader = _widget("fader", control.name, expand=True, horizontal=True, design="compact")
        fader |= {"range": {"min": low, "max": high}, "typeTags": "i" if is_whole else "f"}
        fader |= {"decimals": 0 if is_whole else 3 if high - low <= 1 else 2}
        if is_whole:
            fader["steps"] = int(high - low) + 1
        return {**fader, "address": self._to(control.name)}

    def _choice(self, control: Control) -> Widget:
        tags = "s" if control.kind.name == "choice" else "f"
        switch = _widget("switch", control.name, expand=True, layout="horizontal", typeTags=tags)
        return {**switch, "values": list(control.choices), "address": self._to(control.name)}

    def _dropdown(self, control: Control, values: list[str]) -> Widget:
        dropdown = _widget("dropdown", control.name, expand=True, typeTags="s", values=values)
        return {**dropdown, "address": self._to(control.name)}

    def _input(self, control: Control) -> Widget:
        words = _widget("input", control.name, expand=True, comments=control.form)
        return {**words, "address": self._to(control.name)}

    def _ear(self, control: Control, script: str) -> Widget:
        """Hears the news of a control whose widgets cannot take them over by themselves."""
        address = self._to(control.name)
        return _widget("variable", f"{control.name}_ear", address=address, onValue=script)

    def _key(self, control: Control) -> list[Widget]:
        tonic, mode = f"{control.name}_tonic", f"{control.name}_mode"
        send = f"send('{self._to(control.name)}', get('{tonic}') + ' ' + get('{mode}'))"
        turned = f"if (get('{tonic}') && get('{mode}')) {send}"
        follow = (
            f"var words = String(value).split(' ')\n"
            f"set('{tonic}', words.shift(), {SILENTLY})\n"
            f"set('{mode}', words.join(' '), {SILENTLY})"
        )
        grid = {"expand": True, "layout": "grid", "bypass": True, "onValue": turned}
        return [
            _widget("switch", tonic, **grid, gridTemplate=6, values=list(TONIC_NAMES)),
            _widget("switch", mode, **grid, gridTemplate=5, values=list(SCALES)),
            self._ear(control, follow),
        ]

    def _mix(self, control: Control) -> list[Widget]:
        names = json.dumps(list(self.styles))
        to = self._to(control.name)
        turned = (
            f"var mix = []\nfor (var name of {names}) {{\n"
            f"  var weight = get('{control.name}_' + name)\n"
            "  if (weight > 0) mix.push(name, weight)\n}\n"
            f"if (mix.length) send('{to}', ...mix)\nelse send('{to}', '{AUTO}')"
        )
        follow = (
            "var mix = Array.isArray(value) ? value : []\n"
            f"for (var name of {names}) {{\n  var at = mix.indexOf(name)\n"
            f"  set('{control.name}_' + name, at < 0 ? 0 : mix[at + 1], {SILENTLY})\n}}"
        )
        knobs = [
            _widget(
                "knob",
                f"{control.name}_{name}",
                expand=True,
                range={"min": 0, "max": 1},
                html=f"<p>{name}</p>",
                bypass=True,
                onValue=turned,
            )
            for name in self.styles
        ]
        return [*knobs, self._ear(control, follow)]

    def _parts(self, control: Control) -> list[Widget]:
        to = self._to(control.name)
        turned = (
            f"var parts = []\nfor (var part = 1; part <= {PARTS}; part++) {{\n"
            f"  if (get('{control.name}_' + part) != 1) continue\n"
            "  parts.push({type: 'i', value: part})\n}\n"
            f"if (parts.length) send('{to}', ...parts)\nelse send('{to}', '{AUTO}')"
        )
        follow = (
            "var parts = [].concat(value)\n"
            f"for (var part = 1; part <= {PARTS}; part++) {{\n"
            f"  set('{control.name}_' + part, parts.includes(part) ? 1 : 0, {SILENTLY})\n}}"
        )
        buttons = [
            _widget(
                "button",
                f"{control.name}_{part}",
                expand=True,
                label="drums" if part == PARTS else str(part),
                bypass=True,
                onValue=turned,
            )
            for part in range(1, PARTS + 1)
        ]
        return [*buttons, self._ear(control, follow)]


def _widget(kind: str, name: str, **properties: Any) -> Widget:
    return {"type": kind, "id": name, **properties}


def _panel(name: str, height: int, *widgets: Widget) -> Widget:
    looks = {"layout": "horizontal", "scroll": False, "alphaStroke": 0}
    return _widget("panel", name, height=height, **looks, widgets=list(widgets))


def _metres() -> list[str]:
    found = []
    for unit in (4, 8):
        for beats in range(1, MAX_BEATS + 1):
            try:
                found.append(str(Metre(beats, unit)))
            except ValueError:  # longer than a bar may be
                break
    return found
