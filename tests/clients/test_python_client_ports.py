"""MIDI ports of the Python client: with a library that stands in, and for real over JACK."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from perpetuo_client import PortError, open_port, port_names
from perpetuo_client.player import MidiPlayer, local_now

from tests.clients.client_bars import bar, note
from tests.server.jack import Ear, JackServer, jack_server

__all__ = ["jack_server"]

NO_SEQUENCER, WORKS = 1, 2


class RtMidiError(Exception):
    pass


class FakeOut:
    """Of two APIs one is not there."""

    def __init__(self, api: int, name: str) -> None:
        if api == NO_SEQUENCER:
            raise RtMidiError("no sequencer")
        self.opened: Any = None

    def get_ports(self) -> list[str]:
        return ["Synth: out 1", "Synth: out", "Piano"]

    def open_port(self, number: int, name: str) -> FakeOut:
        self.opened = number
        return self

    def open_virtual_port(self, name: str) -> FakeOut:
        self.opened = name
        return self


@pytest.fixture(autouse=True)
def fake_library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    library = SimpleNamespace(
        MidiOut=FakeOut, RtMidiError=RtMidiError, get_compiled_api=lambda: [NO_SEQUENCER, WORKS]
    )
    if "jack_server" not in request.fixturenames:
        monkeypatch.setitem(sys.modules, "rtmidi", library)
    return library


@pytest.mark.parametrize(
    ("name", "number"), [("Synth: out", 1), ("synth", 0), ("PIANO", 2), ("out 1", 0)]
)
def test_a_port_is_found_by_its_name_or_a_part_of_it(name: str, number: int) -> None:
    assert open_port(name).opened == number


def test_a_port_that_is_none_is_told_with_those_there_are() -> None:
    with pytest.raises(PortError, match="'Organ': choose one of these: 'Synth: out 1', 'Synth"):
        open_port("Organ")
    assert port_names() == ["Synth: out 1", "Synth: out", "Piano"]


def test_without_a_name_the_port_is_virtual() -> None:
    assert open_port().opened == "perpetuo client"


def test_where_no_port_can_be_made_it_says_what_to_do(
    fake_library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_library.get_compiled_api = lambda: [NO_SEQUENCER]
    with pytest.raises(PortError, match="JACK"):
        open_port()
    with pytest.raises(PortError, match="there is none"):
        open_port("Synth")
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(PortError, match="loopMIDI"):
        open_port()


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rtmidi", None)
    with pytest.raises(PortError, match=r"pip install python-rtmidi \("):
        open_port()


@pytest.mark.usefixtures("patient_player")
def test_another_process_hears_every_note_over_jack(jack_server: JackServer) -> None:
    port = open_port()
    ear = Ear("perpetuo client")
    player = MidiPlayer(port)
    try:
        due = local_now() + 100_000
        pitches = [note(60 + i, tick=4 * i, length=4) for i in range(24)]
        player.add(bar(0, *pitches, note(36, part=8), due=due, tempo=100_000))
        player.add(bar(1, note(90, length=10_000, tie=1), due=due + 400_000, tempo=100_000))
        ear.until(lambda message: message[:2] == (0x90, 90))
        player.close()
        ear.until(lambda message: message[:2] == (0xB9, 120))
    finally:
        player.close()
        ear.close()
        port.close_port()
    messages = [heard.message for heard in ear.heard]
    begun = sorted((m[0] & 15, m[1]) for m in messages if m and m[0] & 0xF0 == 0x90)
    ended = sorted((m[0] & 15, m[1]) for m in messages if m and m[0] & 0xF0 == 0x80)
    assert begun == ended == [*((0, 60 + i) for i in range(24)), (0, 90), (9, 36)]
    assert (0xC1, 48) in messages
