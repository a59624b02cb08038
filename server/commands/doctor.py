"""`perpetuo doctor`: what this machine offers for playing, and what is missing."""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

from server.base.console import columns, paint
from server.base.distribution import versions
from server.base.machine import cores
from server.osc.settings import PORT as OSC_PORT
from server.web.settings import PORT as HTTP_PORT

HELP = "tell what this machine offers for playing, and what is missing"
EPILOG = """\
examples:
  perpetuo doctor                         ports, priorities, models, in plain words
  perpetuo doctor --json                  the same for programs

The exit code is 0 if music can be played in some way, 1 if in none.
"""
PACKAGES = (
    *("perpetuo", "numpy", "onnxruntime", "mido", "python-rtmidi", "python-osc"),
    *("websockets", "uvicorn", "starlette", "msgspec"),
)
PROBE = "perpetuo doctor"  # the port that is made for a moment
LABEL = 20
LISTEN = 0.4  # seconds of composing that tell the speed
SLOW = 1.0  # milliseconds a note that one stream should not take


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    found = examine()
    if args.json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        print("\n".join(_page(found)))
    return 0 if found["can_play"] else 1


# -- finding out -----------------------------------------------------------------------------------


def examine() -> dict[str, Any]:
    """Everything that the page shows, as plain JSON."""
    midi, model, sockets = _midi(), _model(), _sockets()
    web = next(row for row in sockets if row["what"] == "HTTP and WebSocket")
    return {
        "can_play": not model["error"]
        and bool(midi["virtual_port"] or midi["ports"] or web["free"]),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": cores(),
        "packages": versions(PACKAGES),
        "model": model,
        "real_time": _real_time(),
        "midi": midi,
        "sockets": sockets,
        "sound": _sound(),
    }


def _model() -> dict[str, Any]:
    """Whether the model that plays by default can be used, and how fast it composes."""
    from common.errors import PerpetuoError

    try:
        from engine.library.loading import load_network
        from engine.library.models import model_file
        from server.benches.measuring import glance

        path = model_file("default")
        network = load_network(path)
        speed = glance(network, LISTEN)
    except (PerpetuoError, ImportError) as error:
        return {"file": None, "error": str(error)}
    parameters = network.specification.parameters
    return {"file": str(path), "parameters": parameters, "ms_a_note": speed, "error": ""}


def _real_time() -> dict[str, Any]:
    """Whether notes may be dispatched with real-time priority. Tried in a child, so that this
    process keeps its own."""
    import subprocess

    from server.playing.player import PRIORITY

    if not hasattr(os, "SCHED_FIFO"):
        return {"permitted": False, "advice": "this system has no such thing; it plays without"}
    attempt = f"import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param({PRIORITY}))"
    done = subprocess.run([sys.executable, "-S", "-c", attempt], capture_output=True, check=False)
    advice = (
        "add '@audio - rtprio 95' to /etc/security/limits.conf, join the group audio and log in"
        " again (a container needs --cap-add=sys_nice); it plays without, but later under load"
    )
    permitted = done.returncode == 0
    return {"permitted": permitted, "advice": "" if permitted else advice}


def _midi() -> dict[str, Any]:
    from common.errors import PortError
    from server.midi import jack
    from server.midi.ports import open_virtual, survey

    states = survey()
    virtual, why_not = "", ""
    try:
        port = open_virtual(PROBE)
        virtual = port.api.name
        port.close()
    except PortError as error:
        why_not = str(error)
    return {
        "apis": [
            {"name": s.api.name, "usable": not s.why_not, "why_not": s.why_not} for s in states
        ],
        "ports": [{"api": s.api.name, "name": name} for s in states for name in s.ports],
        "virtual_port": virtual,
        "why_no_virtual_port": why_not,
        "jack_server": jack.running_server() not in (None, "unknown"),
    }


def _sound() -> dict[str, Any]:
    """Whether the server can make sound itself, and with what."""
    from common.errors import AudioError
    from server.audio import libraries

    try:
        for get in (libraries.fluidsynth, libraries.av, libraries.lameenc):
            get()
        return {"soundfont": str(libraries.soundfont(None)), "why_not": ""}
    except AudioError as error:
        return {"soundfont": None, "why_not": str(error)}


def _sockets() -> list[dict[str, Any]]:
    wanted = (
        ("HTTP and WebSocket", HTTP_PORT, socket.SOCK_STREAM),
        ("OSC", OSC_PORT, socket.SOCK_DGRAM),
    )
    return [
        {"what": what, "port": port, "free": _is_free(port, kind)} for what, port, kind in wanted
    ]


def _is_free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM and os.name == "posix":
            # As servers do: a port whose last connections are just closing is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


# -- saying it -------------------------------------------------------------------------------------


def _page(found: dict[str, Any]) -> Iterator[str]:
    model, real_time = found["model"], found["real_time"]
    yield paint("machine", "bold")
    yield from _line(True, "Python", f"{found['python']} on {found['system']}")
    yield from _line(True, "processors", str(found["cpus"]))
    yield from _line(
        real_time["permitted"], "real-time priority", real_time["advice"] or "permitted"
    )
    missing = [name for name, version in found["packages"].items() if version is None]
    versions = ", ".join(f"{name} {v}" for name, v in found["packages"].items() if v is not None)
    yield from _line(not missing, "packages", versions)
    if missing:
        yield from _line(
            False,
            "",
            f"not installed: {', '.join(missing)}: run pip install . in perpetuo's folder",
        )
    size = f"{model['file']}, {model['parameters'] / 1e6:.1f} M parameters" if model["file"] else ""
    yield from _line(not model["error"], "model", model["error"] or size)
    if not model["error"]:
        yield from _speed_page(model["ms_a_note"])
    yield ""
    yield from _midi_page(found["midi"])
    yield ""
    yield paint("sound", "bold")
    sound = found["sound"]
    made = f"can be made with {sound['soundfont']}"
    yield from _line(not sound["why_not"], "files and streams", sound["why_not"] or made)
    yield ""
    yield paint("network", "bold")
    for row in found["sockets"]:
        state = "free" if row["free"] else "taken: another server runs, or choose another port"
        yield from _line(row["free"], row["what"], f"port {row['port']} is {state}")
    yield ""
    yield from _verdict(found)


def _speed_page(ms_a_note: float) -> Iterator[str]:
    said = f"{ms_a_note:.2f} ms a note for one stream"
    if ms_a_note > SLOW:
        said += (
            f", where {SLOW:g} is meant: enough for some streams, not for hundreds. Either other"
            " programs keep the processor busy, or it multiplies bytes slowly (x86 needs AVX-512"
            " with VNNI for that); '--model lstm' takes half"
        )
    yield from _line(ms_a_note <= SLOW, "speed", said)


def _midi_page(midi: dict[str, Any]) -> Iterator[str]:
    yield paint("MIDI", "bold")
    if not midi["apis"]:
        yield from _line(False, "systems", midi["why_no_virtual_port"])
    for api in midi["apis"]:
        why_not = api["why_not"].removeprefix(f"{api['name']}: ")
        yield from _line(api["usable"], api["name"], why_not or "can be used")
    for port in midi["ports"]:
        yield from _line(True, "port", f"{port['name']} ({port['api']})")
    if not midi["ports"]:
        yield from _line(True, "ports", "no program or device offers one to play into")
    virtual = midi["virtual_port"]
    said = f"can be made with {virtual}" if virtual else "cannot be made"
    yield from _line(bool(virtual), "virtual port", said)
    if not virtual and midi["apis"] and not any(api["why_not"] for api in midi["apis"]):
        yield from _line(False, "", midi["why_no_virtual_port"])


def _verdict(found: dict[str, Any]) -> Iterator[str]:
    midi = found["midi"]
    if not found["can_play"]:
        text = "Nothing can be played here: see what is marked with -."
    elif midi["virtual_port"] or midi["ports"]:
        text = "Music can be played over MIDI and OSC, and seen in the browser: perpetuo serve"
    else:
        text = "Music can be played over OSC and seen in the browser, not over MIDI: perpetuo serve"
    yield from textwrap.wrap(text, columns())


def _line(good: bool, label: str, text: str) -> Iterator[str]:
    sign = "+" if good else paint("-", "red")
    first, *more = textwrap.wrap(text, max(30, columns() - LABEL - 3)) or [""]
    yield f"{sign if label else ' '} {label:<{LABEL}} {first}".rstrip()
    yield from (" " * (LABEL + 3) + line for line in more)
