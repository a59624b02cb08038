"""The course of a piece: sections with their turns of chords, bars with their level, a close.

A form is written as sections with levels from 0 to 9 at their beginning and end, such as
"i1-3 A3-5 B5-7 A6-4 o3-0": i an introduction, letters themes that return, r a rest, o the close.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.music.time import Metre, microseconds_per_quarter
from export.invention import turns
from export.invention.course import Bar, Plan, Section, Taste
from export.invention.draws import Draws
from export.invention.harmony import Key

LONGEST_MINUTES = 4.7
SHORTER = {"i": 0.5, "r": 0.5, "o": 0.6}  # sections that are so much shorter than a theme
_SECTION = re.compile(r"([A-Zior])(\d)-(\d)")


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
    spans = turns.spans(draws.within("chords"), taste, key, sections, metre)
    tempos = _tempos(draws.within("tempo"), bars, tempo, taste.rubato)
    breaths = _breaths(draws.within("breaths"), taste.breaths, bars, sections, metre)
    loudness = draws.within("loudness").between(-9, 12)
    return Plan(metre, tempo, key, sections, bars, spans, tempos, breaths, loudness, taste.contrast)


def _lengths(
    letters: Sequence[str], minutes: float, tempo: float, metre: Metre, phrase: int
) -> list[int]:
    """Bars of each section: whole phrases, about so many minutes in all."""
    bars = 60 * minutes / metre.seconds(tempo)
    shares = [SHORTER.get(letter, 1.0) for letter in letters]
    unit = bars / sum(shares) / phrase
    phrases = [max(1, round(share * unit)) for share in shares]
    most = 60 * LONGEST_MINUTES / metre.seconds(tempo)
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
        value = microseconds_per_quarter(tempo * (1 + pull) * slower)
        if not found or abs(found[-1][1] - value) > 2000:
            found.append((bar.start, value))
    return tuple(found)
