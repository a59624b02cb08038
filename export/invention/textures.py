"""Chords as they are played: held, broken into figures, struck in a rhythm, with a bass below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from engine.music.time import TICKS_PER_QUARTER, Metre
from export.invention.course import Bar, Span
from export.invention.draws import Draws
from export.invention.melody import groups
from export.invention.piece import Piece
from export.invention.voicing import Voices, led

LONGEST = 384  # ticks that a note may last


@dataclass(frozen=True)
class Layer:
    """A part's place: `span` of its pitches, `voices` at once, `base` velocity."""

    part: int
    span: tuple[int, int]
    voices: int = 3
    base: float = 52


def voiced(spans: Sequence[Span], layer: Layer, draws: Draws) -> dict[int, Voices]:
    """The voices of each chord, by the tick at which it begins."""
    found: dict[int, Voices] = {}
    before: Voices = ()
    bass = spans[0].bass if spans else 0
    for span in spans:
        before = led(span.chord, before, (bass, span.bass), layer.span, layer.voices, draws)
        bass = span.bass
        found[span.start] = before
    return found


@dataclass(frozen=True)
class BrokenChord:
    """A broken chord: by place of the bar, `unit` ticks apart, which of its notes is played and the
    level from which on it is."""

    unit: int
    steps: tuple[int, ...]
    ranks: tuple[float, ...]


def figure(draws: Draws, metre: Metre, unit: int, voices: int) -> BrokenChord:
    count = metre.ticks // unit
    kind = draws.choice(("up", "wave", "broken", "pendulum", "free", "wave", "fall"))
    wave = [*range(voices), *range(voices - 2, 0, -1)] or [0]
    free = [draws.whole(0, voices - 1) for _ in range(draws.choice((3, 4, 5, 6, 8)))]
    cycles = {
        "up": list(range(voices)),
        "fall": list(range(voices - 1, -1, -1)),
        "wave": wave,
        "broken": [0, voices - 1, voices // 2, voices - 1],
        "pendulum": [0, *[i for i in range(1, voices) for i in (i, voices - 1)]][: 2 * voices - 1],
        "free": free,
    }
    cycle = cycles[kind]
    again = draws.chance(0.6)  # begin anew with every part of the bar
    steps, into = [], 0
    starts = _starts(metre)
    for place in range(count):
        if again and place * unit in starts:
            into = 0
        steps.append(cycle[into % len(cycle)])
        into += 1
    return BrokenChord(
        unit, tuple(steps), tuple(_rank(draws, metre, place * unit) for place in range(count))
    )


def _starts(metre: Metre) -> set[int]:
    found, tick = set(), 0
    for ticks in groups(metre):
        found.add(tick)
        tick += ticks
    return found


def _rank(draws: Draws, metre: Metre, tick: int) -> float:
    if tick == 0:
        return 0.0
    if tick in _starts(metre):
        base = 0.12
    elif tick % TICKS_PER_QUARTER == 0:
        base = 0.3
    else:
        base = 0.42 if tick % 12 == 0 else 0.62
    return base + draws.between(-0.1, 0.14)


def play(
    piece: Piece,
    layer: Layer,
    bars: Sequence[Bar],
    shape: BrokenChord,
    voices: dict[int, Voices],
    draws: Draws,
    *,
    ringing: int = 0,
    offset: float = 0.2,
    resting: float = 0.4,
) -> None:
    """A figure over the bars, fuller where the level is higher by `offset`. Each note is held to
    the next, or `ringing` ticks, but never into another chord. `resting` of the phrases come to
    rest in the middle of their last bar."""
    for bar in bars:
        if piece.plan.is_close(bar):
            continue
        level = bar.level + offset
        places = [i for i, rank in enumerate(shape.ranks) if rank <= level]
        if bar.closes and draws.chance(resting):
            places = [i for i in places if i * shape.unit <= piece.plan.metre.half]
        for place, following in pairwise([*places, len(shape.steps)]):
            tick = bar.start + place * shape.unit
            span = piece.plan.span_at(tick)
            chord = voices[span.start]
            if not chord:
                continue
            pitch = chord[min(shape.steps[place], len(chord) - 1)]
            ticks = max((following - place) * shape.unit, ringing)
            ticks = min(ticks, span.end - tick, 96)
            loud = piece.loud(tick, layer.base, draws)
            piece.add(layer.part, tick, ticks, pitch, loud, loose=True)


def last_chord(
    piece: Piece,
    layer: Layer,
    voices: dict[int, Voices],
    draws: Draws,
    late: int,
    most: int = 4,
) -> None:
    """The close: the chord from its lowest note up, `late` ticks apart, held to the end."""
    last = piece.plan.last
    chord = voices[last.start][:most]
    late = min(late, piece.plan.metre.ticks // (2 * max(1, len(chord))) // 6 * 6)
    for number, pitch in enumerate(chord):
        tick = last.start + number * late
        piece.add(layer.part, tick, last.end - tick, pitch, piece.loud(tick, layer.base - 6, draws))


def strike(
    piece: Piece,
    layer: Layer,
    bars: Sequence[Bar],
    rhythms: Sequence[Sequence[tuple[int, int]]],
    voices: dict[int, Voices],
    draws: Draws,
) -> None:
    """Chords in a rhythm of (place, ticks) by bar; in quiet bars only the first of them."""
    for bar in bars:
        if piece.plan.is_close(bar):
            continue
        rhythm = rhythms[bar.place % len(rhythms)]
        late = piece.plan.metre.ticks - 12
        for number, (place, ticks) in enumerate(rhythm):
            if number and draws.uniform() > 0.35 + 0.8 * bar.level:
                continue
            tick = bar.start + place
            # What comes just before a bar line belongs to the chord after it.
            span = piece.plan.span_at(tick + 12 if place >= late else tick)
            held = min(ticks, span.end - tick)
            chord = voices[span.start]
            thin = number and len(chord) > 2 and draws.chance(0.3)
            for pitch in chord[1:] if thin else chord:
                piece.add(layer.part, tick, held, pitch, piece.loud(tick, layer.base, draws))


def bass(
    piece: Piece,
    layer: Layer,
    spans: Sequence[Span],
    draws: Draws,
    *,
    kind: str = "long",
    pickups: float = 0.0,
) -> None:
    """The bass of the plan. `kind`: "long" notes, "pulse" of the parts of the bar, "fifths" that
    answer the root; `pickups` of the chords are led to by a step."""
    plan = piece.plan
    if kind == "long":
        spans = _held(spans)
    for number, span in enumerate(spans):
        following = spans[number + 1].bass if number + 1 < len(spans) else span.bass
        if span.end == plan.end:
            _bass_note(piece, layer, span.start, span.ticks, span.bass, draws)
            continue
        for tick, ticks, pitch in _bass_rhythm(piece, span, kind, draws):
            lead = tick + ticks == span.end and ticks >= 48 and draws.chance(pickups)
            step = _approach(pitch, following, span) if lead else None
            cut = draws.choice((12, 24)) if step is not None else 0
            _bass_note(piece, layer, tick, ticks - cut, pitch, draws)
            if step is not None:
                _bass_note(piece, layer, span.end - cut, cut, step, draws)


def _held(spans: Sequence[Span]) -> list[Span]:
    """Chords over one bass joined, as long as a note may last; the last one stands alone."""
    found: list[Span] = []
    for number, span in enumerate(spans):
        before = found[-1] if found else None
        joins = before is not None and before.bass == span.bass and before.end == span.start
        if joins and before and span.end - before.start <= LONGEST and number < len(spans) - 1:
            found[-1] = replace(before, ticks=before.ticks + span.ticks)
        else:
            found.append(span)
    return found


def _bass_rhythm(piece: Piece, span: Span, kind: str, draws: Draws) -> list[tuple[int, int, int]]:
    metre = piece.plan.metre
    level = piece.plan.bar_at(span.start).level
    if kind == "long" and span.ticks <= LONGEST:
        return [(span.start, span.ticks, span.bass)]
    if kind == "long" or span.ticks <= metre.half or level < 0.2:
        longest = max(metre.ticks, min(LONGEST // metre.ticks, 2) * metre.ticks)
        return [
            (tick, min(longest, span.end - tick), span.bass)
            for tick in range(span.start, span.end, longest)
        ]
    found = []
    for start in range(span.start, span.end, metre.ticks):
        second = start + metre.half
        if second >= span.end:
            found.append((start, span.end - start, span.bass))
            continue
        until = min(start + metre.ticks, span.end)
        answer = span.bass
        if kind == "fifths" and draws.chance(0.75):
            answer = _fifth(span)
        found += [(start, metre.half, span.bass), (second, until - second, answer)]
    return found


def _fifth(span: Span) -> int:
    """Another note of the chord, a fourth to an octave away."""
    for step in (-5, 7, -4, 8, 6, 12):
        pitch = span.bass + step
        if pitch % 12 in span.chord.tones and 33 <= pitch <= 52:
            return pitch
    return span.bass


def _approach(pitch: int, following: int, span: Span) -> int | None:
    """A step of the scale beside the bass to come, on the side one comes from."""
    if abs(following - pitch) < 3:
        return None
    way = -1 if following > pitch else 1
    for size in (2, 1):
        found = following + way * size
        if found % 12 in span.chord.scale and found != pitch:
            return found
    return None


def _bass_note(piece: Piece, layer: Layer, tick: int, ticks: int, pitch: int, draws: Draws) -> None:
    piece.add(layer.part, tick, ticks, pitch, piece.loud(tick, layer.base, draws))
