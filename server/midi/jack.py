"""Whether a JACK server runs, found out without disturbing it or ourselves.

RtMidi cannot tell: after the server has died its ports are still listed and sending "succeeds",
until, once a buffer of 16 kB is full, it blocks for ever and the whole process with it. And
making a client takes 30 ms in which no other thread runs. Linux lists the sockets on which
programs listen; that takes a quarter of a millisecond.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_SOCKETS = Path("/proc/net/unix")
_LISTENING = "00010000"  # the flag __SO_ACCEPTCON


def server_name() -> str:
    return os.environ.get("JACK_DEFAULT_SERVER") or "default"


def running_server() -> str | None:
    """Something that identifies the run of the server we would play into; None if none runs.

    Where the system does not tell it is "unknown": then the attempt must show.
    """
    if not sys.platform.startswith("linux"):
        return "unknown"
    try:
        lines = _SOCKETS.read_text("utf-8", "replace").splitlines()
    except OSError:
        return "unknown"
    user = "" if "JACK_PROMISCUOUS_SERVER" in os.environ else f"_{os.getuid()}"
    ending = f"/jack_{server_name()}{user}_0"
    for line in lines:
        words = line.split(maxsplit=7)
        if len(words) == 8 and words[7].endswith(ending) and words[3] == _LISTENING:
            return words[6]  # the socket's inode
    return None


def keep_quiet() -> None:
    """Before a client is made: start no server, and print nothing on standard error, which the
    library does at every misfortune; we say it in our own words."""
    os.environ["JACK_NO_START_SERVER"] = "1"
    if not sys.platform.startswith("linux"):
        return
    system = ctypes.CDLL(None)
    # A C function that takes a text and does nothing: a Python one would need the interpreter's
    # lock in JACK's real-time thread.
    for library in map(ctypes.CDLL, _loaded_libraries()):
        for setter in ("jack_set_error_function", "jack_set_info_function"):
            if hasattr(library, setter):
                getattr(library, setter)(system.strlen)


def _loaded_libraries() -> list[str]:
    """The files of JACK libraries that this process has loaded: FluidSynth and PyAV may each bring
    one beside that of the MIDI ports."""
    try:
        lines = Path("/proc/self/maps").read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    paths = (line.split(maxsplit=5)[5] for line in lines if "libjack" in line)
    return list(dict.fromkeys(paths))
