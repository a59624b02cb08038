"""The `performance` representation: NOTE_ON, NOTE_OFF, TIME_SHIFT and VELOCITY events.

One field, one event a step, as Performance RNN has it. Its scores count real time: a tick is
10 ms, a bar 1.92 s, so that a performance keeps its breath; the tempo control then plays it
faster or slower as a whole. One part.
"""

from __future__ import annotations

from collections.abc import Collection
from math import log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.files.midi import Smf, to_performance_score
from engine.music.analysis import Analysis
from engine.music.fields import MAX_VOICES, Field
from engine.music.score import (
    DRUMS,
    NOTE,
    TIED_FROM,
    TIED_ON,
    Note,
    Score,
    moved_pitches,
    note_order,
)
from engine.music.time import Metre
from engine.planning.correction import Leaning
from engine.representations.codec import Encoded
from engine.representations.context_rows import plan_columns
from engine.representations.limits import MASKED, Limits

VELOCITY_STEP = 4
MAX_SHIFT = 100
# Token values: 0 open, then the four kinds of event.
ON = 1
OFF = ON + 128
SHIFT = OFF + 128  # SHIFT + n - 1 moves n ticks
VELOCITY = SHIFT + MAX_SHIFT
TOKENS = VELOCITY + 128 // VELOCITY_STEP
# More events than this at one tick and the only way left is on: time must pass.
MAX_EVENTS_AT_ONCE = 40
CLOSING_CHORD = 3  # notes that a piece closes with, unless fewer are asked for
# No note is held longer. A network does not see further back than its window, and what began
# before that would sound for ever. Long before, from where one real note in a hundred still
# sounds, its end gains weight: one more in the exponent each `AGEING` ticks.
MAX_HELD, OLD, AGEING = 1000, 250, 60
OLD_APART = 60  # where notes are kept apart, they are old sooner
DEFAULT_VELOCITY = 64
# Log-weight by bucket of lean: against each octave that a shift is off; against the end of a note.
LEAN_DENSITY, LEAN_HELD = 0.25, 0.3
# Log-weight of the ends of notes for each octave by which more are held than were asked for.
LEAN_VOICES = 1.5


class PerformanceCodec:
    name = "performance"
    fields: tuple[Field, ...] = (Field("token", TOKENS, "NOTE_ON, NOTE_OFF, TIME_SHIFT, VELOCITY"),)
    context: tuple[str, ...] = (
        "voices",
        "key",
        "density",
        "register",
        "polyphony",
        "dynamics",
        "articulation",
        "ending",
    )
    velocity_column: int | None = None
    metrical = False
    tempo = 250.0  # a tick of 10 ms
    metre = Metre(8, 4)

    def read(self, smf: Smf) -> Score:
        return to_performance_score(smf)

    def encode(self, analysis: Analysis) -> Encoded:
        notes = analysis.score.notes
        tokens, onsets = _tokens(notes[notes["part"] != DRUMS])
        bars = analysis.grid.bar_of(onsets)
        columns = {"voices": _voices(tokens), **plan_columns(analysis, onsets, bars)}
        context = np.stack([columns[name] for name in self.context], axis=1)
        return Encoded(tokens[:, None].astype(np.uint16), context.astype(np.uint8), onsets, bars)

    def decode(self, encoded: Encoded) -> NDArray[np.void]:
        start = int(encoded.onsets[0]) if len(encoded.onsets) else 0
        cursor = PerformanceCursor(start)
        notes = [cursor.take(token) for token in encoded.events[:, 0].tolist()]
        return note_order(np.array([n[:5] for n in notes if n is not None], NOTE))

    def bridge(self, encoded: Encoded, tick: int) -> Encoded:
        """What lies past `tick` is left out; notes that still sound there are let go."""
        count = int(np.searchsorted(encoded.onsets, tick))
        events, context = encoded.events[:count].copy(), encoded.context[:count]
        onsets, bars = encoded.onsets[:count], encoded.bars[:count]
        cursor = PerformanceCursor(int(onsets[0]))
        for token in events[:, 0].tolist():
            cursor.take(token)
        events[-1] -= max(cursor.tick - tick, 0)
        added, now = [], cursor.tick
        while now < tick:
            step = min(tick - now, MAX_SHIFT)
            added.append((SHIFT + step - 1, now))
            now += step
        added += [(OFF + pitch, tick) for pitch, _, _ in cursor.held]
        tokens, ticks = np.array(added, np.int64).reshape(-1, 2).T
        return Encoded(
            np.concatenate((events, tokens[:, None].astype(np.uint16))),
            np.concatenate((context, np.repeat(context[-1:], len(added), axis=0))),
            np.concatenate((onsets, ticks)),
            np.concatenate((bars, np.repeat(bars[-1:], len(added)))),
        )

    def cursor(self, tick: int) -> PerformanceCursor:
        return PerformanceCursor(tick)

    def pitch_shift(self, semitones: int) -> dict[int, NDArray[np.int64]]:
        table = np.arange(TOKENS)
        moved = moved_pitches(np.arange(128), semitones)
        table[ON:OFF], table[OFF:SHIFT] = ON + moved, OFF + moved
        return {0: table}

    def loudness_shift(self, steps: int) -> dict[int, NDArray[np.int64]]:
        table = np.arange(TOKENS)
        table[VELOCITY:] = np.clip(table[VELOCITY:] + steps, VELOCITY, TOKENS - 1)
        return {0: table}

    def touch(self, factor: float) -> dict[int, NDArray[np.int64]]:
        return {}

    def echoed(self, event: list[int]) -> tuple[int, int, int] | None:
        return None

    def leaning(self, lean: Leaning) -> NDArray[np.float32]:
        found = np.zeros(TOKENS, np.float32)
        found[SHIFT:VELOCITY] = -LEAN_DENSITY * lean.against(np.arange(1.0, MAX_SHIFT + 1))
        worn, firmness = lean.worn
        if 0 < worn <= MAX_SHIFT:
            found[SHIFT + worn - 1] -= firmness
        found[OFF:SHIFT] = -LEAN_HELD * lean.polyphony
        return found

    def write_bias(self, bias: NDArray[np.float32], limits: Limits) -> None:
        bias[:] = 0.0 if limits.lean is None else limits.lean
        bias[ON:OFF] = limits.pitch_bias
        bias[OFF:SHIFT] = MASKED  # opened for what sounds, note by note

    def lean_to(self, bias: NDArray[np.float32], parts: Collection[int], weight: float) -> None:
        """There is one part, and every note is its own."""


def _level(limits: Limits, tokens: int | slice) -> NDArray[np.float32] | np.float32 | float:
    """The log-weight to which tokens are opened; all note-offs have the same."""
    return 0.0 if limits.lean is None else limits.lean[tokens]


def _keep_apart(notes: NDArray[np.float32], sounding: frozenset[int], apart: float) -> None:
    """Lean against what would rub with what sounds: semitones, and half as much whole tones. What
    sounds is shut."""
    for pitch in sounding:
        notes[max(pitch - 1, 0) : pitch + 2] -= apart / 2
        notes[max(pitch - 2, 0) : pitch + 3] -= apart / 2
    for pitch in sounding:
        notes[pitch] = MASKED


def _let_go(ends: NDArray[np.float32], sounding: frozenset[int], apart: float) -> None:
    """Lean towards the ends of notes that rub with others."""
    for pitch in sounding:
        ends[pitch] += (
            apart / 2 * sum(abs(pitch - other) <= 2 for other in sounding if other != pitch)
        )


def _voices(tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    """The context field `voices`: how many notes are held when each event's turn comes."""
    cursor, held = PerformanceCursor(0), []
    for token in tokens.tolist():
        held.append(cursor.voices)
        cursor.take(token)
    return 1 + np.minimum(np.array(held, np.int64), MAX_VOICES - 1)


def _tokens(notes: NDArray[np.void]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The event stream of a performance and the tick at which each event stands."""
    changes: list[tuple[int, int, int, int]] = []
    for onset, duration, pitch, velocity, _ in notes.tolist():
        changes.append((onset, 1, pitch, velocity))
        changes.append((onset + duration, 0, pitch, 0))
    changes.sort()
    tokens: list[int] = []
    ticks: list[int] = []
    now = changes[0][0] if changes else 0
    loudness = -1
    for tick, is_on, pitch, velocity in changes:
        while now < tick:
            step = min(tick - now, MAX_SHIFT)
            tokens.append(SHIFT + step - 1)
            ticks.append(now)
            now += step
        level = velocity // VELOCITY_STEP
        if is_on and velocity and level != loudness:
            loudness = level
            tokens.append(VELOCITY + level)
            ticks.append(now)
        tokens.append((ON if is_on else OFF) + pitch)
        ticks.append(now)
    return np.array(tokens, np.int64), np.array(ticks, np.int64)


class PerformanceCursor:
    """Where a performance stands: the time, the loudness and what is held."""

    __slots__ = (
        "_opened",
        "_shut",
        "bar_start",
        "held",
        "rank",
        "silent_from",
        "tick",
        "velocity",
    )

    def __init__(self, tick: int) -> None:
        self.tick = tick
        self.rank = 0
        self.velocity = DEFAULT_VELOCITY
        self.bar_start = tick
        self.held: tuple[tuple[int, int, int], ...] = ()  # (pitch, onset, velocity)
        self.silent_from = tick  # where the last note ended, if none is held
        self._opened: frozenset[int] = frozenset()  # note-offs open in the bias row
        self._shut = False  # no note-on open

    @property
    def voices(self) -> int:
        return len(self.held)

    @property
    def carried(self) -> tuple[int, ...]:
        return ()  # what is held comes tied into the bar

    def copy(self) -> PerformanceCursor:
        twin = PerformanceCursor(self.tick)
        twin.rank, twin.velocity, twin.held = self.rank, self.velocity, self.held
        twin.bar_start, twin.silent_from = self.bar_start, self.silent_from
        return twin

    def state(self) -> list[Any]:
        held = [list(row) for row in self.held]
        return [self.tick, self.rank, self.velocity, self.bar_start, held, self.silent_from]

    def resume(self, state: list[Any]) -> None:
        self.tick, self.rank, self.velocity, self.bar_start, held, self.silent_from = state
        self.held = tuple((pitch, onset, velocity) for pitch, onset, velocity in held)

    def enter_bar(self, start: int, end: int) -> list[Note]:
        self._opened, self._shut = frozenset(), False  # the bias row was written anew
        self.bar_start = start
        return []

    def leave_bar(self, end: int) -> list[Note]:
        return [
            self._piece(pitch, onset, velocity, end, TIED_ON)
            for pitch, onset, velocity in self.held
            if onset < end
        ]

    def _piece(self, pitch: int, onset: int, velocity: int, end: int, tie: int) -> Note:
        """The part of a held note that lies in this bar."""
        start = max(onset, self.bar_start)
        return Note(
            start, end - start, pitch, velocity, 0, tie | (TIED_FROM if onset < start else 0)
        )

    def constrain(self, bias: NDArray[np.float32], limits: Limits) -> None:
        sounding = frozenset(pitch for pitch, _, _ in self.held)
        reach = MAX_SHIFT
        if sounding:
            reach = min(reach, self.held[0][1] + MAX_HELD - self.tick)
            if reach <= 0:
                self._let_go_of_the_oldest(bias)
                return
        else:
            reach = max(0, min(MAX_SHIFT, self.silent_from + limits.max_rest - self.tick))
        stuck = self.rank >= MAX_EVENTS_AT_ONCE
        if limits.close is not None and self.tick == limits.close[0]:
            reach = self._before_close(limits, limits.close[0], reach)
        # Where silence must end, a note-on stays open at any rank: then time can pass.
        shut = len(sounding) >= limits.max_polyphony or (stuck and reach > 0)
        self._open_notes(bias, limits, sounding, shut)
        if stuck:
            bias[OFF:SHIFT] = MASKED
            bias[VELOCITY:] = MASKED
        elif self.rank == 0:
            bias[VELOCITY:] = 0.0
            crowded = self._crowded(limits)
            for pitch, onset, _ in self.held:
                age = max(0, self.tick - onset - (OLD_APART if limits.apart else OLD))
                bias[OFF + pitch] = _level(limits, OFF) + age / AGEING + crowded
            if limits.apart:
                _let_go(bias[OFF:SHIFT], sounding, limits.apart)
        bias[SHIFT : SHIFT + reach] = _level(limits, slice(SHIFT, SHIFT + reach))
        bias[SHIFT + reach : VELOCITY] = MASKED

    def _before_close(self, limits: Limits, start: int, reach: int) -> int:
        """How far time may pass at the beginning of the last bar: not until a chord is struck."""
        struck = sum(onset == start for _, onset, _ in self.held)
        wanted = min(CLOSING_CHORD, limits.max_polyphony, limits.voices or CLOSING_CHORD)
        return reach if struck >= wanted or self.rank >= MAX_EVENTS_AT_ONCE else 0

    def _crowded(self, limits: Limits) -> float:
        """What ends of notes gain while more are held than were asked for, and lose while fewer."""
        if limits.voices is None or not self.held:
            return 0.0
        return LEAN_VOICES * log2(len(self.held) / limits.voices)

    def _let_go_of_the_oldest(self, bias: NDArray[np.float32]) -> None:
        """Nothing may come but the end of the note that was held longest."""
        oldest = self.held[0][0]
        bias[:] = MASKED
        bias[OFF + oldest] = 0.0
        self._opened, self._shut = frozenset({oldest}), True

    def _open_notes(
        self, bias: NDArray[np.float32], limits: Limits, sounding: frozenset[int], shut: bool
    ) -> None:
        """Open the note-offs of what sounds, and the note-ons of what does not unless `shut`."""
        for pitch in self._opened ^ sounding:
            bias[OFF + pitch] = _level(limits, OFF) if pitch in sounding else MASKED
            # What sounds is not struck again before it is let go.
            closed = shut or pitch in sounding
            bias[ON + pitch] = MASKED if closed else limits.pitch_bias[pitch]
        self._opened = sounding
        if shut != self._shut:
            self._shut = shut
            bias[ON:OFF] = MASKED if shut else limits.pitch_bias
            for pitch in sounding:
                bias[ON + pitch] = MASKED
        if limits.apart and not shut:
            bias[ON:OFF] = limits.pitch_bias
            _keep_apart(bias[ON:OFF], sounding, limits.apart)

    def accept(self, event: list[int], limits: Limits) -> Note | None:
        if limits.close is not None and event[0] in range(SHIFT, VELOCITY):
            left = limits.close[0] - self.tick  # no shift passes the beginning of the last bar
            event[0] = min(event[0], SHIFT + left - 1) if left > 0 else event[0]
        return self.take(event[0])

    def take(self, token: int) -> Note | None:
        self.rank += 1
        if token >= VELOCITY:
            self.velocity = (token - VELOCITY) * VELOCITY_STEP + VELOCITY_STEP // 2
        elif token >= SHIFT:
            self.tick += token - SHIFT + 1
            self.rank = 0
        elif token >= OFF:
            return self._release(token - OFF)
        elif token >= ON:
            pitch = token - ON
            if all(pitch != held for held, _, _ in self.held):
                self.held = (*self.held, (pitch, self.tick, self.velocity))
        return None

    def _release(self, pitch: int) -> Note | None:
        for row in self.held:
            if row[0] == pitch:
                self.held = tuple(other for other in self.held if other is not row)
                if self.tick > row[1]:
                    self.silent_from = self.tick
                start = max(row[1], self.bar_start)
                if self.tick > start:
                    return self._piece(*row, self.tick, 0)
        return None
