"""MIDI output ports of this machine; needs python-rtmidi (the extra `midi`)."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from perpetuo_client.errors import PortError

CLIENT_NAME = "perpetuo client"


class Port(Protocol):
    """What music can be played into; `rtmidi.MidiOut` is one.

    An exception of `send_message` tells that the port is gone.
    """

    def send_message(self, message: Sequence[int], /) -> None: ...


def port_names() -> list[str]:
    """The output ports that there are."""
    return [name for output in _outputs() for name in output.get_ports()]


def open_port(name: str | None = None) -> Any:
    """An open `rtmidi.MidiOut`: the port whose name is, or else contains, `name`; with no name a
    virtual port that other programs can connect to."""
    if name is None:
        return _virtual_port()
    for matches in (str.__eq__, _is_in):
        for output in _outputs():
            for number, port in enumerate(output.get_ports()):
                if matches(name, port):
                    return output.open_port(number, CLIENT_NAME)
    there = ", ".join(f"'{port}'" for port in port_names()) or "there is none"
    raise PortError(f"No MIDI output port is called '{name}': choose one of these: {there}.")


def _is_in(name: str, port: str) -> bool:
    return name.casefold() in port.casefold()


def _virtual_port() -> Any:
    if sys.platform == "win32":
        raise PortError("Windows has no virtual MIDI ports: run loopMIDI and name its port.")
    for output in _outputs():
        return output.open_virtual_port(CLIENT_NAME)
    raise PortError(
        "No virtual MIDI port can be opened: start ALSA's sequencer (modprobe snd-seq) or JACK."
    )


def _outputs() -> Iterator[Any]:
    """One output of each MIDI API that works here."""
    try:
        import rtmidi  # an optional extra
    except ImportError as error:
        raise PortError(
            f"MIDI ports need python-rtmidi: pip install python-rtmidi ({error})."
        ) from error
    for api in rtmidi.get_compiled_api():
        try:
            yield rtmidi.MidiOut(api, name=CLIENT_NAME)
        except rtmidi.RtMidiError:  # compiled in, but the system has it not
            continue
