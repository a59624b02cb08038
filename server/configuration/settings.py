"""Everything that a configuration holds, with what it is when nothing is said."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.audio.settings import AudioSettings
from server.configuration.options import option
from server.midi.settings import MidiSettings
from server.osc.settings import OscSettings
from server.web.settings import WebSettings

MAX_SEED = 2**53 - 1  # that JSON carries exactly
_NAME = "[a-z0-9_-]{1,40}"
_NAME_FORM = "a name of at most 40 small letters, digits, - and _"
LEVELS = ("debug", "info", "warning", "error")


def state_folder() -> Path:
    """Where this system keeps what programs must remember between runs."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "")
        return Path(base or Path.home() / "AppData" / "Local") / "perpetuo"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "perpetuo"
    # Only absolute paths count there (XDG Base Directory Specification).
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "state") / "perpetuo"


@dataclass(frozen=True)
class StationSettings:
    """A stream that is always on, shared by all listeners: [[station]]."""

    name: str = option(
        help="In addresses, such as /perpetuo/NAME/density.", pattern=_NAME, form=_NAME_FORM
    )
    title: str = option("", "As it is shown to people; nothing: the name.")
    preset: str | None = option(None, "Preset that it begins with, see 'perpetuo presets'.")
    seed: int | None = option(
        None,
        "Which music; none: drawn at the first start, then kept in the state folder.",
        low=0,
        high=MAX_SEED,
    )
    model: str | None = option(None, "Model of this station, if not that of all.")
    controls: Mapping[str, Any] = option(
        {}, "Controls by name, on top of the preset, see controls.md.", form="controls by name"
    )
    start: str = option(
        "playing",
        "How it begins at first; later it goes on as it was left.",
        choices=("playing", "stopped"),
    )


@dataclass(frozen=True)
class LogSettings:
    """The control logs, from which 'perpetuo replay' makes what was heard: [logs]."""

    folder: Path | None = option(None, "Where they are kept; none: in the state folder.")
    max_bytes: int = option(
        1_000_000, "Size at which a log goes on in another file.", low=10_000, high=2**40
    )
    keep: int = option(20, "Files that are kept of one stream.", low=1, high=10_000)


@dataclass(frozen=True)
class Configuration:
    """A whole configuration, checked: the keys that stand before any table, and the tables."""

    model: str = option("default", "Name of an embedded model, or an .onnx file.")
    device: str = option("cpu", "What computes.", choices=("cpu", "cuda"))
    threads: int = option(1, "Threads of the network, in each composing process.", low=1, high=64)
    composers: int = option(
        0,
        "Most composing processes: one at first, another when those cannot carry a stream more;"
        " 0: as many as there are cores.",
        low=0,
        high=256,
    )
    lookahead: int = option(4, "Bars that are composed beyond the one that sounds.", low=1, high=16)
    horizon: int = option(
        150,
        "Milliseconds before it sounds from which on a bar is not changed any more.",
        low=20,
        high=2000,
    )
    max_streams: int = option(
        0, "Most own streams at once; 0: as many as this machine can carry.", low=0, high=100_000
    )
    snapshot_bars: int = option(
        16, "Bars between two savings of a stream, from which a restart goes on.", low=1, high=1024
    )
    state: Path | None = option(
        None, "Folder for snapshots, seeds and logs; none: where this system keeps such."
    )
    presets: Path | None = option(
        None, "Folder with presets of one's own; they win over shipped ones of the same name."
    )
    log_level: str = option("info", "How much the server says of itself.", choices=LEVELS)
    log_format: str = option(
        "text", "One line of words an event, or one JSON object.", choices=("text", "json")
    )
    stations: tuple[StationSettings, ...] = option(
        (StationSettings("study", "Study", "study"),),
        "The stations, in order; the first is the one that is meant where none is named.",
    )
    midi: MidiSettings = option(MidiSettings(), "MIDI output.")
    osc: OscSettings = option(OscSettings(), "OSC in and out.")
    web: WebSettings = option(WebSettings(), "The page, WebSocket and HTTP.")
    audio: AudioSettings = option(AudioSettings(), "Sound made by the server.")
    logs: LogSettings = option(LogSettings(), "Control logs.")

    @property
    def state_folder(self) -> Path:
        return self.state or state_folder()

    @property
    def log_folder(self) -> Path:
        return self.logs.folder or self.state_folder / "logs"
