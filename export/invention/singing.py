"""Who sings a theme, and on which notes: the steps of a motif become pitches over the chords."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from export.invention.course import Bar, Section
from export.invention.draws import Draws
from export.invention.harmony import Chord
from export.invention.melody import Motif, Theme, reworked, theme
from export.invention.piece import Piece
from export.invention.voicing import is_parallel


@dataclass(frozen=True)
class Voice:
    """Who plays a melody: `span` of pitches, `base` velocity, `lively` from 0 to 1, `rests` the
    share of phrases that are silent, `held` the share of a note's length that it is held, `doubled`
    that of long notes with another below."""

    part: int
    span: tuple[int, int]
    base: float = 64
    lively: float = 0.4
    rests: float = 0.15
    held: float = 1.0
    doubled: float = 0.0


def sing(piece: Piece, voice: Voice, section: Section, theme: Theme, draws: Draws) -> None:
    """The theme over a section, its phrases one after another, some left silent."""
    bars = [bar for bar in piece.plan.bars_of(section) if not piece.plan.is_close(bar)]
    line = _Line(piece, voice, draws)
    silent = False
    for bar in bars:
        if bar.place == 0:
            silent = not silent and draws.chance(voice.rests)
            number = (bar.index - section.bars[0]) // bar.phrase % len(theme.phrases)
            line.aim = theme.heights[number]
        events = theme.phrases[number][bar.place % len(theme.phrases[number])]
        if not silent and events is not None:
            line.bar(bar, events)
    line.finish()


def tell(
    piece: Piece, who: Callable[[Section], Voice | None], draws: Draws, phrases: int = 3
) -> None:
    """Every section its theme, where `who` has a voice for it: one that was heard comes back
    reworked, the close remembers the first. The last voice ends on the last chord, mostly."""
    themes: dict[str, Theme] = {}
    voice = None
    for section in piece.plan.sections:
        voice = who(section)
        if voice is None:
            continue
        letter = section.letter if section.letter.isupper() else "A"
        if letter in themes:
            themes[letter] = reworked(draws, themes[letter])
        else:
            phrase = piece.plan.bars_of(section)[0].phrase
            count = draws.whole(1, phrases)
            themes[letter] = theme(draws, piece.plan.metre, phrase, voice.lively, count)
        sing(piece, voice, section, themes[letter], draws)
    if voice is not None and draws.chance(0.85):
        close_on(piece, voice, draws)


def close_on(piece: Piece, voice: Voice, draws: Draws) -> None:
    """The last note, over the last chord: its third, fifth or root, in the middle of the span."""
    last = piece.plan.last
    low, high = voice.span
    tones = (last.chord.tones[0], last.chord.root, (last.chord.root + 7) % 12)
    pool = [pitch for pitch in range(low, high + 1) if pitch % 12 in tones]
    aim = low + (high - low) * draws.between(0.3, 0.6)
    pitch = min(pool, key=lambda pitch: abs(pitch - aim))
    late = draws.choice((0, 12, 24))
    loud = piece.loud(last.start + late, voice.base, draws)
    piece.add(voice.part, last.start + late, last.ticks - late, pitch, loud)


class _Line:
    """A melody as it goes: the pitch before, the bass under it, and where it means to go."""

    def __init__(self, piece: Piece, voice: Voice, draws: Draws) -> None:
        self._piece, self._voice, self._draws = piece, voice, draws
        self.aim = 0.5
        self._before: tuple[int, int] | None = None  # pitch, and the bass that was under it
        self._leap = 0
        self._waiting: tuple[int, int, int] | None = None  # onset, ticks, pitch

    def bar(self, bar: Bar, events: Motif) -> None:
        low, high = self._voice.span
        for onset, ticks, step in events:
            tick = bar.start + onset
            aim = low + (high - low) * self.aim + 1.6 * step
            self._note(tick, ticks, aim, ticks >= 36 or onset == 0)

    def _note(self, tick: int, ticks: int, aim: float, is_stable: bool) -> None:
        span = self._piece.plan.span_at(tick)
        pitch = self._pitch(span.chord, span.bass, aim, is_stable)
        if self._before is not None:
            self._leap = pitch - self._before[0]
        self._before = (pitch, span.bass)
        self._sound(tick)
        self._waiting = (tick, ticks, pitch)

    def _pitch(self, chord: Chord, bass: int, aim: float, is_stable: bool) -> int:
        low, high = self._voice.span
        pool = [pitch for pitch in range(low, high + 1) if pitch % 12 in chord.scale]

        def cost(pitch: int) -> float:
            found = abs(pitch - aim) + 0.9 * self._draws.uniform()
            if is_stable and pitch % 12 not in chord.tones:
                found += 1.5 if pitch % 12 in chord.stable else 6.0
            if self._before is None:
                return found
            step = pitch - self._before[0]
            found += 0.9 * max(0, abs(step) - 2) + 1.5 * (step == 0)
            if pitch % 12 not in chord.tones and abs(step) > 2:
                found += 3.0
            if abs(self._leap) > 5 and step * self._leap > 0:
                found += 3.0
            if is_parallel(self._before[1], bass, self._before[0], pitch):
                found += 8.0
            return found

        return min(pool, key=cost)

    def _sound(self, until: int) -> None:
        """Write the note before, held to the next or as long as it is written."""
        if self._waiting is None:
            return
        onset, ticks, pitch = self._waiting
        ticks = min(ticks, until - onset)
        held = max(6, round(ticks * self._voice.held / 6) * 6) if ticks > 6 else ticks
        loud = self._piece.loud(onset, self._voice.base, self._draws) + 0.35 * (pitch - 72)
        self._piece.add(self._voice.part, onset, held, pitch, loud)
        if ticks >= 24 and self._draws.chance(self._voice.doubled):
            self._below(onset, held, pitch, loud - 9)
        self._waiting = None

    def _below(self, onset: int, ticks: int, pitch: int, loud: float) -> None:
        """A note of the chord a third to a sixth under the melody."""
        span = self._piece.plan.span_at(onset)
        for step in self._draws.choice(((3, 4, 5), (8, 9, 7), (5, 4, 3), (9, 8, 7))):
            if (pitch - step) % 12 in span.chord.tones:
                held = min(ticks, span.end - onset)
                self._piece.add(self._voice.part, onset, held, pitch - step, loud)
                return

    def finish(self) -> None:
        self._sound(self._piece.plan.end)
