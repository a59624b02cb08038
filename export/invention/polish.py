"""What is mended when all parts are written: notes at one pitch, parallels of loose figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from engine.music.score import DRUMS
from export.invention.voicing import is_parallel

_LEAST = 3  # ticks that a note keeps when another comes where it sounds


@dataclass(slots=True)
class Written:
    """A note; one that is `loose` belongs to a figure that does not miss it. The lower its `rank`
    the more its part matters."""

    onset: int
    ticks: int
    pitch: int
    velocity: int
    part: int
    rank: int
    loose: bool


def without_unisons(notes: Sequence[Written]) -> list[Written]:
    """One note of a pitch at a time: one that sounds ends where the next begins; of those that
    begin together the part of the lower rank has it; a loose one never cuts a part that matters
    more."""
    by_pitch: dict[tuple[bool, int], list[Written]] = defaultdict(list)
    for note in notes:
        by_pitch[note.part == DRUMS, note.pitch].append(note)
    kept: list[Written] = []
    for same in by_pitch.values():
        kept += _one_at_a_time(sorted(same, key=lambda n: (n.onset, n.rank, -n.ticks)))
    return kept


def _one_at_a_time(notes: Sequence[Written]) -> list[Written]:
    line: list[Written] = []
    for note in notes:
        if line and note.onset < line[-1].onset + line[-1].ticks:
            room = note.onset - line[-1].onset
            if room < _LEAST:
                continue
            if note.loose and line[-1].rank < note.rank:
                continue
            # A held note of which little would be left leaves the pitch to the other part.
            if room < line[-1].ticks / 2 and line[-1].part != note.part:
                line.pop()
            else:
                line[-1].ticks = room
        line.append(note)
    return line


def without_parallels(notes: Sequence[Written]) -> list[Written]:
    """Loose notes are left out that would go with another part from one fifth or octave to
    the next."""
    kept = [note for note in notes if note.part == DRUMS]
    tuned = sorted((n for n in notes if n.part != DRUMS), key=lambda n: (n.onset, n.rank))
    before: dict[int, int] = {}
    for _, together in groupby(tuned, key=lambda note: note.onset):
        parts = [list(own) for _, own in groupby(together, key=lambda note: note.rank)]
        now: dict[int, int] = {}
        for struck in sorted(parts, key=_is_loose):
            part, top = struck[0].part, max(note.pitch for note in struck)
            if not (_is_loose(struck) and _is_led(part, top, now, before)):
                now[part] = top
                kept += struck
        before |= now
    return kept


def _is_loose(notes: Sequence[Written]) -> bool:
    return all(note.loose for note in notes)


def _is_led(part: int, pitch: int, now: Mapping[int, int], before: Mapping[int, int]) -> bool:
    """Whether the part would move in parallels with one that has its note already."""
    return part in before and any(
        is_parallel(before[other], now[other], before[part], pitch)
        for other in now
        if other in before
    )
