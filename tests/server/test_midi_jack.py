"""For real: another process hears what is played over JACK."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from common.errors import PortError
from server.midi.output import MidiOutput
from server.midi.ports import open_existing, survey
from server.midi.settings import PortSettings
from server.playing.dispatch import PortReport
from server.playing.player import Player, monotonic_us
from tests.server.bars import bar
from tests.server.jack import Ear, JackServer, jack_server

__all__ = ["jack_server"]

pytestmark = pytest.mark.in_time

PROGRAMS = (5, 6, 7, 8, 9, 10, 11, 0)
BARS = [
    bar(0, [(1, 60, 0, 24), (1, 64, 24, 72, 0, 1), (8, 36, 0, 6)], tempo=240_000),
    bar(1, [(1, 64, 0, 24, 0, 2), (3, 50, 24, 96), (8, 38, 48, 6)], tempo=200_000),
    bar(2, [(3, 50, 48, 24), (2, 55, 72, 24)], tempo=240_000, programs=PROGRAMS),
]
ON, OFF, PROGRAM = 0x90, 0x80, 0xC0
START, STOP, CLOCK, SOUND_OFF = 0xFA, 0xFC, 0xF8, 120
GENEROUS = 500_000  # microseconds, on a machine that does other things


@pytest.fixture
def port() -> PortSettings:
    return PortSettings(name="study", channels={3: 5}, clock=True)


@pytest.fixture
def reports() -> dict[bool, threading.Event]:
    return {True: threading.Event(), False: threading.Event()}


@pytest.fixture
def player(jack_server: JackServer, reports: dict[bool, threading.Event]) -> Iterator[Player]:
    def report(change: PortReport) -> None:
        reports[change.alive].set()

    player = Player(report)
    player.start()
    yield player
    player.close()


def play(player: Player) -> int:
    """Offer three bars that begin soon; returns when."""
    begin = due = monotonic_us() + 200_000
    for planned in BARS:
        player.offer("study", planned.index, 0, due, planned)
        due += planned.length
    return begin


def is_stop(message: tuple[int, ...]) -> bool:
    return message == (STOP,)


def test_another_process_hears_every_note_and_its_end(player: Player, port: PortSettings) -> None:
    player.add("study", [MidiOutput(port)])
    ear = Ear("study")
    try:
        begin = play(player)
        heard = ear.until(is_stop)
        tick, tock = 10_000, 200_000 / 24  # microseconds a tick of the bars
        second, third = 96 * tick, 96 * tick + 96 * tock
        expected = [
            (0, (ON | 0, 60, 80)),
            (0, (ON | 9, 36, 80)),
            (6 * tick, (OFF | 9, 36, 64)),
            (24 * tick, (OFF | 0, 60, 64)),
            (24 * tick, (ON | 0, 64, 80)),
            (second + 24 * tock, (OFF | 0, 64, 64)),
            (second + 24 * tock, (ON | 4, 50, 80)),
            (second + 48 * tock, (ON | 9, 38, 80)),
            (second + 54 * tock, (OFF | 9, 38, 64)),
            (third + 24 * tick, (OFF | 4, 50, 64)),
            (third + 48 * tick, (ON | 4, 50, 80)),
            (third + 72 * tick, (OFF | 4, 50, 64)),
            (third + 72 * tick, (ON | 1, 55, 80)),
            (third + 96 * tick, (OFF | 1, 55, 64)),
        ]
        notes = [event for event in heard if event.message[0] & 0xE0 == OFF]
        assert [event.message for event in notes] == [message for _, message in expected]
        for event, (due, _) in zip(notes, expected, strict=True):
            assert abs(event.time - begin - due) < GENEROUS
        first, *more = [event.message for event in heard if event.message[0] & 0xF0 == PROGRAM]
        assert first == (PROGRAM, 0)
        assert more[7:] == [
            (PROGRAM | channel, program)
            for channel, program in zip((0, 1, 4, 3, 4, 5, 6), PROGRAMS, strict=False)
        ]
        clock = [event.message for event in heard if event.message[0] in (START, STOP, CLOCK)]
        assert clock == [(START,), *[(CLOCK,)] * 288, (STOP,)]
        player.remove("study")
        ear.until(lambda message: message[:2] == (0xB0 | 9, SOUND_OFF))
    finally:
        ear.close()


def test_a_server_that_crashes_is_noticed_and_taken_up_again(
    player: Player,
    port: PortSettings,
    jack_server: JackServer,
    reports: dict[bool, threading.Event],
    capfd: pytest.CaptureFixture[str],
) -> None:
    output = MidiOutput(port)
    player.add("study", [output])
    play(player)
    jack_server.kill()
    assert reports[False].wait(6)
    assert not output.is_alive()
    player.stop("study")
    jack_server.start()
    assert reports[True].wait(30)
    ear = Ear("study")
    try:
        player.restart("study")
        play(player)
        heard = [event.message for event in ear.until(is_stop)]
    finally:
        ear.close()
    assert {(ON, 60, 80), (OFF, 60, 64)} <= set(heard)
    assert capfd.readouterr().err == ""


def test_an_existing_port_is_found_by_a_part_of_its_name(jack_server: JackServer) -> None:
    rtmidi = pytest.importorskip("rtmidi")
    synth = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, "synth")
    synth.open_virtual_port("notes in")
    heard = threading.Event()
    synth.set_callback(lambda event, data: heard.set())
    port = open_existing("Synth")
    assert (port.name, port.api.name) == ("synth:notes in", "JACK")
    assert port.is_alive()
    port.send((0x90, 60, 80))
    assert heard.wait(10)
    with pytest.raises(PortError, match=r"no MIDI port 'piano': there are 'synth:notes in'"):
        open_existing("piano")
    states = {state.api.name: state for state in survey()}
    assert states["JACK"].ports == ("synth:notes in",)
    synth.close_port()
    synth.delete()
    assert not port.is_alive()
    port.close()
    with pytest.raises(OSError, match="closed"):
        port.send((0x80, 60, 0))
