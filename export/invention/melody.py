"""Melodies: a motif, what becomes of it, and phrases that close and breathe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from engine.music.time import Metre
from export.invention.draws import Draws
from export.invention.form import Bar, Section
from export.invention.harmony import Chord
from export.invention.piece import Piece
from export.invention.voicing import is_parallel

# Rhythms of a part of a bar by its ticks: note values in ticks, those below nought rests, with
# how lively they are.
CELLS: dict[int, tuple[tuple[tuple[int, ...], float], ...]] = {
    48: (
        ((48,), 0.0),
        ((24, 24), 0.4),
        ((36, 12), 0.5),
        ((-24, 24), 0.2),
        ((-12, 12, 24), 0.5),
        ((12, 12, 24), 0.7),
        ((24, 12, 12), 0.7),
        ((12, 36), 0.5),
        ((-12, 12, 12, 12), 0.9),
        ((16, 16, 16), 0.8),
    ),
    72: (
        ((72,), 0.0),
        ((48, 24), 0.3),
        ((24, 48), 0.3),
        ((-24, 48), 0.15),
        ((36, 12, 24), 0.5),
        ((24, 24, 24), 0.5),
        ((-24, 24, 24), 0.35),
        ((24, 12, 12, 24), 0.8),
        ((-12, 12, 24, 24), 0.7),
    ),
    36: (
        ((36,), 0.0),
        ((24, 12), 0.4),
        ((12, 24), 0.5),
        ((-12, 24), 0.3),
        ((12, 12, 12), 0.9),
        ((-24, 12), 0.4),
    ),
    24: (((24,), 0.2), ((12, 12), 0.8), ((-12, 12), 0.5)),
}


def groups(metre: Metre) -> tuple[int, ...]:
    """The parts of a bar that rhythms fill."""
    if metre.unit == 8 and metre.beats % 3 == 0:
        return (36,) * (metre.beats // 3)
    if metre.unit == 8:  # 7/8, 5/8
        return (24,) * (metre.beats // 2 - 1) + (36,)
    whole, odd = divmod(metre.beats, 2)
    if not odd:
        return (48,) * whole
    return (72,) + (48,) * (whole - 1)


class Event(NamedTuple):
    """A note of a motif: its place and length in ticks, its step of the scale above the first."""

    onset: int
    ticks: int
    step: float


Motif = tuple[Event, ...]


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


def motif(draws: Draws, metre: Metre, lively: float) -> Motif:
    """One bar: a rhythm and a contour."""
    events, tick, step = [], 0, 0.0
    slope = draws.choice((-1.0, 1.0))
    turn = draws.between(0.3, 0.8) * metre.ticks
    for ticks in groups(metre):
        for value in draws.weighted(_fitting(ticks, lively)):
            if value > 0:
                events.append(Event(tick, value, step))
                way = slope if tick < turn else -slope
                step += way * draws.weighted({0: 0.6, 1: 4.0, 2: 1.7, 3: 0.6, -1: 0.9})
            tick += abs(value)
    return tuple(events) or (Event(0, metre.ticks, 0.0),)


def _fitting(ticks: int, lively: float) -> Mapping[tuple[int, ...], float]:
    return {cell: max(0.02, 1 - 1.8 * abs(life - lively)) ** 2 for cell, life in CELLS[ticks]}


def varied(draws: Draws, source: Motif) -> Motif:
    """The motif again with one thing changed."""
    kind = draws.weighted({"moved": 3.0, "end": 3.0, "fewer": 1.5, "split": 1.5, "turned": 0.7})
    events = list(source)
    if kind == "moved":
        shift = draws.choice((-2.0, -1.0, 1.0, 2.0))
        return tuple(e._replace(step=e.step + shift) for e in events)
    if kind == "turned":
        return tuple(e._replace(step=-e.step) for e in events)
    if kind == "fewer" and len(events) > 2:
        gone = draws.whole(1, len(events) - 1)
        before = events[gone - 1]
        until = events[gone].onset + events[gone].ticks
        events[gone - 1] = before._replace(ticks=until - before.onset)
        return tuple(events[:gone] + events[gone + 1 :])
    longest = max(range(len(events)), key=lambda i: events[i].ticks)
    if kind == "split" and events[longest].ticks >= 24:
        onset, ticks, step = events[longest]
        first = max(12, ticks // 24 * 12)
        halves = [Event(onset, first, step), Event(onset + first, ticks - first, step + 1)]
        return tuple(events[:longest] + halves + events[longest + 1 :])
    last = events[-1]
    return (*events[:-1], last._replace(step=last.step + draws.choice((-2.0, -1.0, 1.0, 2.0))))


def close(draws: Draws, metre: Metre) -> Motif:
    """The end of a phrase: one long note, perhaps after a step, with room to breathe."""
    first = groups(metre)[0]
    if draws.chance(0.4) and len(groups(metre)) > 1:
        return (Event(0, first, 1.0), Event(first, metre.ticks - first, 0.0))
    return (Event(0, metre.ticks - (first // 2 if draws.chance(0.5) else 0), 0.0),)


@dataclass(frozen=True)
class Theme:
    """Motifs by bar of a phrase, None where it rests, and the height each phrase aims at."""

    phrases: tuple[tuple[Motif | None, ...], ...]
    heights: tuple[float, ...]  # from 0 to 1 of the span


_SHAPES = ("aabc", "abac", "abbc", "a-ac", "ab-c", "a-bc", "abcc", "aa-c", "a-c-")


def theme(draws: Draws, metre: Metre, bars: int, lively: float, count: int = 2) -> Theme:
    """So many phrases of one idea: it is stated, answered, led on; each ends at rest."""
    ideas = {"a": motif(draws, metre, lively), "b": motif(draws, metre, lively * 0.9)}
    shape = draws.choice(_SHAPES)
    phrases, heights = [], []
    for number in range(count):
        if number and draws.chance(0.35):
            shape = draws.choice(_SHAPES)
        phrase: list[Motif | None] = []
        for place in range(bars):
            letter = shape[-1] if place == bars - 1 else shape[place % 4 % 3]
            if letter == "-":
                phrase.append(None)
            elif letter == "c":
                phrase.append(close(draws, metre))
            else:
                fresh = letter not in shape[: place % 4] and not number
                phrase.append(ideas[letter] if fresh else varied(draws, ideas[letter]))
        phrases.append(tuple(phrase))
        heights.append(draws.between(0.3, 0.6) + 0.12 * number * draws.choice((-1, 1)))
    return Theme(tuple(phrases), tuple(heights))


def reworked(draws: Draws, source: Theme) -> Theme:
    """How a theme returns: most bars as they were, some varied."""
    phrases = tuple(
        tuple(varied(draws, one) if one and draws.chance(0.35) else one for one in phrase)
        for phrase in source.phrases
    )
    shift = draws.choice((-0.1, 0.0, 0.1, 0.2))
    return replace(source, phrases=phrases, heights=tuple(h + shift for h in source.heights))


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
