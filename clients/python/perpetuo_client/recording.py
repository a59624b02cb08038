"""Bars kept for a MIDI file: tempo map, metres, programs, one track and channel a part."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from perpetuo_client import smf
from perpetuo_client.bars import DRUMS, TICKS_PER_QUARTER, Bar
from perpetuo_client.controllers import TurnedControllers
from perpetuo_client.scheduler import channel_of

_PER_TICK = smf.DIVISION // TICKS_PER_QUARTER


class Recording:
    """Collects the bars as they are heard; a bar that is heard again stands in the file once.

    The file begins with the first bar. Where bars are missing it keeps their room if the stream
    is still the same; a stream that began anew follows at once.
    """

    def __init__(self) -> None:
        self._bars: dict[tuple[int, int], Bar] = {}

    def add(self, bar: Bar) -> None:
        self._bars[bar.epoch, bar.index] = bar

    def __len__(self) -> int:
        return len(self._bars)

    @property
    def length(self) -> int:
        """Microseconds of music."""
        return sum(bar.length for bar in self._bars.values())

    def to_midi(self) -> bytes:
        placed = list(self._placed())
        notes = _joined(placed)
        parts = sorted({part for part, *_ in notes})
        tracks = [_conductor(placed)]
        for part in parts:
            label = "drums" if part == DRUMS else f"part {part}"
            events = [smf.name(label), *_programs(placed, part), *_controllers(placed, part)]
            for of, start, end, pitch, velocity in notes:
                if of == part:
                    events += smf.note(start, end, channel_of(part), pitch, velocity)
            events += _pedals(placed, part)
            tracks.append(events)
        return smf.midi_file(tracks)

    def _placed(self) -> Iterator[tuple[int, Bar]]:
        """Each bar with its place in the file, in stream ticks."""
        end, origin, epoch = 0, 0, -1
        for _, bar in sorted(self._bars.items()):
            if bar.epoch != epoch or bar.tick + origin < end:
                epoch, origin = bar.epoch, end - bar.tick
            yield bar.tick + origin, bar
            end = bar.tick + origin + bar.ticks


# part, start, end, pitch, velocity; file ticks
_FileNote = tuple[int, int, int, int, int]


def _joined(placed: list[tuple[int, Bar]]) -> list[_FileNote]:
    """All notes, those that go on over bar lines in one, each pitch of a part once at a time."""
    notes: list[list[int]] = []
    held: dict[tuple[int, int], list[int]] = {}
    reaches = 0
    for place, bar in placed:
        held, before = {}, held if place == reaches else {}
        for note in bar.notes:
            row = before.get((note.part, note.pitch)) if note.goes_on_from_before else None
            start = place + note.tick
            if row is None:
                moved = start * _PER_TICK + round(note.shift * smf.DIVISION / bar.tempo)
                row = [note.part, max(moved, 0), 0, note.pitch, note.velocity]
                notes.append(row)
                shift = row[1] - start * _PER_TICK
            else:
                shift = 0
            row[2] = max((start + note.length) * _PER_TICK + shift, row[1] + 1)
            if note.goes_on:
                row[2] = max((place + bar.ticks) * _PER_TICK, row[1] + 1)
                held[note.part, note.pitch] = row
        reaches = place + bar.ticks
    notes.sort(key=lambda row: (row[0], row[3], row[1]))
    for row, follows in pairwise(notes):
        if (row[0], row[3]) == (follows[0], follows[3]):
            row[2] = min(row[2], follows[1])
    return [(a, b, c, d, e) for a, b, c, d, e in notes if c > b]


def _conductor(placed: list[tuple[int, Bar]]) -> list[smf.Event]:
    events, metre, tempo = [], "", 0
    for place, bar in placed:
        if bar.metre != metre:
            events.append(smf.metre(place * _PER_TICK, bar.metre))
        if bar.tempo != tempo:
            events.append(smf.tempo(place * _PER_TICK, bar.tempo))
        metre, tempo = bar.metre, bar.tempo
    return events


def _pedals(placed: list[tuple[int, Bar]], part: int) -> Iterator[smf.Event]:
    for place, bar in placed:
        for pedal in bar.pedals:
            if pedal.part == part:
                down = (place + pedal.tick) * _PER_TICK
                yield from smf.sustain(down, down + pedal.length * _PER_TICK, channel_of(part))


def _controllers(placed: list[tuple[int, Bar]], part: int) -> Iterator[smf.Event]:
    """At the beginning and wherever they change."""
    turned = TurnedControllers()
    for place, bar in placed:
        for _, number, value in turned.changes(c for c in bar.controllers if c.part == part):
            yield smf.controller(place * _PER_TICK, channel_of(part), number, value)


def _programs(placed: list[tuple[int, Bar]], part: int) -> Iterator[smf.Event]:
    """At the beginning and wherever the part changes its instrument."""
    known = -1
    for place, bar in placed:
        program = bar.programs[part - 1]
        if program != known:
            yield smf.program(place * _PER_TICK, channel_of(part), program)
        known = program
