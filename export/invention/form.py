"""The course of a piece: sections with their turns of chords, bars with their level, a close.

A form is written as sections with levels from 0 to 9 at their beginning and end, such as
"i1-3 A3-5 B5-7 A6-4 o3-0": i an introduction, letters themes that return, r a rest, o the close.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from engine.music.time import MICROSECONDS_PER_MINUTE, TICKS_PER_QUARTER, Metre
from export.invention.draws import Draws
from export.invention.harmony import Chord, Key, Palette, chords, on_degree, recoloured, walk
from export.invention.voicing import bass_line

LONGEST_MINUTES = 4.7
SHORTER = {"i": 0.5, "r": 0.5, "o": 0.6}  # sections that are so much shorter than a theme
_SECTION = re.compile(r"([A-Zior])(\d)-(\d)")

# Closes by mode, the tonic last.
CLOSES = {
    "major": (
        "4:maj9 5:9sus4 1:add9",
        "2:m9 5:13 1:maj9",
        "4:add9 4:m6 1:add9",
        "6:m7 4:maj7 1:69",
        "2:m7 5:7sus4 5:7 1:add9",
    ),
    "minor": (
        "4:m9 5:m7 1:madd9",
        "b6:maj7 b7:add9 1:m9",
        "2:m7b5 5:7sus4 5:7 1:m",
        "b6:maj9 4:m9 1:madd9",
    ),
    "dorian": ("4:9 1:m9", "b3:maj7 4:add9 1:madd9", "2:m7 5:m7 1:m9", "b7:add9 4:add9 1:madd9"),
    "lydian": ("2:add9 5:maj7 1:add9", "7:m7 2:add9/b5 1:maj9", "6:m9 2:9 1:maj9"),
    "mixolydian": ("b7:add9 4:add9 1:add9", "4:maj7 5:m7 1:69", "2:m9 b7:maj7 1:9sus4 1:add9"),
}


@dataclass(frozen=True)
class Taste:
    """What a style likes: weights of what may be chosen, and ranges.

    `tempo` is quarters a minute, `chord_beats` how long chords stay in beats of a bar's parts,
    `turns` chord turns by mode that are known to please, `moves` semitones and mode of the key of
    other themes than the first.
    """

    tempo: tuple[float, float]
    metres: Mapping[str, float]
    modes: Mapping[str, float]
    forms: Sequence[str]
    phrase_bars: Mapping[int, float]
    chord_bars: Mapping[float, float]
    turn_chords: Mapping[int, float]
    palette: Palette
    turns: Mapping[str, Sequence[str]]
    moves: Mapping[tuple[int, str], float]
    minutes: tuple[float, float] = (1.7, 4.6)
    bass: tuple[int, int] = (33, 50)
    rubato: float = 0.02
    pedal: float = 0.0  # share of the turns whose bass stays on the tonic
    breaths: float = 0.4  # share of the sections that end with a silence, of the phrases a quarter


@dataclass(frozen=True, slots=True)
class Span:
    """The stay of one chord."""

    start: int
    ticks: int
    chord: Chord
    bass: int
    section: int

    @property
    def end(self) -> int:
        return self.start + self.ticks


@dataclass(frozen=True, slots=True)
class Bar:
    """`level` from 0 to 1; `place` counts the bars of a phrase of `phrase` bars."""

    start: int
    index: int
    section: int
    level: float
    place: int
    phrase: int

    @property
    def closes(self) -> bool:
        """Whether it is the last bar of a phrase."""
        return self.place == self.phrase - 1


@dataclass(frozen=True, slots=True)
class Section:
    """`bars` are indices of its first bar and past its last; `time` counts its returns from 0."""

    letter: str
    time: int
    key: Key
    bars: tuple[int, int]


@dataclass(frozen=True)
class Plan:
    """A piece before its notes. The last two bars hold the last chord."""

    metre: Metre
    tempo: float
    key: Key
    sections: tuple[Section, ...]
    bars: tuple[Bar, ...]
    spans: tuple[Span, ...]
    tempos: tuple[tuple[int, int], ...]
    breaths: tuple[tuple[int, int], ...]  # first tick and past the last, nothing sounds there

    @property
    def last(self) -> Span:
        return self.spans[-1]

    @property
    def end(self) -> int:
        return self.last.end

    def span_at(self, tick: int) -> Span:
        return self.spans[bisect_right(self.spans, tick, key=lambda span: span.start) - 1]

    def bar_at(self, tick: int) -> Bar:
        return self.bars[min(tick // self.metre.ticks, len(self.bars) - 1)]

    def bars_of(self, section: Section) -> tuple[Bar, ...]:
        return self.bars[section.bars[0] : section.bars[1]]

    def spans_of(self, section: Section) -> tuple[Span, ...]:
        ticks = self.metre.ticks
        first, last = section.bars[0] * ticks, section.bars[1] * ticks
        return tuple(span for span in self.spans if first <= span.start < last)

    def is_close(self, bar: Bar) -> bool:
        """Whether the last chord stands there."""
        return bar.start >= self.last.start


def plan(draws: Draws, taste: Taste) -> Plan:
    tempo = round(draws.between(*taste.tempo), 1)
    metre = Metre.parse(draws.weighted(taste.metres))
    key = Key(draws.whole(0, 11), draws.weighted(taste.modes))
    phrase = draws.weighted(taste.phrase_bars)
    written = _SECTION.findall(draws.choice(taste.forms))
    minutes = draws.between(*taste.minutes)
    lengths = _lengths([letter for letter, _, _ in written], minutes, tempo, metre, phrase)
    sections = _sections(draws.within("keys"), taste, key, written, lengths)
    bars = _bars(draws.within("levels"), sections, written, metre, phrase)
    spans = _spans(draws.within("chords"), taste, key, sections, metre, phrase)
    tempos = _tempos(draws.within("tempo"), bars, tempo, taste.rubato)
    breaths = _breaths(draws.within("breaths"), taste.breaths, bars, sections, metre)
    return Plan(metre, tempo, key, sections, bars, spans, tempos, breaths)


def _lengths(
    letters: Sequence[str], minutes: float, tempo: float, metre: Metre, phrase: int
) -> list[int]:
    """Bars of each section: whole phrases, about so many minutes in all."""
    bars = minutes * tempo / metre.quarters
    shares = [SHORTER.get(letter, 1.0) for letter in letters]
    unit = bars / sum(shares) / phrase
    phrases = [max(1, round(share * unit)) for share in shares]
    most = LONGEST_MINUTES * tempo / metre.quarters
    while sum(phrases) * phrase > most and max(phrases) > 1:
        phrases[phrases.index(max(phrases))] -= 1
    return [count * phrase for count in phrases]


def _sections(
    draws: Draws, taste: Taste, key: Key, written: Sequence[Sequence[str]], lengths: Sequence[int]
) -> tuple[Section, ...]:
    keys = {"A": key, "i": key, "o": key}
    times: dict[str, int] = {}
    sections, first = [], 0
    for (letter, _, _), length in zip(written, lengths, strict=True):
        if letter not in keys:
            semitones, mode = draws.weighted(taste.moves)
            keys[letter] = key.moved(semitones, mode)
        time = times.get(letter, 0)
        times[letter] = time + 1
        sections.append(Section(letter, time, keys[letter], (first, first + length)))
        first += length
    return tuple(sections)


def _bars(
    draws: Draws,
    sections: Sequence[Section],
    written: Sequence[Sequence[str]],
    metre: Metre,
    phrase: int,
) -> tuple[Bar, ...]:
    """Levels rise and fall over the section, and a little within every phrase."""
    bars = []
    swing = draws.between(0.05, 0.16)
    for number, (section, (_, low, high)) in enumerate(zip(sections, written, strict=True)):
        first, last = section.bars
        for index in range(first, last):
            place = (index - first) % phrase
            share = (index - first) / max(1, last - first - 1)
            level = (int(low) + (int(high) - int(low)) * share) / 9
            arch = 1 - abs(2 * (place + 0.5) / phrase - 1.1)
            level += swing * (arch - 0.5) + draws.between(-0.06, 0.06)
            level -= 0.1 * (place == phrase - 1)
            level = min(1.0, max(0.0, level))
            bars.append(Bar(index * metre.ticks, index, number, level, place, phrase))
    return tuple(bars)


def _spans(
    draws: Draws,
    taste: Taste,
    home: Key,
    sections: Sequence[Section],
    metre: Metre,
    phrase: int,
) -> tuple[Span, ...]:
    turns: dict[str, tuple[list[Chord], int]] = {}
    stays: list[tuple[Chord, int, int]] = []
    for number, section in enumerate(sections):
        kind = section.letter if section.letter.isupper() else "A"
        if section.key != home and kind == "A":
            kind = section.letter
        if kind not in turns:
            turns[kind] = _turn(draws.within(kind), taste, section.key, metre)
        turn, ticks = turns[kind]
        if section.time:
            turn = recoloured(draws, turn, taste.palette, 0.3)
        if stays:
            _prepare(draws, stays, turn[0], section.key, metre)
        length = (section.bars[1] - section.bars[0]) * metre.ticks
        stays += _repeated(draws, taste, turn, ticks, length, number)
    closing = chords(draws.choice(CLOSES[home.mode]), home)
    return _with_basses(draws, taste, _closed(stays, closing, metre, len(sections) - 1))


def _prepare(
    draws: Draws, stays: list[tuple[Chord, int, int]], first: Chord, key: Key, metre: Metre
) -> None:
    """Let the end of a section lead to the first chord of the next, above all into another key."""
    last, ticks, section = stays[-1]
    if not draws.chance(0.3 if last.key == key else 0.75):
        return
    root = (first.root + 7) % 12
    if root == last.root:
        return
    suspended = draws.choice(("7sus4", "9sus4", "sus4"))
    stays.pop()
    if ticks > metre.ticks:
        stays.append((last, ticks - metre.ticks, section))
    stays.append((Chord(root, suspended, key), min(ticks, metre.ticks), section))


def _turn(draws: Draws, taste: Taste, key: Key, metre: Metre) -> tuple[list[Chord], int]:
    """A turn of chords and how long each of them stays."""
    known = taste.turns.get(key.mode, ())
    if known and draws.chance(0.45):
        turn = recoloured(draws, chords(draws.choice(known), key), taste.palette, 0.35)
    else:
        turn = walk(draws, key, draws.weighted(taste.turn_chords), taste.palette)
    if draws.chance(taste.pedal):
        turn = [replace(one, bass=key.tonic) for one in turn]
    bars = draws.weighted(taste.chord_bars)
    ticks = metre.half if bars < 1 and metre.half * 2 == metre.ticks else metre.ticks
    return turn, ticks * max(1, int(bars))


def _repeated(
    draws: Draws, taste: Taste, turn: Sequence[Chord], ticks: int, length: int, section: int
) -> list[tuple[Chord, int, int]]:
    """The turn over and over, as long as the section is; other qualities come and go."""
    stays: list[tuple[Chord, int, int]] = []
    left, is_answer = length, False
    while left > 0:
        for chord in _answered(draws, turn, taste.palette) if is_answer else turn:
            if left > 0:
                stays.append((chord, min(ticks, left), section))
                left -= min(ticks, left)
        if draws.chance(0.4):
            turn = recoloured(draws, turn, taste.palette, 0.25)
        is_answer = not is_answer and draws.chance(0.4)
    return stays


def _answered(draws: Draws, turn: Sequence[Chord], palette: Palette) -> list[Chord]:
    """The turn with another last chord that leads back as well."""
    key = turn[0].key
    known = {chord.root for chord in (*turn[-2:], turn[0])}
    fresh = [on_degree(draws, key, degree, palette) for degree in (3, 4, 1, 6, 5)]
    fitting = [chord for chord in fresh if chord.root not in known]
    if len(turn) < 3 or not fitting:
        return list(turn)
    return [*turn[:-1], draws.choice(fitting)]


def _closed(
    stays: list[tuple[Chord, int, int]], closing: Sequence[Chord], metre: Metre, section: int
) -> list[tuple[Chord, int, int]]:
    """The same length, and a close at the end whose last chord has two bars."""
    taken = (len(closing) + 1) * metre.ticks
    while taken > 0:
        chord, ticks, number = stays.pop()
        if ticks > taken:
            stays.append((chord, ticks - taken, number))
        taken -= ticks
    lengths = [1] * (len(closing) - 1) + [2]
    return stays + [
        (chord, bars * metre.ticks, section) for chord, bars in zip(closing, lengths, strict=True)
    ]


def _with_basses(
    draws: Draws, taste: Taste, stays: Sequence[tuple[Chord, int, int]]
) -> tuple[Span, ...]:
    """Spans with a bass line each section; the last chord stands on its root."""
    spans, tick = [], 0
    low, high = taste.bass
    groups: dict[int, list[tuple[Chord, int, int]]] = {}
    for stay in stays:
        groups.setdefault(stay[2], []).append(stay)
    for section, group in groups.items():
        turn = [chord for chord, _, _ in group]
        if section == max(groups):
            turn[-1] = replace(turn[-1], bass=turn[-1].root)
        for (chord, ticks, _), bass in zip(group, bass_line(turn, low, high, draws), strict=True):
            spans.append(Span(tick, ticks, chord, bass, section))
            tick += ticks
    return tuple(spans)


def _breaths(
    draws: Draws, share: float, bars: Sequence[Bar], sections: Sequence[Section], metre: Metre
) -> tuple[tuple[int, int], ...]:
    """Silences at the ends of sections and of some phrases, a part of a bar long."""
    ends = {section.bars[1] - 1 for section in sections}
    found = []
    for bar in bars[:-4]:
        if not bar.closes or not draws.chance(share if bar.index in ends else share / 4):
            continue
        end = bar.start + metre.ticks
        found.append((end - draws.choice((metre.ticks_per_beat, metre.ticks - metre.half)), end))
    return tuple(found)


def _tempos(
    draws: Draws, bars: Sequence[Bar], tempo: float, rubato: float
) -> tuple[tuple[int, int], ...]:
    """Bars press on and hold back by a little, and the last four slow down."""
    found: list[tuple[int, int]] = []
    for bar in bars:
        pull = rubato * (draws.between(-0.4, 0.4) + 0.8 * (not bar.closes) - 0.8 * bar.closes)
        left = len(bars) - bar.index
        slower = {4: 0.97, 3: 0.93, 2: 0.86, 1: 0.8}.get(left, 1.0)
        value = round(MICROSECONDS_PER_MINUTE / (tempo * (1 + pull) * slower))
        if not found or abs(found[-1][1] - value) > 2000:
            found.append((bar.start, value))
    return tuple(found)


def seconds(plan: Plan) -> float:
    return plan.end / TICKS_PER_QUARTER * 60 / plan.tempo
