"""Which chord stands where: turns that come round, answers, what leads on, and the close."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from engine.music.time import Metre
from export.invention.course import Section, Span, Taste
from export.invention.draws import Draws
from export.invention.harmony import Chord, Key, Palette, chords, on_degree, recoloured, walk
from export.invention.voicing import bass_line

Stay = tuple[Chord, int, int]  # a chord, how long it stays, and in which section

# Closes by mode, the tonic last.
CLOSES = {
    "major": (
        "4:maj9 5:9sus4 1:add9",
        "2:m9 5:13 1:maj9",
        "4:add9 4:m6 1:add9",
        "6:m7 4:maj7 1:69",
        "2:m7 5:7sus4 5:7 1:add9",
        "4:maj7 5:aug 1:add9",
    ),
    "minor": (
        "4:m9 5:m7 1:madd9",
        "b6:maj7 b7:add9 1:m9",
        "2:m7b5 5:7sus4 5:7 1:m",
        "b6:maj9 4:m9 1:madd9",
        "4:m9 5:7sus4 1:add9",
    ),
    "dorian": ("4:9 1:m9", "b3:maj7 4:add9 1:madd9", "2:m7 5:m7 1:m9", "b7:add9 4:add9 1:madd9"),
    "lydian": ("2:add9 5:maj7 1:add9", "7:m7 2:add9/b5 1:maj9", "6:m9 2:9 1:maj9"),
    "mixolydian": ("b7:add9 4:add9 1:add9", "4:maj7 5:m7 1:69", "2:m9 b7:maj7 1:9sus4 1:add9"),
}


def spans(
    draws: Draws,
    taste: Taste,
    home: Key,
    sections: Sequence[Section],
    metre: Metre,
) -> tuple[Span, ...]:
    """All chords of a piece; a theme that returns has its turn again, in other colours in part."""
    turns: dict[str, tuple[list[Chord], int]] = {}
    stays: list[Stay] = []
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


def _prepare(draws: Draws, stays: list[Stay], first: Chord, key: Key, metre: Metre) -> None:
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
) -> list[Stay]:
    """The turn over and over, as long as the section is; other qualities come and go."""
    stays: list[Stay] = []
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


def _closed(stays: list[Stay], closing: Sequence[Chord], metre: Metre, section: int) -> list[Stay]:
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


def _with_basses(draws: Draws, taste: Taste, stays: Sequence[Stay]) -> tuple[Span, ...]:
    """Spans with a bass line each section; the last chord stands on its root."""
    found, tick = [], 0
    low, high = taste.bass
    groups: dict[int, list[Stay]] = {}
    for stay in stays:
        groups.setdefault(stay[2], []).append(stay)
    for section, group in groups.items():
        turn = [chord for chord, _, _ in group]
        if section == max(groups):
            turn[-1] = replace(turn[-1], bass=turn[-1].root)
        for (chord, ticks, _), bass in zip(group, bass_line(turn, low, high, draws), strict=True):
            found.append(Span(tick, ticks, chord, bass, section))
            tick += ticks
    last = found[-1]
    found[-1] = replace(last, bass=low + (last.bass - low) % 12)  # a deep one
    return tuple(found)
