"""FluidSynth as an instrument: events in, samples out. One thread at a time may use it."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from common.errors import AudioError
from engine.music.controllers import PLACE, REVERB, USUAL
from engine.music.score import DRUMS, PARTS
from server.audio.format import CHANNELS, GRAIN, RATE, Samples
from server.audio.libraries import fluidsynth
from server.audio.modulators import MODULATORS
from server.midi.messages import CONTROL, NOTE_OFF, NOTE_ON, PROGRAM, Message

DRUM_CHANNEL = 9
VOICES = 192
_ROOM, _DAMP, _WIDTH, _LEVEL = 0.6, 0.4, 0.8, 0.45
_SMALLEST, _LARGEST = 0.3, 0.9  # rooms, where reverb is asked for
_SETTINGS: dict[str, str | int | float] = {
    "synth.polyphony": VOICES,
    "synth.chorus.active": 0,  # it tripled the level
    "synth.reverb.active": 1,
    "synth.reverb.room-size": _ROOM,
    "synth.reverb.damp": _DAMP,
    "synth.reverb.width": _WIDTH,
    "synth.reverb.level": _LEVEL,
    "synth.threadsafe-api": 0,
    "synth.lock-memory": 0,
}
_LEVELS = range(5)  # of its log
# Where the parts sit, 64 being the middle; percussion stays where its kit has it.
_SEATS = (64, 52, 76, 58, 70, 46, 82, 64)


class Instrument(Protocol):
    """What plays: obeys messages at once, and gives sound."""

    def send(self, message: Message) -> None: ...

    def render(self, frames: int) -> Samples:
        """The next frames, a multiple of `GRAIN`."""
        ...


class FluidSynth:
    """An `Instrument` with a SoundFont. `close` it."""

    def __init__(self, soundfont: Path, gain: float = 1.0) -> None:
        library = fluidsynth()
        _silence_log(library)
        self._write = library.cfunc(
            "fluid_synth_write_float",
            ctypes.c_int,
            *(("synth", ctypes.c_void_p, 1), ("frames", ctypes.c_int, 1)),
            *(("left", ctypes.c_void_p, 1), ("l_off", ctypes.c_int, 1), ("l_by", ctypes.c_int, 1)),
            *(("right", ctypes.c_void_p, 1), ("r_off", ctypes.c_int, 1), ("r_by", ctypes.c_int, 1)),
        )
        self._synth = library.Synth(gain, RATE, 16, **_SETTINGS)
        self._reverbs: dict[int, int] = {}  # by channel
        for modulator in MODULATORS:
            modulator.add_to(library, self._synth.synth)
        # As bytes, for a name need not be in UTF-8; its own method takes such names only.
        name = os.fsencode(soundfont)
        if library.fluid_synth_sfload(self._synth.synth, name, 1) < 0:
            self.close()
            raise AudioError(f"{soundfont} cannot be played: choose another SoundFont")

    def send(self, message: Message) -> None:
        kind, channel, synth = message[0] & 0xF0, message[0] & 0x0F, self._synth
        if kind == NOTE_ON:
            synth.noteon(channel, *message[1:])
        elif kind == NOTE_OFF:
            synth.noteoff(channel, message[1])
        elif kind == PROGRAM:
            synth.program_change(channel, message[1])
        elif kind == CONTROL:
            synth.cc(channel, *message[1:])
            if message[1] == REVERB:
                self._fit_room(channel, message[2])

    def _fit_room(self, channel: int, reverb: int) -> None:
        """The more reverb is asked for, the larger is the room of all."""
        self._reverbs[channel] = reverb
        most = max(self._reverbs.values())
        size = _SMALLEST + (_LARGEST - _SMALLEST) * most / 127 if most else _ROOM
        self._synth.set_reverb(size, _DAMP, _WIDTH, _LEVEL)

    def render(self, frames: int) -> Samples:
        out = np.empty((frames, CHANNELS), np.float32)
        at = out.ctypes.data
        self._write(self._synth.synth, frames, at, 0, CHANNELS, at, 1, CHANNELS)
        return out

    @property
    def voices(self) -> int:
        """That sound now, those that fade away included."""
        return int(self._synth.get_active_voice_count())

    def close(self) -> None:
        self._synth.delete()


def seated() -> Iterable[Message]:
    """What has each part's channel sound from its seat."""
    for part in range(PARTS):
        if part != DRUMS:
            yield CONTROL | part, PLACE, _SEATS[part]


def unasked(part: int, number: int) -> int:
    """What a controller of a part (from 1) is here where nobody asks for it."""
    return {PLACE: _SEATS[part - 1], REVERB: 0}.get(number, USUAL[number])


def play(instrument: Instrument, events: Iterable[tuple[int, Message]], frames: int) -> Samples:
    """The next frames, a multiple of `GRAIN`, with messages in the order of their frame: each is
    obeyed at the grain that is nearest to it."""
    pieces, position = [], 0
    for frame, message in events:
        grain = (frame + GRAIN // 2) // GRAIN * GRAIN
        if position < grain < frames:
            pieces.append(instrument.render(grain - position))
            position = grain
        elif grain >= frames > position:
            pieces.append(instrument.render(frames - position))
            position = frames
        instrument.send(message)
    if position < frames:
        pieces.append(instrument.render(frames - position))
    return np.concatenate(pieces)


def _silence_log(library: Any) -> None:
    """Its warnings go to standard error as they please; what matters is told by its answers."""
    for level in _LEVELS:
        library._fl.fluid_set_log_function(level, None, None)
