"""Events as MIDI messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from engine.music.controllers import USUAL
from server.playing.outputs import (
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
from server.playing.schedule import TICKS_PER_SIXTEENTH

Message = tuple[int, ...]

NOTE_OFF, NOTE_ON, CONTROL, PROGRAM = 0x80, 0x90, 0xB0, 0xC0
SONG_POSITION, CLOCK, START, CONTINUE, STOP = 0xF2, 0xF8, 0xFA, 0xFB, 0xFC
SUSTAIN, ALL_SOUND_OFF, ALL_NOTES_OFF = 64, 120, 123
MAX_POSITION = 1 << 14  # sixteenths; a longer stream counts round


def messages(event: Event, channel_of: Callable[[int], int]) -> list[Message]:
    """What says an event to a MIDI device; `channel_of` gives a part's channel, 1 to 16."""
    match event:
        case NoteOn(part, pitch, velocity, _):
            # A velocity of 0 would end the note.
            return [(NOTE_ON | channel_of(part) - 1, pitch, min(127, max(1, velocity)))]
        case NoteOff(part, pitch):
            return [(NOTE_OFF | channel_of(part) - 1, pitch, 64)]
        case Program(part, program):
            return [(PROGRAM | channel_of(part) - 1, program)]
        case Controller(part, number, value):
            turned = USUAL[number] if value is None else value
            return [(CONTROL | channel_of(part) - 1, number, turned)]
        case Sustain(part, down):
            return [(CONTROL | channel_of(part) - 1, SUSTAIN, 127 if down else 0)]
        case ClockTick():
            return [(CLOCK,)]
        case ClockStart(0):
            return [(START,)]
        case ClockStart(position):
            sixteenths = position // TICKS_PER_SIXTEENTH % MAX_POSITION
            return [(SONG_POSITION, sixteenths & 127, sixteenths >> 7), (CONTINUE,)]
        case ClockStop():
            return [(STOP,)]
    return []


def silence(channels: Iterable[int]) -> list[Message]:
    """End everything on these channels (1 to 16): pedals up, notes off, sound off."""
    return [
        (CONTROL | channel - 1, controller, 0)
        for channel in sorted(set(channels))
        for controller in (SUSTAIN, ALL_NOTES_OFF, ALL_SOUND_OFF)
    ]
