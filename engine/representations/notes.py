"""The `notes` representation: one event is one note and the way to the next.

Fields in the order they are drawn: part, pitch, duration, velocity, then delta, the ticks to the
next onset. Delta is last on purpose: when a note's turn comes its onset is known, and with it
everything the plan asks of that place.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.files.midi import Smf, to_score
from engine.music.analysis import Analysis
from engine.music.fields import (
    CONTEXT_FIELDS,
    DRUM_PITCHES,
    LENGTHS,
    MELODIC_PITCHES,
    PITCHES,
    Field,
)
from engine.music.score import DRUMS, NOTE, PARTS, Note, Score, moved_pitches
from engine.music.time import COMMON_TIME, MAX_BAR_TICKS, TICKS_PER_QUARTER
from engine.planning.correction import Leaning
from engine.representations.codec import Encoded, field_offsets
from engine.representations.context_rows import (
    echo_columns,
    plan_columns,
    position_columns,
    progress_columns,
)
from engine.representations.limits import MASKED, Limits

VELOCITY_STEP = 4
_LENGTHS = np.array(LENGTHS)
_MIDDLES = (_LENGTHS[1:] + _LENGTHS[:-1]) / 2
_FIRST_DRUM = 1 + MELODIC_PITCHES
_ZERO_DELTA = 1  # the value of delta that keeps the onset
# A chord of more notes than any hand or orchestra section strikes is a stuck network.
MAX_CHORD_NOTES = 24
DEFAULT_VELOCITY = 72
# Log-weight by bucket of lean: against each octave that a gap is off, for a note at the same onset,
# for each octave of a duration.
LEAN_DENSITY, LEAN_CHORDS, LEAN_LENGTH = 0.6, 1.0, 0.1
_OCTAVES = np.log2(_LENGTHS / 12)

FIELDS = (
    Field("part", 1 + PARTS, "1 + part"),
    Field("pitch", 1 + PITCHES, "1 + key-normalised pitch, then the percussion keys"),
    Field("duration", 1 + len(LENGTHS), "1 + index in LENGTHS"),
    Field("velocity", 1 + 128 // VELOCITY_STEP, "1 + velocity / 4"),
    Field("delta", 2 + len(LENGTHS), "1: same onset, else 2 + index in LENGTHS"),
)
PART, PITCH, DURATION, VELOCITY, DELTA = range(5)
_OFFSETS = field_offsets(FIELDS)
_SLICES = [slice(a, b) for a, b in pairwise(_OFFSETS)]
# What each delta value adds to the onset, as a plain tuple: read once a note.
DELTA_TICKS = (0, 0, *LENGTHS)
_GAPS = np.array(DELTA_TICKS)
_ANYWHERE = -1  # instead of a tick, where the place in the bar closes no delta
_MOVES = _ZERO_DELTA + 1  # the first delta that leads on


def length_index(ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Index in LENGTHS of the nearest length."""
    return np.searchsorted(_MIDDLES, ticks)


def pitch_value(pitch: NDArray[np.int64], part: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(part == DRUMS, _FIRST_DRUM + pitch - DRUM_PITCHES[0], 1 + pitch)


class NotesCodec:
    name = "notes"
    fields: tuple[Field, ...] = FIELDS
    context: tuple[str, ...] = tuple(field.name for field in CONTEXT_FIELDS)
    velocity_column: int | None = VELOCITY
    metrical = True
    tempo = 100.0
    metre = COMMON_TIME

    def read(self, smf: Smf) -> Score:
        return to_score(smf)

    def encode(self, analysis: Analysis) -> Encoded:
        notes = analysis.score.notes
        end = int(analysis.grid.starts[-1]) + analysis.grid.metres[-1].ticks
        onsets, deltas = _walk(notes["onset"].astype(np.int64), end)
        bars = analysis.grid.bar_of(onsets)
        part = notes["part"].astype(np.int64)
        pitch = pitch_value(notes["pitch"].astype(np.int64), part)
        duration = 1 + length_index(notes["duration"])
        velocity = notes["velocity"].astype(np.int64)
        velocity = np.where(velocity > 0, 1 + velocity // VELOCITY_STEP, 0)
        events = np.stack([1 + part, pitch, duration, velocity, deltas], axis=1)
        columns = {
            **position_columns(analysis, onsets, bars),
            **progress_columns(onsets, _LENGTHS[duration - 1], bars),
            **plan_columns(analysis, onsets, bars),
            **echo_columns(analysis, onsets, bars, pitch, duration, 1 + part),
        }
        context = np.stack([columns[name] for name in self.context], axis=1)
        return Encoded(events.astype(np.uint16), context.astype(np.uint8), onsets, bars)

    def decode(self, encoded: Encoded) -> NDArray[np.void]:
        events = encoded.events.astype(np.int64)
        notes = np.zeros(len(events), NOTE)
        notes["onset"] = encoded.onsets
        notes["part"] = events[:, PART] - 1
        pitch = events[:, PITCH]
        notes["pitch"] = np.where(
            pitch >= _FIRST_DRUM, pitch - _FIRST_DRUM + DRUM_PITCHES[0], pitch - 1
        )
        notes["duration"] = _LENGTHS[events[:, DURATION] - 1]
        notes["velocity"] = [velocity_of(int(v)) for v in events[:, VELOCITY]]
        return notes

    def bridge(self, encoded: Encoded, tick: int) -> Encoded:
        events = encoded.events.copy()
        gap = tick - int(encoded.onsets[-1])
        inside = 0 < gap <= LENGTHS[-1]
        events[-1, DELTA] = 2 + np.searchsorted(_MIDDLES, gap) if inside else 0
        return replace(encoded, events=events)

    def cursor(self, tick: int) -> NotesCursor:
        return NotesCursor(tick)

    def pitch_shift(self, semitones: int) -> dict[int, NDArray[np.int64]]:
        table = np.arange(FIELDS[PITCH].size)
        table[1:_FIRST_DRUM] = 1 + moved_pitches(np.arange(MELODIC_PITCHES), semitones)
        return {PITCH: table}

    def loudness_shift(self, steps: int) -> dict[int, NDArray[np.int64]]:
        values = np.arange(FIELDS[VELOCITY].size)
        louder = np.clip(values + steps, 1, FIELDS[VELOCITY].size - 1)
        return {VELOCITY: np.where(values > 0, louder, 0)}

    def touch(self, factor: float) -> dict[int, NDArray[np.int64]]:
        lengths = np.maximum(np.rint(_LENGTHS * factor), 1).astype(np.int64)
        return {DURATION: np.append(0, 1 + length_index(lengths))}

    def echoed(self, event: list[int]) -> tuple[int, int, int] | None:
        return event[PITCH], event[DURATION], event[PART]

    def leaning(self, lean: Leaning) -> NDArray[np.float32]:
        found = np.zeros(_SLICES[DELTA].stop, np.float32)
        deltas, durations = found[_SLICES[DELTA]], found[_SLICES[DURATION]]
        deltas[_MOVES:] = -LEAN_DENSITY * lean.against(_LENGTHS)
        worn, firmness = lean.worn
        if firmness:
            deltas[2 + min(bisect_left(LENGTHS, worn), len(LENGTHS) - 1)] -= firmness
        # A chord is more notes too, but no way out of playing faster.
        deltas[_ZERO_DELTA] = LEAN_CHORDS * lean.polyphony - LEAN_DENSITY * abs(lean.density)
        durations[1:] = LEAN_LENGTH * lean.polyphony * _OCTAVES
        return found

    def write_bias(self, bias: NDArray[np.float32], limits: Limits) -> None:
        bias[:] = 0.0 if limits.lean is None else limits.lean
        parts = bias[_SLICES[PART]]
        parts[1:][~np.array(limits.parts_on)] = MASKED
        pitches = bias[_SLICES[PITCH]]
        pitches[1:_FIRST_DRUM] = limits.pitch_bias
        if not limits.parts_on[DRUMS]:
            pitches[_FIRST_DRUM:] = MASKED
        if not any(limits.parts_on[:DRUMS]):
            pitches[1:_FIRST_DRUM] = MASKED

    def lean_to(self, bias: NDArray[np.float32], parts: Collection[int], weight: float) -> None:
        for part in parts:
            bias[_SLICES[PART]][1 + part] = weight


def velocity_of(value: int) -> int:
    """MIDI velocity of a field value: the middle of its step."""
    return (value - 1) * VELOCITY_STEP + VELOCITY_STEP // 2 if value else DEFAULT_VELOCITY


def _walk(onsets: NDArray[np.int64], end: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Onsets as the deltas can express them, and the deltas' field values.

    Rounding never adds up: each delta is chosen from where the last one led, and none leads to
    `end`, the close of the last bar. A gap longer than the longest delta is left open (0), the
    next note then stands where it stood.
    """
    if not len(onsets):
        return onsets, onsets
    gaps = np.diff(onsets)
    values = np.append(np.where(gaps == 0, _ZERO_DELTA, 2 + length_index(gaps)), 0)
    values[:-1][gaps > LENGTHS[-1]] = 0
    if np.all((_GAPS[values[:-1]] == gaps) | (values[:-1] == 0)):
        return onsets, values
    walked = onsets.copy()
    for i in range(len(gaps)):
        gap = int(onsets[i + 1] - walked[i])
        if gap > LENGTHS[-1]:
            values[i] = 0
            continue
        values[i] = _ZERO_DELTA if gap <= 0 else 2 + int(np.searchsorted(_MIDDLES, gap))
        values[i] -= walked[i] + DELTA_TICKS[values[i]] >= end
        walked[i + 1] = walked[i] + DELTA_TICKS[values[i]]
    return walked, values


class NotesCursor:
    """Where a stream of notes stands, what sounds, and which deltas are open."""

    __slots__ = ("_bar", "_gate", "rank", "sounding", "tick")

    def __init__(self, tick: int) -> None:
        self.tick = tick
        self.rank = 0
        self.sounding: tuple[int, ...] = ()  # ends of the notes that sound at `tick`
        self._bar = (tick, MAX_BAR_TICKS)  # where the bar began, and its length
        self._gate = (0, 0, len(DELTA_TICKS), _ANYWHERE)

    @property
    def voices(self) -> int:
        return len(self.sounding)

    @property
    def carried(self) -> tuple[int, ...]:
        return self.sounding

    def copy(self) -> NotesCursor:
        twin = NotesCursor(self.tick)
        twin.rank, twin.sounding = self.rank, self.sounding
        return twin

    def state(self) -> list[Any]:
        return [self.tick, self.rank, list(self.sounding)]

    def resume(self, state: list[Any]) -> None:
        self.tick, self.rank, sounding = state
        self.sounding = tuple(sounding)

    def enter_bar(self, start: int, end: int) -> list[Note]:
        self._bar = (start, end - start)
        self._gate = (0, 0, len(DELTA_TICKS), _ANYWHERE)  # the bias row was written anew
        return []

    def leave_bar(self, end: int) -> list[Note]:
        return []

    def constrain(self, bias: NDArray[np.float32], limits: Limits) -> None:
        full = len(self.sounding) + 1 >= limits.max_polyphony or self.rank + 1 >= MAX_CHORD_NOTES
        lowest = _MOVES if full else _ZERO_DELTA
        silent_from = max(self.sounding, default=self.tick)
        reach = max(silent_from - self.tick, 0) + limits.max_rest
        highest = max(2 + bisect_right(LENGTHS, reach), lowest + 1)
        shortest, placed = _MOVES, bool(limits.places)
        if limits.close is not None and self.tick >= limits.close[0]:
            shortest = 2 + bisect_left(LENGTHS, limits.close[1] - self.tick)
            highest = shortest + 1  # the last chord is full before time passes, to its end
            placed = False
        elif limits.hold is not None and limits.close is None:
            shortest, highest = self._around_hold(bias, limits, highest)
        gate = (lowest, shortest, highest, self.tick if placed else _ANYWHERE)
        if gate != self._gate:
            self._gate = gate
            deltas = bias[_SLICES[DELTA]]
            deltas[:] = MASKED
            open_ones = slice(lowest, highest)
            lean = limits.lean
            deltas[open_ones] = 0.0 if lean is None else lean[_SLICES[DELTA]][open_ones]
            deltas[_MOVES:shortest] = MASKED
            if placed:
                moves = slice(shortest, highest)
                deltas[moves][self._off_grid(moves, limits.places)] = MASKED

    def _around_hold(
        self, bias: NDArray[np.float32], limits: Limits, highest: int
    ) -> tuple[int, int]:
        """The first delta and the one after the last that are open where the music comes to rest
        for a while: none leads past the beginning of that, nothing begins within it, and what
        sounds there lasts."""
        assert limits.hold is not None
        start, end = limits.hold
        if self.tick < start:
            return _MOVES, min(highest, 2 + bisect_right(LENGTHS, start - self.tick))
        shortest = self._first_after(end, limits.places)
        durations = bias[_SLICES[DURATION]]
        durations[1:] = 0.0 if limits.lean is None else limits.lean[_SLICES[DURATION]][1:]
        # As long as the first gap that is open: no rest comes of it.
        durations[1 : 1 + shortest - _MOVES] = MASKED
        return shortest, max(highest, shortest + 1)

    def _first_after(self, end: int, places: tuple[bool, ...]) -> int:
        """The first delta that leads to a tick or beyond, and to a place of the grid if any does;
        the first of all where the tick is past."""
        if self.tick >= end:
            return _MOVES
        first = bisect_left(LENGTHS, end - self.tick)
        start, length = self._bar
        for i in range(first, len(LENGTHS) if places else first):
            if places[(self.tick - start + LENGTHS[i]) % length % TICKS_PER_QUARTER]:
                return _MOVES + i
        return _MOVES + first

    def _off_grid(self, moves: slice, places: tuple[bool, ...]) -> NDArray[np.bool_]:
        """Which of these deltas lead to no place of the grid. Where all would, one short step
        between is open, from where another one leads back."""
        start, length = self._bar
        gaps, on = _GAPS[moves], np.array(places)
        landings = self.tick - start + gaps
        off: NDArray[np.bool_] = ~on[landings % length % TICKS_PER_QUARTER]
        if off.all():
            then = (landings[:, None] + gaps) % length % TICKS_PER_QUARTER
            off = ~on[then].any(axis=1) | (gaps >= TICKS_PER_QUARTER)
        return np.zeros_like(off) if off.all() else off

    def accept(self, event: list[int], limits: Limits) -> Note | None:
        pitch = event[PITCH]
        if pitch >= _FIRST_DRUM:
            part, pitch = DRUMS, pitch - _FIRST_DRUM + DRUM_PITCHES[0]
        else:
            # A percussion part with a melodic pitch: the pitch decides, the part follows.
            part, pitch = event[PART] - 1, pitch - 1
            if part == DRUMS:
                part = limits.parts_on.index(True)
        event[PART] = part + 1
        onset = self.tick
        if limits.close is not None:
            self._keep_to_close(event, limits.close[0])
        gap = DELTA_TICKS[event[DELTA]]
        duration = LENGTHS[event[DURATION] - 1]
        still = [end for end in self.sounding if end > onset + gap]
        if gap and duration > gap and len(still) + 1 >= limits.max_polyphony:
            duration = gap
            event[DURATION] = event[DELTA] - 1  # both count the same lengths, one apart
        if onset + duration > onset + gap:
            still.append(onset + duration)
        self.sounding = tuple(still)
        self.tick = onset + gap
        self.rank = self.rank + 1 if not gap else 0
        return Note(onset, duration, pitch, velocity_of(event[VELOCITY]), part)

    def _keep_to_close(self, event: list[int], start: int) -> None:
        """What would pass the beginning of the last bar ends there. Nothing is masked for it:
        notes at the same onset would be as much likelier."""
        left = start - self.tick
        if left > 0:
            longest = bisect_right(LENGTHS, left)  # a duration counts from 1, a delta from 2
            event[DURATION] = min(event[DURATION], longest)
            event[DELTA] = min(event[DELTA], 1 + longest)
