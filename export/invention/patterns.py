"""What goes its own way over the harmony: loops of unequal length, shifting phases, bells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.music.time import TICKS_PER_QUARTER
from export.invention.course import Bar, Span
from export.invention.draws import Draws
from export.invention.piece import Piece
from export.invention.textures import Layer
from export.invention.voicing import Voices

PERIODS = (5, 7, 9, 11, 13, 15, 17)  # beats; no two come back together soon


@dataclass(frozen=True)
class Loop:
    """Notes of (place, ticks, height from 0 to 1) that come back every `period` ticks, in bars
    whose level is at least `threshold`."""

    period: int
    offset: int
    notes: tuple[tuple[int, int, float], ...]
    threshold: float


def loops(draws: Draws, count: int, unit: int = TICKS_PER_QUARTER) -> list[Loop]:
    found = []
    for number, beats in enumerate(draws.several(PERIODS, count)):
        height, place, notes = draws.between(0.15, 0.85), 0, []
        for _ in range(draws.weighted({1: 2.0, 2: 2.0, 3: 1.0})):
            ticks = draws.choice((48, 72, 96, 96, 144))
            notes.append((place, ticks, height))
            place += draws.choice((12, 24, 36, 48, 72))
            height = min(1.0, max(0.0, height + draws.choice((-0.25, -0.12, 0.12, 0.25))))
        offset = draws.whole(0, beats - 1) * unit
        found.append(Loop(beats * unit, offset, tuple(notes), 0.1 + 0.45 * number / count))
    return found


def play_loops(
    piece: Piece, layer: Layer, bars: Sequence[Bar], found: Sequence[Loop], draws: Draws
) -> None:
    """Each note goes to the note of the sounding chord that lies nearest to its height."""
    if not bars:
        return
    first, last = bars[0].start, bars[-1].start + piece.plan.metre.ticks
    for loop in found:
        begun = loop.offset + (first - loop.offset) // loop.period * loop.period
        for start in range(begun, last, loop.period):
            for place, ticks, height in loop.notes:
                tick = start + place
                if first <= tick < min(last, piece.plan.last.start):
                    _loop_note(piece, layer, loop, tick, ticks, height, draws)


def _loop_note(
    piece: Piece, layer: Layer, loop: Loop, tick: int, ticks: int, height: float, draws: Draws
) -> None:
    bar, span = piece.plan.bar_at(tick), piece.plan.span_at(tick)
    if bar.level < loop.threshold or draws.chance(0.08):
        return
    low, high = layer.span
    aim = low + (high - low) * height
    pitch = nearest(span, aim, layer.span)
    held = ticks if _holds(piece, pitch, tick + ticks) else min(ticks, span.end - tick)
    loud = piece.loud(tick, layer.base, draws)
    piece.add(layer.part, tick, held, pitch, loud, loose=True)


def _holds(piece: Piece, pitch: int, until: int) -> bool:
    """Whether the chord then still has room for the pitch."""
    return pitch % 12 in piece.plan.span_at(until - 1).chord.stable


def nearest(span: Span, aim: float, within: tuple[int, int]) -> int:
    low, high = within
    pool = [p for p in range(low, high + 1) if p % 12 in span.chord.tones]
    return min(pool, key=lambda pitch: (abs(pitch - aim), pitch))


def bells(
    piece: Piece, layer: Layer, bars: Sequence[Bar], draws: Draws, *, share: float = 0.4
) -> None:
    """A few high notes, never in three bars in a row, that ring over what follows."""
    row, height = 0, 0.5
    for bar in bars:
        if piece.plan.is_close(bar) or row == 2 or not draws.chance(share * (0.5 + bar.level)):
            row = 0
            continue
        row += 1
        beats = piece.plan.metre.ticks // TICKS_PER_QUARTER
        place = draws.whole(0, max(0, beats - 2)) * TICKS_PER_QUARTER
        for _ in range(draws.weighted({1: 4.0, 2: 3.0, 3: 1.5})):
            tick = bar.start + place
            if place >= piece.plan.metre.ticks:
                break
            span = piece.plan.span_at(tick)
            height = min(1.0, max(0.0, height + draws.between(-0.4, 0.4)))
            low, high = layer.span
            pitch = nearest(span, low + (high - low) * height, layer.span)
            ticks = draws.choice((48, 72, 96))
            if not _holds(piece, pitch, min(tick + ticks, piece.plan.end)):
                ticks = min(ticks, span.end - tick)
            loud = piece.loud(tick, layer.base, draws)
            piece.add(layer.part, tick, ticks, pitch, loud, loose=True)
            place += draws.choice((12, 24, 24, 36, 48))


def drops(
    piece: Piece, layer: Layer, bars: Sequence[Bar], draws: Draws, *, unit: int, share: float
) -> None:
    """Soft short notes that fall like rain: more where the level is higher, no place the same."""
    low, high = layer.span
    height = draws.uniform()
    for bar in bars:
        if piece.plan.is_close(bar):
            continue
        for tick in range(bar.start, bar.start + piece.plan.metre.ticks, unit):
            if not draws.chance(share * (0.25 + bar.level)):
                continue
            height = min(1.0, max(0.0, height + draws.between(-0.35, 0.32)))
            span = piece.plan.span_at(tick)
            pitch = nearest(span, low + (high - low) * height, layer.span)
            loud = piece.loud(tick, layer.base, draws) + draws.between(-6, 6)
            ticks = min(draws.choice((12, 24, 24, 48)), span.end - tick)
            piece.add(layer.part, tick, ticks, pitch, loud, loose=True)


@dataclass(frozen=True)
class Cell:
    """A pattern of `steps` (which note of the chord, None a rest), `unit` ticks apart; `ranks`
    tell from which level on each of them sounds."""

    unit: int
    steps: tuple[int | None, ...]
    ranks: tuple[float, ...]


def cell(draws: Draws, length: int, unit: int, voices: int) -> Cell:
    """Steps that turn about a middle, and an order in which they join one after another."""
    steps: list[int | None] = []
    here = draws.whole(0, voices - 1)
    for _ in range(length):
        here = (here + draws.weighted({1: 3.0, -1: 3.0, 2: 1.5, -2: 1.5, 3: 0.6})) % voices
        steps.append(here)
    for gap in draws.several(range(1, length), draws.whole(1, max(1, length // 4))):
        steps[gap] = None
    order = [0, *sorted(range(1, length), key=lambda _: draws.uniform())]
    ranks = [0.0] * length
    for rank, place in enumerate(order):
        ranks[place] = 0.12 + 0.62 * rank / length if rank else 0.0
    return Cell(unit, tuple(steps), tuple(ranks))


def play_cell(
    piece: Piece,
    layer: Layer,
    bars: Sequence[Bar],
    pattern: Cell,
    voices: dict[int, Voices],
    draws: Draws,
    *,
    shifts: Sequence[int] = (0,),
    hold: int = 4,
    offset: float = 0.0,
) -> None:
    """The cell round and round, `shifts` units late, the next of them every `hold` bars."""
    metre, length = piece.plan.metre, len(pattern.steps)
    for bar in bars:
        if piece.plan.is_close(bar):
            continue
        shift = shifts[(bar.index - bars[0].index) // hold % len(shifts)]
        for place in range(metre.ticks // pattern.unit):
            tick = bar.start + place * pattern.unit
            number = (tick // pattern.unit - shift) % length
            step = pattern.steps[number]
            if step is None or pattern.ranks[number] > bar.level + offset:
                continue
            chord = voices[piece.plan.span_at(tick).start]
            if chord:
                pitch = chord[step % len(chord)]
                loud = piece.loud(tick, layer.base, draws) + 3 * (number == 0)
                piece.add(layer.part, tick, pattern.unit, pitch, loud, loose=True)
