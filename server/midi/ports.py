"""MIDI ports: which systems there are, what they offer, opening one.

`survey` never raises; the openers raise PortError with a sentence that says what to do.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakSet

from common.errors import PortError
from server.midi import jack

CLIENT = "perpetuo"
LAST_WORDS = 0.1  # seconds, some periods of JACK
SEQUENCER = Path("/dev/snd/seq")


class Api(NamedTuple):
    """One of the operating systems' ways to MIDI. `constant` is its name in rtmidi."""

    name: str
    constant: str
    virtual: bool  # whether ports can be made


# In the order in which they are tried.
APIS = (
    Api("ALSA", "API_LINUX_ALSA", True),
    Api("JACK", "API_UNIX_JACK", True),
    Api("CoreMIDI", "API_MACOSX_CORE", True),
    Api("Windows", "API_WINDOWS_MM", False),
)


@dataclass(frozen=True)
class ApiState:
    """`why_not` is a sentence, empty if the API can be used; `ports` are those to play into."""

    api: Api
    why_not: str
    ports: tuple[str, ...] = ()


# -- what there is ---------------------------------------------------------------------------------


def survey() -> list[ApiState]:
    """Every API that is compiled in, and the ports that can be played into."""
    states: list[ApiState] = []
    try:
        apis = compiled()
    except PortError:
        return states
    for api in apis:
        reason = why_not(api)
        try:
            states.append(ApiState(api, reason, () if reason else _ports_of(api)))
        except PortError as error:
            states.append(ApiState(api, str(error)))
    return states


def compiled() -> list[Api]:
    """The APIs that rtmidi was built with; PortError if there is no rtmidi."""
    rtmidi = _rtmidi()
    here = rtmidi.get_compiled_api()
    return [api for api in APIS if getattr(rtmidi, api.constant, None) in here]


def why_not(api: Api) -> str:
    """What is missing for an API, as a sentence that says what to do; "" if nothing is known to
    be. Opens nothing."""
    if api.name == "ALSA":
        if not SEQUENCER.exists():
            return (
                f"ALSA: there is no {SEQUENCER}: run 'sudo modprobe snd-seq' (in a container, pass"
                " /dev/snd in)"
            )
        if not os.access(SEQUENCER, os.R_OK | os.W_OK):
            return (
                f"ALSA: {SEQUENCER} may not be opened: run 'sudo usermod -aG audio $USER' and log"
                " in again"
            )
    if api.name == "JACK" and jack.running_server() is None:
        return (
            f"JACK: no server named '{jack.server_name()}' runs: start one with 'jackd -d alsa', or"
            " without a sound card 'jackd -d dummy'"
        )
    return ""


def _rtmidi() -> Any:
    """The module, loaded late: it is a compiled one that needs the system's sound library."""
    try:
        import rtmidi
    except ImportError as error:
        raise PortError(
            f"MIDI cannot be used ({error}): on Linux install libasound2, elsewhere python-rtmidi"
        ) from error
    jack.keep_quiet()
    return rtmidi


def _client(api: Api) -> Any:
    rtmidi = _rtmidi()
    if api.name == "JACK":
        _leave_dead_servers()
    try:
        return rtmidi.MidiOut(getattr(rtmidi, api.constant), CLIENT)
    except (rtmidi.RtMidiError, OSError) as error:
        raise PortError(f"{api.name} cannot be used: {error}") from error


def _ports_of(api: Api) -> tuple[str, ...]:
    client = _client(api)
    names = _listed(client)
    client.delete()
    return names


def _listed(client: Any) -> tuple[str, ...]:
    return tuple(client.get_ports())


# -- opening ---------------------------------------------------------------------------------------


class Port:
    """An open port. Use `send` and `close` in one thread; `is_alive` may be called in another."""

    def __init__(self, api: Api, client: Any, name: str, *, virtual: bool) -> None:
        self.api, self.name, self.virtual = api, name, virtual
        self._client: Any = client
        self._server = jack.running_server() if api.name == "JACK" else None
        if self._server is not None:
            _OPEN.add(self)

    def send(self, message: Sequence[int]) -> None:
        """OSError if the port does not take it."""
        if self._client is None:
            raise OSError("the port is closed")
        try:
            self._client.send_message(message)
        except Exception as error:  # rtmidi's errors share no base with OSError
            raise OSError(str(error) or type(error).__name__) from error

    def is_alive(self) -> bool:
        client = self._client
        if client is None or not self._serves():
            return False
        return self.virtual or self.name in _listed(client)

    def close(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        if self._serves():
            if self._server is not None:
                # What JACK has not carried to the others is lost with the port: the last note-offs.
                time.sleep(LAST_WORDS)
            client.close_port()
            client.delete()
        else:
            # To close a client of a dead server takes a second, in which no thread runs.
            _BURIED.append(client)

    def _serves(self) -> bool:
        return self._server is None or self._server == jack.running_server()


_OPEN: WeakSet[Port] = WeakSet()  # those on JACK
_BURIED: list[Any] = []


def _leave_dead_servers() -> None:
    """End what is left of servers that have died, before another client is made. JACK's library
    keeps one table of the other programs for all clients of a process: a new one beside an old
    one would signal to programs that are gone, and the new server come to a standstill."""
    for port in list(_OPEN):
        if not port._serves():
            port.close()
    while _BURIED:
        client = _BURIED.pop()
        client.close_port()
        client.delete()


def open_virtual(name: str) -> Port:
    """Make a port that other programs can connect to, where the system first offers one."""
    return _first([api for api in compiled() if api.virtual], lambda api: _make(api, name))


def open_existing(name: str) -> Port:
    """Open a port by its name, the beginning of it or any part of it."""
    seen: list[str] = []

    def open_on(api: Api) -> Port:
        client = _client(api)
        names = _listed(client)
        found = match(name, names)
        if found is None:
            seen.extend(names)
            client.delete()
            raise PortError(f"{api.name} has no port '{name}'")
        _opened(lambda: client.open_port(names.index(found), "out"), api, found)
        return Port(api, client, found, virtual=False)

    try:
        return _first(compiled(), open_on)
    except PortError as error:
        if not seen:
            raise
        listed = ", ".join(f"'{port}'" for port in seen)
        raise PortError(f"there is no MIDI port '{name}': there are {listed}") from error


def match(name: str, ports: Sequence[str]) -> str | None:
    """The port that a name means: the very one, else the first that begins with it or holds it."""
    wanted = name.casefold()
    tests: tuple[Callable[[str], bool], ...] = (
        lambda port: port == name,
        lambda port: port.casefold().startswith(wanted),
        lambda port: wanted in port.casefold(),
    )
    return next((port for test in tests for port in ports if test(port)), None)


def _make(api: Api, name: str) -> Port:
    client = _client(api)
    _opened(lambda: client.open_virtual_port(name), api, name)
    return Port(api, client, name, virtual=True)


def _opened(call: Callable[[], object], api: Api, name: str) -> None:
    try:
        call()
    except Exception as error:
        raise PortError(f"{api.name} cannot open the port '{name}': {error}") from error


def _first(apis: Sequence[Api], attempt: Callable[[Api], Port]) -> Port:
    """The first that succeeds; PortError with all the reasons."""
    reasons = []
    for api in apis:
        reason = why_not(api)
        if not reason:
            try:
                return attempt(api)
            except PortError as error:
                reason = str(error)
        reasons.append(reason)
    raise PortError("no MIDI port: " + ("; ".join(reasons) or _nowhere()))


def _nowhere() -> str:
    """Why no API can do what was asked."""
    if sys.platform == "win32":
        return (
            "Windows cannot make MIDI ports: install loopMIDI, make a port there and name it in"
            " the configuration with virtual = false"
        )
    return "python-rtmidi was built without any MIDI system: install its wheel from PyPI"
