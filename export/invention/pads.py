"""Held chords whose voices come, stay, lean and go one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from export.invention.course import Span
from export.invention.draws import Draws
from export.invention.piece import Piece
from export.invention.textures import LONGEST, Layer, voiced
from export.invention.voicing import Voices


@dataclass(frozen=True)
class Breath:
    """How a pad moves. Voices enter `stagger` ticks apart; `early` of the chords end before the
    next comes; in `tied` of them the notes stay that were there; in `leaning` of those that last
    for two bars a voice comes to its note from the one above."""

    stagger: int = 0
    early: float = 0.0
    tied: float = 0.5
    leaning: float = 0.0


def pad(piece: Piece, layer: Layer, spans: Sequence[Span], draws: Draws, breath: Breath) -> None:
    held = _Held(piece, layer, draws)
    voices = voiced(spans, layer, draws)
    for span in spans:
        held.leave(span, voices[span.start] if draws.chance(breath.tied) else ())
        held.enter(span, voices[span.start], breath)
        # Short chords would sound chopped.
        early = breath.early * (1.0 if span.ticks > piece.plan.metre.ticks else 0.35)
        if span is not piece.plan.last and draws.chance(early):
            gap = draws.choice((12, 24, 24, 48))
            held.leave_at(max(span.start + span.ticks // 2, span.end - gap))
    if spans:
        held.leave_at(spans[-1].end)


class _Held:
    """The notes of a pad that sound: since when, and how loud."""

    def __init__(self, piece: Piece, layer: Layer, draws: Draws) -> None:
        self._piece, self._layer, self._draws = piece, layer, draws
        self._notes: dict[int, tuple[int, float]] = {}

    def leave(self, span: Span, staying: Voices) -> None:
        """End what the chord does not have, and what would be held for too long."""
        for pitch, (since, _) in list(self._notes.items()):
            if pitch not in staying or span.end - since > LONGEST:
                self._end(pitch, span.start)

    def leave_at(self, tick: int) -> None:
        for pitch in list(self._notes):
            self._end(pitch, tick)

    def enter(self, span: Span, voices: Voices, breath: Breath) -> None:
        room = span.ticks // 2 // max(1, len(voices)) // 12 * 12
        late = min(breath.stagger, room)
        is_long = span.ticks >= 2 * self._piece.plan.metre.ticks
        is_last = span is self._piece.plan.last
        leans = is_long and not is_last and self._draws.chance(breath.leaning)
        above = _above(span, voices, self._draws) if leans else None
        upward = self._draws.chance(0.7)
        for number, pitch in enumerate(voices if upward else voices[::-1]):
            tick = span.start + number * late
            loud = self._piece.loud(tick, self._layer.base, self._draws)
            if above is not None and pitch == above[0] and pitch not in self._notes:
                half = span.start + span.ticks // 2
                self._piece.add(self._layer.part, tick, half - tick, above[1], loud + 2)
                tick = half
            self._notes.setdefault(pitch, (tick, loud))

    def _end(self, pitch: int, tick: int) -> None:
        since, loud = self._notes.pop(pitch)
        self._piece.add(self._layer.part, since, min(tick - since, LONGEST), pitch, loud)


def _above(span: Span, voices: Voices, draws: Draws) -> tuple[int, int] | None:
    """A voice and the note of the scale a step above it, if that is nobody's and rubs against
    none."""
    found = []
    for pitch in voices:
        others = {other % 12 for other in voices if other != pitch}
        for high in (pitch + 2, pitch + 1):
            rubs = bool(others & {(high - 1) % 12, high % 12, (high + 1) % 12})
            if high % 12 in span.chord.scale and not rubs:
                found.append((pitch, high))
    return draws.choice(found) if found else None
