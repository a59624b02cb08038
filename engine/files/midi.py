"""Standard MIDI Files: reading them into scores, writing scores into them.

Bytes in and bytes out, no files. `read` parses, `to_score` lays the notes on the tick grid,
`to_performance_score` on real time, `write` makes a type-1 file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.files.midi_reader import (
    DEFAULT_TEMPO,
    MAX_QUARTERS,
    SUSTAIN,
    KeySignature,
    Smf,
    read,
    read_patterns,
)
from engine.music.bars import Pedal
from engine.music.controllers import Controller
from engine.music.fields import DRUM_PITCHES
from engine.music.score import DRUMS, NOTE, PARTS, Score, note_order
from engine.music.time import COMMON_TIME, TICKS_PER_QUARTER, Metre

__all__ = [
    "GridError",
    "KeySignature",
    "Smf",
    "grid_error",
    "performance_times",
    "read",
    "read_patterns",
    "to_performance_score",
    "to_score",
    "write",
]

DRUM_CHANNEL = 9
PERFORMANCE_TICK = 10_000  # microseconds
PERFORMANCE_TEMPO = TICKS_PER_QUARTER * PERFORMANCE_TICK
PERFORMANCE_METRE = Metre(8, 4)
MAX_PERFORMANCE_TICKS = MAX_QUARTERS * TICKS_PER_QUARTER  # eleven hours and a half
WRITTEN_DIVISION = 480
SHIFTS_PER_TICK = WRITTEN_DIVISION // TICKS_PER_QUARTER
PEDAL_DOWN = 64
UNKNOWN_VELOCITY = 80  # what a note of unknown velocity is written with
# How far from a bar line a metre change may stand and still belong to it.
METRE_SLACK = 3


class GridError(NamedTuple):
    """What the tick grid loses of a file."""

    onsets: int
    off_grid: float  # share of onsets
    mean_ms: float  # mean absolute error of all onsets


def to_score(smf: Smf) -> Score:
    """The file on the grid of 24 ticks a quarter."""
    starts = _to_grid(smf.notes["start"], smf.division)
    ends = _to_grid(smf.notes["end"], smf.division)
    part, programs = _parts(smf.notes)
    return Score(
        notes=_clean_notes(smf.notes, starts, ends, part),
        metres=_snap_metres(smf),
        tempos=_grid_tempos(smf),
        programs=programs,
    )


def to_performance_score(smf: Smf) -> Score:
    """The file in real time: one tick is 10 ms, in bars of 8/4; the pedal lengthens notes."""
    ends = _pedalled_ends(smf)
    starts = np.rint(performance_times(smf, smf.notes["start"]) / PERFORMANCE_TICK).astype(np.int64)
    stops = np.rint(performance_times(smf, ends) / PERFORMANCE_TICK).astype(np.int64)
    part, programs = _parts(smf.notes)
    part[starts >= MAX_PERFORMANCE_TICKS] = PARTS
    return Score(
        notes=_clean_notes(smf.notes, starts, np.minimum(stops, MAX_PERFORMANCE_TICKS), part),
        metres=((0, PERFORMANCE_METRE),),
        tempos=((0, PERFORMANCE_TEMPO),),
        programs=programs,
    )


def performance_times(smf: Smf, ticks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Microseconds from the beginning at which file ticks fall."""
    changes = np.array([(0, DEFAULT_TEMPO), *smf.tempos], np.float64)
    lasting = np.append(np.diff(changes[:, 0]), 0)
    begun = np.concatenate([[0], np.cumsum(lasting * changes[:, 1])[:-1]])
    at = np.searchsorted(changes[:, 0], ticks, side="right") - 1
    times: NDArray[np.float64] = begun[at] + (ticks - changes[at, 0]) * changes[at, 1]
    return times / smf.division


def grid_error(smf: Smf) -> GridError:
    """How far the onsets of a file stand from the grid of `to_score`."""
    starts = smf.notes["start"]
    if not len(starts):
        return GridError(0, 0.0, 0.0)
    on_grid = _to_grid(starts, smf.division) * smf.division / TICKS_PER_QUARTER
    errors = np.abs(starts - on_grid)  # in file ticks; half a one is the file's own rounding
    tempos = np.array([(0, DEFAULT_TEMPO), *smf.tempos], np.int64)
    tempo = tempos[np.searchsorted(tempos[:, 0], starts, side="right") - 1, 1]
    milliseconds = errors * tempo / smf.division / 1000
    return GridError(len(starts), float((errors > 0.5).mean()), float(milliseconds.mean()))


def _to_grid(ticks: NDArray[np.int64], division: int) -> NDArray[np.int64]:
    grid: NDArray[np.int64] = (2 * TICKS_PER_QUARTER * ticks + division) // (2 * division)
    return grid


def _parts(notes: NDArray[np.void]) -> tuple[NDArray[np.int64], tuple[int, ...]]:
    """Each note's part (`PARTS`: to be left out) and the program of each part.

    A group is a channel of a track, with each program of it apart where seven parts are enough.
    If they are not, the smaller groups join the nearest in mean pitch of the seven largest.
    """
    part = np.full(len(notes), PARTS, np.int64)
    drums = notes["channel"] == DRUM_CHANNEL
    playable = drums & np.isin(notes["pitch"], np.array(DRUM_PITCHES))
    part[playable] = DRUMS
    programs = [0] * PARTS
    if playable.any():
        programs[DRUMS] = _commonest(notes["program"][playable])
    melodic = np.flatnonzero(~drums)
    if not len(melodic):
        return part, tuple(programs)
    chosen = notes[melodic]
    channel = chosen["track"].astype(np.int64) << 11 | chosen["channel"].astype(np.int64) << 7
    found, group = np.unique(channel | chosen["program"], return_inverse=True)
    if len(found) > DRUMS:
        found, group = np.unique(channel, return_inverse=True)
    if len(found) > DRUMS:
        group = _merge_groups(group, chosen["pitch"], len(found))
    part[melodic] = group
    for number in range(int(group.max()) + 1):
        programs[number] = _commonest(chosen["program"][group == number])
    return part, tuple(programs)


def _commonest(values: NDArray[np.uint8]) -> int:
    return int(np.bincount(values).argmax())


def _merge_groups(
    group: NDArray[np.int64], pitch: NDArray[np.uint8], count: int
) -> NDArray[np.int64]:
    sizes = np.bincount(group, minlength=count)
    means = np.bincount(group, weights=pitch, minlength=count) / sizes
    kept = np.sort(np.argsort(-sizes, kind="stable")[:DRUMS])
    target = np.array([np.abs(means[kept] - mean).argmin() for mean in means])
    target[kept] = np.arange(DRUMS)
    merged: NDArray[np.int64] = target[group]
    return merged


def _clean_notes(
    source: NDArray[np.void],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    part: NDArray[np.int64],
) -> NDArray[np.void]:
    """Notes in note order, one at a time of each pitch in a part; part `PARTS` is left out."""
    wanted = part < PARTS
    notes = np.zeros(int(wanted.sum()), NOTE)
    notes["onset"] = starts[wanted]
    notes["duration"] = np.maximum(ends[wanted] - starts[wanted], 1)
    notes["pitch"], notes["velocity"] = source["pitch"][wanted], source["velocity"][wanted]
    notes["part"] = part[wanted]
    return note_order(_separate(notes))


def _separate(notes: NDArray[np.void]) -> NDArray[np.void]:
    """Of notes of one part and pitch that begin together the longest stays; one that still
    sounds when the next begins ends there. Sorted by part, pitch, onset."""
    notes = notes[np.lexsort((-notes["duration"], notes["onset"], notes["pitch"], notes["part"]))]
    voice = notes["part"].astype(np.int64) << 8 | notes["pitch"]
    repeated = (np.diff(voice, prepend=-1) == 0) & (np.diff(notes["onset"], prepend=-1) == 0)
    notes, voice = notes[~repeated], voice[~repeated]
    room = np.append(np.diff(notes["onset"]), 0)
    follows = np.append(np.diff(voice) == 0, False)[: len(notes)]
    shortened = follows & (notes["duration"] > room[: len(notes)])
    notes["duration"][shortened] = room[: len(notes)][shortened]
    return notes


def _snap_metres(smf: Smf) -> tuple[tuple[int, Metre], ...]:
    """Metre changes by tick: those near a bar line move onto it, others cut their bar short."""
    metres = [(0, COMMON_TIME)]
    for file_tick, numerator, denominator in smf.metres:
        metre = Metre.nearest(numerator, denominator)
        tick = int(_to_grid(np.int64(file_tick), smf.division))  # type: ignore[arg-type]
        begun, before = metres[-1]
        place = (tick - begun) % before.ticks
        if place <= METRE_SLACK and tick - place > begun:
            tick -= place
        elif before.ticks - place <= METRE_SLACK:
            tick += before.ticks - place
        if tick <= begun:
            metres[-1] = (begun, metre)
        elif metre != before or (tick - begun) % before.ticks:
            metres.append((tick, metre))
    return tuple(metres)


def _grid_tempos(smf: Smf) -> tuple[tuple[int, int], ...]:
    tempos = [(0, DEFAULT_TEMPO)]
    for file_tick, tempo in smf.tempos:
        tick = (2 * TICKS_PER_QUARTER * file_tick + smf.division) // (2 * smf.division)
        if tick == tempos[-1][0]:
            tempos[-1] = (tick, tempo)
        elif tempo != tempos[-1][1]:
            tempos.append((tick, tempo))
    return tuple(tempos)


def _pedalled_ends(smf: Smf) -> NDArray[np.int64]:
    """Note ends in file ticks, held as long as the sustain pedal of their channel is down."""
    ends = smf.notes["end"].copy()
    last = max(ends.max(initial=0), smf.pedals["tick"].max(initial=0))
    for channel in np.unique(smf.pedals["channel"]):
        if channel == DRUM_CHANNEL:
            continue
        pedal = smf.pedals[smf.pedals["channel"] == channel]
        down = pedal["value"] >= PEDAL_DOWN
        turns = np.flatnonzero(np.diff(down, prepend=False))
        ticks, down = np.append(pedal["tick"][turns], last), np.append(down[turns], False)
        mine = np.flatnonzero(smf.notes["channel"] == channel)
        at = np.searchsorted(ticks, ends[mine], side="right") - 1
        held = (at >= 0) & down[at]
        ends[mine[held]] = np.maximum(ticks[at[held] + 1], ends[mine[held]])
    return ends


def write(
    score: Score,
    *,
    names: Sequence[str] | None = None,
    shifts: NDArray[np.integer] | None = None,
    program_changes: Sequence[tuple[int, int, int]] = (),
    pedals: Sequence[Pedal] = (),
    controllers: Sequence[tuple[int, Controller]] = (),
) -> bytes:
    """A type-1 file of 480 ticks a quarter: tempo and metre first, then one track a part.

    `names` are track names by part; `shifts` moves each note of `score.notes` by so many 480ths
    of a quarter, not before the beginning. `program_changes` are (tick, part, program) after the
    beginning, the ticks of `pedals` and `controllers` count from there too. The channel is
    the part, drums on channel 10.
    """
    notes = score.notes.copy()
    notes["onset"] *= SHIFTS_PER_TICK
    notes["duration"] *= SHIFTS_PER_TICK
    if shifts is not None:
        notes["onset"] = np.maximum(notes["onset"] + shifts, 0)
    notes = _separate(notes)
    tracks = [_conductor(score)]
    for part in score.parts:
        label = names[part] if names is not None and part < len(names) else ""
        programs = [(0, score.programs[part])]
        programs += [(tick, program) for tick, p, program in program_changes if p == part]
        pressed = [pedal for pedal in pedals if pedal.part == part]
        turned = [(tick, turn) for tick, turn in controllers if turn.part == part]
        tracks.append(_part_track(notes[notes["part"] == part], programs, pressed, turned, label))
    header = b"MThd" + (6).to_bytes(4, "big")
    for number in (1, len(tracks), WRITTEN_DIVISION):
        header += number.to_bytes(2, "big")
    return header + b"".join(tracks)


def _conductor(score: Score) -> bytes:
    events = []
    for tick, metre in score.metres:
        power = metre.unit.bit_length() - 1
        clicks = 36 if metre.half % 36 == 0 and metre.unit == 8 else 96 // metre.unit
        body = bytes([0xFF, 0x58, 4, metre.beats, power, clicks, 8])
        events.append((tick * SHIFTS_PER_TICK, 1, body))
    for tick, tempo in score.tempos:
        body = b"\xff\x51\x03" + min(tempo, 0xFFFFFF).to_bytes(3, "big")
        events.append((tick * SHIFTS_PER_TICK, 0, body))
    return _chunk(events)


def _part_track(
    notes: NDArray[np.void],
    programs: Sequence[tuple[int, int]],
    pedals: Sequence[Pedal],
    controllers: Sequence[tuple[int, Controller]],
    name: str,
) -> bytes:
    part = int(notes["part"][0])
    channel = DRUM_CHANNEL if part == DRUMS else part
    text = name.encode()
    events = [
        (tick * SHIFTS_PER_TICK, -1, bytes([0xC0 | channel, program])) for tick, program in programs
    ]
    for tick, (_, number, value) in controllers:
        events.append((tick * SHIFTS_PER_TICK, -1, bytes([0xB0 | channel, number, value])))
    if text:
        events.insert(0, (0, -2, b"\xff\x03" + _varlen(len(text)) + text))
    for onset, duration, pitch, velocity, _ in notes.tolist():
        events.append((onset + duration, 0, bytes([0x80 | channel, pitch, 64])))
        events.append((onset, 1, bytes([0x90 | channel, pitch, velocity or UNKNOWN_VELOCITY])))
    for tick, length, _ in pedals:
        up = (tick + length) * SHIFTS_PER_TICK
        events.append((tick * SHIFTS_PER_TICK, 1, bytes([0xB0 | channel, SUSTAIN, 127])))
        events.append((up, 0, bytes([0xB0 | channel, SUSTAIN, 0])))
    return _chunk(events)


def _chunk(events: list[tuple[int, int, bytes]]) -> bytes:
    """A track chunk of (tick, rank within the tick, message)."""
    body, now = bytearray(), 0
    for tick, _, message in sorted(events):
        body += _varlen(tick - now) + message
        now = tick
    body += b"\x00\xff\x2f\x00"
    return b"MTrk" + len(body).to_bytes(4, "big") + bytes(body)


def _varlen(number: int) -> bytes:
    groups = [number & 0x7F]
    while number > 0x7F:
        number >>= 7
        groups.append(number & 0x7F | 0x80)
    return bytes(reversed(groups))
