"""Writing Standard MIDI Files: bytes out, nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

DIVISION = 480  # file ticks a quarter
SUSTAIN = 64  # the controller of the pedal
LONGEST = 2**24 - 1  # microseconds a quarter that a file can hold

# (file tick, rank among what happens at that tick, message)
Event = tuple[int, int, bytes]
FIRST, METRE, TEMPO, NOTE_OFF, NOTE_ON = range(5)


def midi_file(tracks: Sequence[Iterable[Event]]) -> bytes:
    """A file of type 1; its first track holds the tempo map and the metres."""
    header = b"".join(number.to_bytes(2, "big") for number in (1, len(tracks), DIVISION))
    return _chunk(b"MThd", header) + b"".join(_track(events) for events in tracks)


def name(text: str) -> Event:
    return 0, FIRST, _meta(0x03, text.encode())


def tempo(tick: int, microseconds: int) -> Event:
    return tick, TEMPO, _meta(0x51, min(microseconds, LONGEST).to_bytes(3, "big"))


def metre(tick: int, spelled: str) -> Event:
    """`spelled` as in "6/8"."""
    beats, unit = (int(number) for number in spelled.split("/"))
    compound = unit >= 8 and beats % 3 == 0 and beats > 3
    clicks = 24 * 4 // unit * (3 if compound else 1)  # MIDI clocks a beat of the metronome
    return tick, METRE, _meta(0x58, bytes([beats, unit.bit_length() - 1, clicks, 8]))


def program(tick: int, channel: int, number: int) -> Event:
    return tick, TEMPO, bytes([0xC0 | channel, number])


def controller(tick: int, channel: int, number: int, value: int) -> Event:
    return tick, TEMPO, bytes([0xB0 | channel, number, value])


def note(start: int, end: int, channel: int, pitch: int, velocity: int) -> Iterable[Event]:
    yield start, NOTE_ON, bytes([0x90 | channel, pitch, velocity])
    yield end, NOTE_OFF, bytes([0x80 | channel, pitch, 64])


def sustain(down: int, up: int, channel: int) -> Iterable[Event]:
    """The pedal of a channel, down after what is struck with it and up before."""
    yield down, NOTE_ON, bytes([0xB0 | channel, SUSTAIN, 127])
    yield up, NOTE_OFF, bytes([0xB0 | channel, SUSTAIN, 0])


def _meta(kind: int, body: bytes) -> bytes:
    return bytes([0xFF, kind]) + _varying(len(body)) + body


def _track(events: Iterable[Event]) -> bytes:
    body, now = bytearray(), 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        body += _varying(tick - now) + message
        now = tick
    return _chunk(b"MTrk", bytes(body) + b"\x00\xff\x2f\x00")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + len(body).to_bytes(4, "big") + body


def _varying(number: int) -> bytes:
    """A number in groups of seven bits, highest first."""
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(number & 0x7F | 0x80)
    return bytes(reversed(groups))
