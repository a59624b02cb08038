"""Reading the bytes of Standard MIDI Files, broken ones included.

Whatever can be understood is kept, and each thing that had to be guessed is named in `repairs`.
Only data with no MIDI in it at all is refused.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.errors import MidiError
from engine.music.controllers import USUAL

FILE_NOTE = np.dtype(
    [
        ("start", "<i8"),
        ("end", "<i8"),
        ("pitch", "u1"),
        ("velocity", "u1"),
        ("channel", "u1"),
        ("program", "u1"),
        ("track", "<i4"),
    ]
)
PEDAL = np.dtype([("tick", "<i8"), ("channel", "u1"), ("value", "u1")])
# A controller of a channel is turned: tick, channel, number, value.
Turn = tuple[int, int, int, int]

DEFAULT_TEMPO = 500_000
MAX_QUARTERS = 172_800  # a day at 120 quarters a minute; a delta beyond it is a broken one
SUSTAIN = 64
ASSUMED_DIVISION = 480
_FINISHED = -1  # the position after the end-of-track event
# Data bytes after the system statuses that are none of sysex and meta.
_SYSTEM_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}


class KeySignature(NamedTuple):
    tick: int
    sharps: int  # negative: flats
    minor: bool


@dataclass(frozen=True, slots=True)
class Smf:
    """What a MIDI file holds, in file ticks: `division` of them make a quarter.

    `tempos` (tick, microseconds a quarter) and `metres` (tick, numerator, denominator) are sorted
    and may be empty. `repairs` tells in words what was broken. `patterns`: how many pieces of
    their own a file of type 2 holds, of which this is one.
    """

    division: int
    notes: NDArray[np.void]
    tempos: tuple[tuple[int, int], ...] = ()
    metres: tuple[tuple[int, int, int], ...] = ()
    keys: tuple[KeySignature, ...] = ()
    pedals: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, PEDAL))
    repairs: tuple[str, ...] = ()
    patterns: int = 1
    turns: tuple[Turn, ...] = ()  # of the controllers in `USUAL`

    @property
    def remark(self) -> str:
        """What a user should know who named a file and meant all of it; "" if this is all."""
        if self.patterns == 1:
            return ""
        return (
            f"a MIDI file of type 2, whose {self.patterns} patterns are pieces of their own: the "
            "first one with notes is taken"
        )


@dataclass(slots=True)
class _Track:
    """Raw events of one track, in file order; the three lists of note events run in step."""

    ticks: list[int] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)  # channel * 128 + pitch
    velocities: list[int] = field(default_factory=list)  # 0: note-off
    programs: list[tuple[int, int, int]] = field(default_factory=list)  # channel, tick, program
    pedals: list[tuple[int, int, int]] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    tempos: list[tuple[int, int]] = field(default_factory=list)
    metres: list[tuple[int, int, int]] = field(default_factory=list)
    signatures: list[KeySignature] = field(default_factory=list)
    end: int = 0


def read(data: bytes) -> Smf:
    """Read a MIDI file, of type 2 the first pattern with notes in it; raises MidiError if there is
    no MIDI in `data`."""
    patterns = read_patterns(data)
    return next((smf for smf in patterns if len(smf.notes)), patterns[0])


def read_patterns(data: bytes) -> tuple[Smf, ...]:
    """The pieces of a MIDI file: one a track of type 2, whose tracks are independent, else one."""
    repairs: Counter[str] = Counter()
    kind, division, timecode_tempo, position = _header(data, repairs)
    tracks: list[_Track] = []
    found: list[Smf] = []
    for body in _track_bodies(data, position, repairs):
        track = _Track()
        _read_events(body, MAX_QUARTERS * division, track, repairs)
        tracks.append(track)
        if kind == 2:
            found.append(_together([track], division, timecode_tempo, repairs))
            repairs = Counter()
    if not found:
        return (_together(tracks, division, timecode_tempo, repairs),)
    return tuple(replace(smf, patterns=len(found)) for smf in found)


def _together(
    tracks: list[_Track], division: int, timecode_tempo: int | None, repairs: Counter[str]
) -> Smf:
    notes = [_pair(track, i, repairs) for i, track in enumerate(tracks)]
    _fill_programs(tracks, notes)
    tempos = sorted((t for track in tracks for t in track.tempos), key=lambda t: t[0])
    if timecode_tempo is not None:
        tempos = [(0, timecode_tempo)]
    pedals = np.array([p for track in tracks for p in track.pedals], PEDAL)
    return Smf(
        division=division,
        notes=np.concatenate(notes) if notes else np.zeros(0, FILE_NOTE),
        tempos=tuple(tempos),
        metres=tuple(
            sorted((m for track in tracks for m in track.metres), key=lambda metre: metre[0])
        ),
        keys=tuple(sorted(k for track in tracks for k in track.signatures)),
        pedals=pedals[np.argsort(pedals["tick"], kind="stable")],
        turns=tuple(sorted((t for track in tracks for t in track.turns), key=lambda t: t[0])),
        repairs=tuple(f"{text} ({n} times)" if n > 1 else text for text, n in repairs.items()),
    )


def _header(data: bytes, repairs: Counter[str]) -> tuple[int, int, int | None, int]:
    """Kind, ticks a quarter, the tempo of a timecode file, and where the tracks begin."""
    start = data.find(b"MThd")
    first_track = data.find(b"MTrk")
    if start < 0 and first_track < 0:
        raise MidiError("this is no MIDI file: it has neither a MIDI header nor a track")
    if start < 0 or 0 <= first_track < start or len(data) < start + 14:
        repairs["no usable header: 480 ticks a quarter assumed"] += 1
        return 1, ASSUMED_DIVISION, None, max(first_track, 0)
    if start > 0 and data[:4] != b"RIFF":
        repairs["bytes before the header skipped"] += 1
    length = int.from_bytes(data[start + 4 : start + 8], "big")
    kind = int.from_bytes(data[start + 8 : start + 10], "big")
    division = int.from_bytes(data[start + 12 : start + 14], "big")
    position = start + 8 + max(length, 6)
    if kind > 2:
        repairs[f"unknown file type {kind} read as type 1"] += 1
    if division == 0:
        repairs["a division of 0: 480 ticks a quarter assumed"] += 1
        return kind, ASSUMED_DIVISION, None, position
    if division < 0x8000:
        return kind, division, None, position
    # Timecode: ticks are fractions of a second. Call half a second (29.97: 0.5005 s) a quarter.
    frames, per_frame = 256 - (division >> 8), max(division & 0xFF, 1)
    tempo = DEFAULT_TEMPO
    if frames == 29:
        frames, tempo = 30, DEFAULT_TEMPO * 1001 // 1000
    rate = frames * per_frame
    if rate % 2:
        return kind, rate, 2 * tempo, position
    return kind, rate // 2, tempo, position


def _track_bodies(data: bytes, position: int, repairs: Counter[str]) -> list[bytes]:
    """The bytes of every track chunk; a wrong chunk length is mended by looking for the next."""
    bodies = []
    size = len(data)
    while position < size:
        tag = data[position : position + 4]
        length = int.from_bytes(data[position + 4 : position + 8], "big")
        end = position + 8 + length
        if tag == b"MTrk":
            after = data[end : end + 4]
            if end > size or (after and not _is_tag(after)):
                other = data.find(b"MTrk", position + 8)
                repaired = size if other < 0 else other
                if end > size and other < 0:
                    repairs["the file ends inside a track"] += 1
                else:
                    repairs["wrong track length"] += 1
                end = repaired
            bodies.append(data[position + 8 : end])
            position = end
        elif _is_tag(tag) and length > 0 and end <= size:
            position = end
        else:
            found = data.find(b"MTrk", position + 1)
            following = size if found < 0 else found
            if any(data[position:following]):
                repairs["bytes between tracks skipped"] += 1
            position = following
    return bodies


def _is_tag(tag: bytes) -> bool:
    return len(tag) == 4 and all(0x20 <= byte < 0x7F for byte in tag)


def _read_events(data: bytes, limit: int, track: _Track, repairs: Counter[str]) -> None:
    """Fill `track`, up to the tick `limit`.

    One long loop on purpose: it runs once an event over millions of them.
    """
    tick, position, size, status, damaged = 0, 0, len(data), 0, 0
    ticks, keys, velocities = track.ticks, track.keys, track.velocities
    try:
        while position < size:
            delta = data[position]
            position += 1
            if delta > 0x7F:
                delta, position = _length(data, position - 1)
            if tick + delta > limit:
                repairs["a pause beyond all measure: the track is cut there"] += 1
                position = _FINISHED
                break
            tick += delta
            byte = data[position]
            if byte > 0xEF:
                position = _read_system(data, position, tick, track, repairs)
                if position == _FINISHED:
                    break
                continue
            if byte > 0x7F:
                status = byte
                position += 1
            kind = status >> 4
            if kind == 0x9 or kind == 0x8:
                pitch, velocity = data[position], data[position + 1]
                position += 2
                if pitch > 0x7F or velocity > 0x7F:
                    damaged += 1
                    pitch, velocity = min(pitch, 0x7F), min(velocity, 0x7F)
                ticks.append(tick)
                keys.append((status & 0xF) << 7 | pitch)
                velocities.append(velocity if kind == 0x9 else 0)
            elif kind == 0xB:
                if data[position] == SUSTAIN:
                    track.pedals.append((tick, status & 0xF, min(data[position + 1], 0x7F)))
                elif data[position] in USUAL:
                    turned = data[position], min(data[position + 1], 0x7F)
                    track.turns.append((tick, status & 0xF, *turned))
                position += 2
            elif kind == 0xC:
                track.programs.append((status & 0xF, tick, min(data[position], 0x7F)))
                position += 1
            elif kind:
                position += 1 if kind == 0xD else 2
            else:  # a data byte that belongs to nothing
                position += 1
                damaged += 1
    except IndexError:
        position = size
    if damaged:
        repairs["damaged events"] += damaged
    if position != _FINISHED:
        repairs["a track without its end"] += 1
    track.end = tick


def _length(data: bytes, position: int) -> tuple[int, int]:
    """A variable-length number of at most four bytes, and the position after it."""
    length = 0
    for _ in range(4):
        byte = data[position]
        position += 1
        length = length << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return length, position


def _read_system(
    data: bytes, position: int, tick: int, track: _Track, repairs: Counter[str]
) -> int:
    """Read one sysex or meta event; the position after it, `_FINISHED` at the track's end."""
    status = data[position]
    if status not in (0xF0, 0xF7, 0xFF):
        return position + 1 + _SYSTEM_BYTES.get(status, 0)
    meta = data[position + 1] if status == 0xFF else -1
    length, position = _length(data, position + (2 if status == 0xFF else 1))
    if meta == 0x2F:
        return _FINISHED
    if meta >= 0:
        _read_meta(meta, data[position : position + length], tick, track, repairs)
    return position + length


def _read_meta(kind: int, body: bytes, tick: int, track: _Track, repairs: Counter[str]) -> None:
    if kind == 0x51 and len(body) >= 3:
        tempo = int.from_bytes(body[:3], "big")
        if tempo:
            track.tempos.append((tick, tempo))
        else:
            repairs["a tempo of 0 ignored"] += 1
    elif kind == 0x58 and len(body) >= 2:
        if body[0] and body[1] <= 6:
            track.metres.append((tick, body[0], 1 << body[1]))
        else:
            repairs["an impossible metre ignored"] += 1
    elif kind == 0x59 and len(body) >= 2:
        sharps = (body[0] ^ 0x80) - 0x80
        if -7 <= sharps <= 7 and body[1] <= 1:
            track.signatures.append(KeySignature(tick, sharps, bool(body[1])))


def _pair(track: _Track, index: int, repairs: Counter[str]) -> NDArray[np.void]:
    """Join note-ons and note-offs to notes, by start."""
    keys = np.array(track.keys, np.int64)
    order = np.argsort(keys, kind="stable")
    key = keys[order]
    tick = np.array(track.ticks, np.int64)[order]
    velocity = np.array(track.velocities, np.int64)[order]
    bounds = np.flatnonzero(np.diff(key)) + 1
    firsts = np.concatenate([[0], bounds]) if len(key) else bounds
    counts = np.diff(np.append(firsts, len(key)))
    # On and off in turn is the rule: those keys are paired at once, the others one by one.
    place = np.arange(len(key)) - np.repeat(firsts, counts)
    in_turn = (velocity > 0) == (place % 2 == 0)
    regular = np.repeat(np.logical_and.reduceat(in_turn, firsts), counts) if len(key) else in_turn
    regular &= np.repeat(counts % 2 == 0, counts)
    on, off = np.flatnonzero(regular & (place % 2 == 0)), np.flatnonzero(regular & (place % 2 == 1))
    starts, ends = [on], [tick[off]]
    for first, count in zip(firsts, counts, strict=True):
        if not regular[first]:
            rows = slice(first, first + count)
            found = _pair_key(tick[rows].tolist(), velocity[rows].tolist(), track.end, repairs)
            starts.append(np.array([first + row for row, _ in found], np.int64))
            ends.append(np.array([end for _, end in found], np.int64))
    at = np.concatenate(starts)
    notes = np.zeros(len(at), FILE_NOTE)
    notes["start"], notes["end"] = tick[at], np.concatenate(ends)
    notes["pitch"], notes["channel"] = key[at] & 0x7F, key[at] >> 7
    notes["velocity"], notes["track"] = velocity[at], index
    ordered: NDArray[np.void] = notes[np.lexsort((notes["pitch"], notes["start"]))]
    return ordered


def _pair_key(
    ticks: list[int], velocities: list[int], last: int, repairs: Counter[str]
) -> list[tuple[int, int]]:
    """(row of the note-on, end) for the events of one key.

    Overlapping notes end in the order in which they began. If that leaves notes without an end,
    each note-on is taken to end the note before it.
    """
    pending: list[int] = []
    pairs: list[tuple[int, int]] = []
    read_from = 0
    for row, velocity in enumerate(velocities):
        if velocity:
            pending.append(row)
        elif read_from < len(pending):
            pairs.append((pending[read_from], ticks[row]))
            read_from += 1
        else:
            repairs["note-offs without a note"] += 1
    if read_from == len(pending):
        return pairs
    repairs["notes without an end"] += len(pending) - read_from
    pairs, sounding, struck = [], -1, -1
    for row, velocity in enumerate(velocities):
        if velocity:
            if sounding >= 0:
                pairs.append((sounding, ticks[row]))
                struck = ticks[row]
            sounding = row
        elif sounding >= 0 and ticks[row] != struck:
            pairs.append((sounding, ticks[row]))
            sounding = -1
    if sounding >= 0:
        pairs.append((sounding, last))
    return pairs


def _fill_programs(tracks: list[_Track], notes: list[NDArray[np.void]]) -> None:
    """Give each note the program of its channel: its own track's, else any track's."""
    everywhere: dict[int, list[tuple[int, int]]] = {}
    for track in tracks:
        for channel, tick, program in track.programs:
            everywhere.setdefault(channel, []).append((tick, program))
    for changes in everywhere.values():
        changes.sort(key=lambda change: change[0])
    for track, rows in zip(tracks, notes, strict=True):
        own: dict[int, list[tuple[int, int]]] = {}
        for channel, tick, program in track.programs:
            own.setdefault(channel, []).append((tick, program))
        for channel in np.unique(rows["channel"]):
            changes = own.get(int(channel)) or everywhere.get(int(channel), [])
            if changes:
                mine = rows["channel"] == channel
                times = np.array([tick for tick, _ in changes], np.int64)
                at = np.searchsorted(times, rows["start"][mine], side="right") - 1
                programs = np.array([program for _, program in changes], np.uint8)
                rows["program"][mine] = programs[np.maximum(at, 0)]
