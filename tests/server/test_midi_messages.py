"""Events as bytes, and outputs over ports that are made up."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mido import Message

from common.errors import PortError
from server.midi.messages import messages, silence
from server.midi.output import MidiOutput
from server.midi.ports import APIS, Port
from server.midi.settings import PortSettings
from server.playing.outputs import (
    BarBegin,
    ClockStart,
    ClockStop,
    ClockTick,
    Controller,
    Event,
    NoteOff,
    NoteOn,
    Program,
    Sustain,
)

channel_of = PortSettings().channel_of


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (NoteOn(1, 60, 80, 9), [(0x90, 60, 80)]),
        (NoteOn(7, 60, 0, 9), [(0x96, 60, 1)]),
        (NoteOn(8, 36, 200, 9), [(0x99, 36, 127)]),
        (NoteOff(2, 60), [(0x81, 60, 64)]),
        (Program(8, 25), [(0xC9, 25)]),
        (Controller(3, 10, 32), [(0xB2, 10, 32)]),
        (Controller(8, 7, None), [(0xB9, 7, 100)]),
        (Controller(1, 91, None), [(0xB0, 91, 40)]),
        (Sustain(3, down=True), [(0xB2, 64, 127)]),
        (Sustain(3, down=False), [(0xB2, 64, 0)]),
        (ClockTick(7), [(0xF8,)]),
        (ClockStart(0), [(0xFA,)]),
        (ClockStart(96), [(0xF2, 16, 0), (0xFB,)]),
        (ClockStart(6 * 130), [(0xF2, 2, 1), (0xFB,)]),
        (ClockStart(6 * ((1 << 14) + 5)), [(0xF2, 5, 0), (0xFB,)]),
        (ClockStop(), [(0xFC,)]),
        (BarBegin(3, "A", ("C", "F")), []),
    ],
)
def test_an_event_is_these_bytes(event: Event, expected: list[tuple[int, ...]]) -> None:
    assert messages(event, channel_of) == expected


@given(st.integers(1, 8), st.integers(0, 127), st.integers(0, 127), st.integers(0, 10**7))
def test_every_message_is_a_status_and_seven_bit_data(
    part: int, pitch: int, velocity: int, position: int
) -> None:
    events: list[Event] = [NoteOn(part, pitch, velocity, 1), NoteOff(part, pitch)]
    events += [Program(part, pitch), ClockStart(6 * position)]
    for event in events:
        for status, *data in messages(event, channel_of):
            assert 0x80 <= status <= 0xFF
            assert all(0 <= value < 0x80 for value in data)


def read_by_mido(event: Event) -> list[Message]:
    return [Message.from_bytes(message) for message in messages(event, channel_of)]


@given(st.integers(1, 8), st.integers(0, 127), st.integers(1, 127), st.integers(0, 10**7))
def test_mido_reads_in_every_message_what_was_meant(
    part: int, pitch: int, velocity: int, position: int
) -> None:
    channel = 9 if part == 8 else part - 1
    note = {"channel": channel, "note": pitch}
    assert read_by_mido(NoteOn(part, pitch, velocity, 9)) == [
        Message("note_on", **note, velocity=velocity)
    ]
    assert read_by_mido(NoteOff(part, pitch)) == [Message("note_off", **note, velocity=64)]
    assert read_by_mido(Program(part, pitch)) == [
        Message("program_change", channel=channel, program=pitch)
    ]
    assert read_by_mido(ClockStart(6 * position + 6)) == [
        Message("songpos", pos=(position + 1) % (1 << 14)),
        Message("continue"),
    ]
    assert read_by_mido(ClockTick(position)) == [Message("clock")]
    assert read_by_mido(ClockStop()) == [Message("stop")]


@given(st.sets(st.integers(1, 16)))
def test_mido_reads_silence_as_controllers_at_rest(channels: set[int]) -> None:
    found = [Message.from_bytes(message) for message in silence(channels)]
    assert [(m.channel + 1, m.control) for m in found] == [
        (channel, controller) for channel in sorted(channels) for controller in (64, 123, 120)
    ]
    assert all((m.type, m.value) == ("control_change", 0) for m in found)


def test_silence_lets_pedals_up_before_it_ends_notes_and_sound() -> None:
    assert silence([10, 1, 1]) == [
        *[(0xB0, controller, 0) for controller in (64, 123, 120)],
        *[(0xB9, controller, 0) for controller in (64, 123, 120)],
    ]


class Client:
    """Stands in for an `rtmidi.MidiOut`."""

    def __init__(self, ports: Sequence[str]) -> None:
        self.ports, self.sent = list(ports), [] if ports else None
        self.deleted = False

    def send_message(self, message: Sequence[int]) -> None:
        if self.sent is None:
            raise RuntimeError("no such device")
        self.sent.append(tuple(message))

    def get_ports(self) -> list[str]:
        return self.ports

    def close_port(self) -> None:
        self.deleted = False

    def delete(self) -> None:
        self.deleted = True


def test_an_output_plays_on_its_channels_and_is_silenced_on_them() -> None:
    client = Client(["Synth 20:0"])
    settings = PortSettings(name="synth", channels={1: 3, 2: 3}, clock=True)
    port = Port(APIS[0], client, "Synth 20:0", virtual=False)
    output = MidiOutput(settings, lambda name: port)
    assert output.name == "MIDI port Synth 20:0 (ALSA)"
    assert output.wants_clock
    output.send(NoteOn(1, 60, 80, 9), 0)
    output.silence()
    assert client.sent is not None
    assert client.sent[0] == (0x92, 60, 80)
    assert {status & 15 for status, *_ in client.sent[1:]} == {2, 3, 4, 5, 6, 9}
    output.close()
    assert client.deleted
    assert not output.is_alive()


def test_a_port_that_is_gone_raises_what_the_player_understands() -> None:
    port = Port(APIS[0], Client([]), "Synth", virtual=False)
    output = MidiOutput(PortSettings(), lambda name: port)
    with pytest.raises(OSError, match="no such device"):
        output.send(NoteOn(1, 60, 80, 9), 0)
    output.silence()
    assert not output.is_alive()


def test_a_port_that_comes_back_is_opened_again_and_the_old_one_closed() -> None:
    old, new = Client(["Synth 20:0"]), Client(["Synth 24:0"])
    coming: list[Port | None] = [Port(APIS[0], old, "Synth 20:0", virtual=False), None]
    coming.append(Port(APIS[0], new, "Synth 24:0", virtual=False))

    def opener(name: str) -> Port:
        assert name == "Synth"
        port = coming.pop(0)
        if port is None:
            raise PortError("it is not there")
        return port

    output = MidiOutput(PortSettings(name="Synth"), opener)
    assert output.revive()
    old.ports.clear()
    assert not output.is_alive()
    assert not output.revive()
    assert output.revive()
    assert old.deleted
    output.send(NoteOff(1, 60), 0)
    assert new.sent == [(0x80, 60, 64)]
