"""What is made of a bar's notes once it is composed: how they sound, what the guards hear."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from zlib import crc32

from engine.music.fields import ATTRIBUTES
from engine.music.plan import BarPlan
from engine.music.score import DRUMS, TIED_FROM, Note, folded
from engine.music.time import TICKS_PER_QUARTER
from engine.planning.guards import WATCHED_PLACES, BarSummary


def sounding(notes: tuple[Note, ...], shift: int, shift_before: int) -> tuple[Note, ...]:
    """The composed notes moved to where they sound, `shift` semitones away.

    What is tied from a bar that sounded elsewhere is struck anew: its old pitch ends there.
    """
    kept = ~0 if shift == shift_before else ~TIED_FROM
    return tuple(
        note
        if note.part == DRUMS
        else note._replace(pitch=folded(note.pitch + shift), tie=note.tie & kept)
        for note in notes
    )


def heard_values(
    notes: tuple[Note, ...], span: tuple[int, int], carried: Sequence[int]
) -> tuple[float | None, ...]:
    """The attributes of a bar that lasted from tick to tick, in the order of ATTRIBUTES, None
    where no note tells; `carried` are the ends of notes that sound into it. Articulation is not
    worked out: it is seen to where notes are played."""
    start, end = span
    melodic = [note for note in notes if note.part != DRUMS]
    spans = [(start, min(tick, end)) for tick in carried if tick > start]
    spans += [(note.onset, min(note.onset + note.duration, end)) for note in melodic]
    values = {
        "density": len(notes) * TICKS_PER_QUARTER / (end - start),
        "register": sum(note.pitch for note in melodic) / len(melodic) if melodic else None,
        "polyphony": _voices(spans),
        "dynamics": sum(note.velocity for note in notes) / len(notes) if notes else None,
        "articulation": None,
    }
    return tuple(values[attribute.name] for attribute in ATTRIBUTES)


def _voices(spans: list[tuple[int, int]]) -> float | None:
    """How many sound together in the mean, over the time when anything does."""
    total = covered = 0
    reach = -1
    for first, last in sorted(spans):
        total += last - first
        covered += max(0, last - max(first, reach))
        reach = max(reach, last)
    return total / covered if covered else None


def summary_of(
    notes: tuple[Note, ...],
    span: tuple[int, int],
    values: tuple[float | None, ...],
    wanted: tuple[float, ...],
    plan: BarPlan,
    surprise: float,
    silence: int,
    *,
    copied: bool,
) -> BarSummary:
    """What the guards want to know of a bar that lasted from tick to tick: `values` as heard and
    buckets as `wanted`, both in the order of ATTRIBUTES; `silence` counts the ticks of silence
    beyond what is allowed; `copied`: every note is one of the echoed bar's."""
    start, end = span
    shape = [v for n in notes for v in (n.onset - start, n.duration, n.pitch, n.part)]
    return BarSummary(
        crc32(array("q", shape).tobytes()) if notes else 0,
        surprise,
        tuple(values[place] for place in WATCHED_PLACES),
        tuple(wanted[place] for place in WATCHED_PLACES),
        plan.echo,
        max(0, silence),
        tuple(note.onset - start for note in notes if not note.tie & TIED_FROM),
        end - start,
        copied,
    )
