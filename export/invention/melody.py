"""Melodies: a motif, what becomes of it, and phrases that close and breathe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from engine.music.time import Metre
from export.invention.draws import Draws

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
        first = max(12, ticks // 2 // 12 * 12)
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
