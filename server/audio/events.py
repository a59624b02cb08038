"""MIDI files as events for an instrument."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.files.midi import Smf, performance_times
from server.audio.format import frames_of
from server.midi.messages import CONTROL, NOTE_OFF, NOTE_ON, PROGRAM, SUSTAIN, Message

# What ends comes before what begins, and instruments, pedals and controllers between them.
_OFF, _PEDAL, _TURN, _PROGRAM, _ON = range(5)


def events_of(smf: Smf) -> list[tuple[int, Message]]:
    """(frame, message) in order."""
    rows: list[tuple[int, int, Message]] = []
    starts = _frames(smf, smf.notes["start"])
    ends = _frames(smf, _separate_ends(smf.notes))
    for start, end, note in zip(starts, ends, smf.notes, strict=True):
        channel, pitch = int(note["channel"]), int(note["pitch"])
        rows.append((start, _ON, (NOTE_ON | channel, pitch, max(1, int(note["velocity"])))))
        rows.append((max(end, start), _OFF, (NOTE_OFF | channel, pitch, 64)))
    rows += _programs(smf.notes, starts)
    for frame, pedal in zip(_frames(smf, smf.pedals["tick"]), smf.pedals, strict=True):
        message = (CONTROL | int(pedal["channel"]), SUSTAIN, int(pedal["value"]))
        rows.append((frame, _PEDAL, message))
    turned = _frames(smf, np.array([tick for tick, *_ in smf.turns], np.int64))
    last = {  # of those that are turned twice at once
        (frame, CONTROL | channel, number): value
        for frame, (_, channel, number, value) in zip(turned, smf.turns, strict=True)
    }
    rows += [(frame, _TURN, (*turn, value)) for (frame, *turn), value in last.items()]
    return [(frame, message) for frame, _, message in sorted(rows)]


def _frames(smf: Smf, ticks: NDArray[np.int64]) -> list[int]:
    return [frames_of(time) for time in performance_times(smf, ticks).tolist()]


def _separate_ends(notes: NDArray[np.void]) -> NDArray[np.int64]:
    """Where notes end; one that is struck again while it sounds ends there."""
    order = np.lexsort((notes["start"], notes["pitch"], notes["channel"]))
    starts, ends = notes["start"][order], notes["end"][order]
    key = notes["channel"][order].astype(np.int64) << 8 | notes["pitch"][order]
    again = np.diff(key) == 0
    ends[:-1][again] = np.minimum(ends[:-1], starts[1:])[again]
    found = np.empty_like(ends)
    found[order] = ends
    return found


def _programs(notes: NDArray[np.void], starts: list[int]) -> list[tuple[int, int, Message]]:
    """The program of each channel where it begins, and wherever it changes."""
    rows: list[tuple[int, int, Message]] = []
    playing: dict[int, int] = {}
    for i in np.argsort(notes["start"], kind="stable").tolist():
        channel, program = int(notes["channel"][i]), int(notes["program"][i])
        if playing.get(channel) != program:
            playing[channel] = program
            rows.append((starts[i], _PROGRAM, (PROGRAM | channel, program)))
    return rows
