"""Everything that a configuration holds, with what it is when nothing is said."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, field

from common.settings import Table
from server.audio.settings import AudioSettings
from server.house.settings import StationSettings
from server.midi.settings import MidiSettings
from server.osc.settings import OscSettings
from server.web.settings import WebSettings


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


class LogSettings(Table, frozen=True):
    """The control logs, from which 'perpetuo replay' makes what was heard: [logs]."""

    folder: Annotated[Path | None, "Where they are kept; none: in the state folder."] = None
    max_bytes: Annotated[
        int, Meta(ge=10_000, le=2**40), "Size at which a log goes on in another file."
    ] = 1_000_000
    keep: Annotated[int, Meta(ge=1, le=10_000), "Files that are kept of one stream."] = 20


class Configuration(Table, frozen=True):
    """A whole configuration, checked: the keys that stand before any table, and the tables."""

    model: Annotated[str, "Name of an embedded model, or an .onnx file."] = "default"
    device: Annotated[Literal["cpu", "cuda"], "What computes."] = "cpu"
    threads: Annotated[
        int, Meta(ge=1, le=64), "Threads of the network, in each composing process."
    ] = 1
    composers: Annotated[
        int,
        Meta(ge=0, le=256),
        "Most composing processes: one at first, another when those cannot carry a stream more;"
        " 0: as many as there are cores.",
    ] = 0
    lookahead: Annotated[
        int, Meta(ge=1, le=16), "Bars that are composed beyond the one that sounds."
    ] = 4
    horizon: Annotated[
        int,
        Meta(ge=20, le=2000),
        "Milliseconds before it sounds from which on a bar is not changed any more.",
    ] = 150
    max_streams: Annotated[
        int,
        Meta(ge=0, le=100_000),
        "Most own streams at once; 0: as many as this machine can carry.",
    ] = 0
    snapshot_bars: Annotated[
        int,
        Meta(ge=1, le=1024),
        "Bars between two savings of a stream, from which a restart goes on.",
    ] = 16
    state: Annotated[
        Path | None, "Folder for snapshots, seeds and logs; none: where this system keeps such."
    ] = None
    presets: Annotated[
        Path | None,
        "Folder with presets of one's own; they win over shipped ones of the same name.",
    ] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], "How much the server says of itself."
    ] = "info"
    log_format: Annotated[
        Literal["text", "json"], "One line of words an event, or one JSON object."
    ] = "text"
    # In order; the first is the one that is meant where none is named.
    stations: tuple[StationSettings, ...] = field(
        name="station", default=(StationSettings("study", "Study", "study"),)
    )
    midi: MidiSettings = MidiSettings()
    osc: OscSettings = OscSettings()
    web: WebSettings = WebSettings()
    audio: AudioSettings = AudioSettings()
    logs: LogSettings = LogSettings()

    @property
    def state_folder(self) -> Path:
        return self.state or state_folder()

    @property
    def log_folder(self) -> Path:
        return self.logs.folder or self.state_folder / "logs"
