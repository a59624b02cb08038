"""What is made of a bar's notes once it is composed: how they sound, what the guards hear."""

from __future__ import annotations

from array import array
from zlib import crc32

from engine.guards import BarSummary
from engine.plan import BarPlan
from engine.score import DRUMS, TIED_FROM, Note
from engine.time import TICKS_PER_QUARTER


def sounding(notes: tuple[Note, ...], shift: int, shift_before: int) -> tuple[Note, ...]:
    """The composed notes moved to where they sound, `shift` semitones away.

    What is tied from a bar that sounded elsewhere is struck anew: its old pitch ends there.
    """
    kept = ~0 if shift == shift_before else ~TIED_FROM
    return tuple(
        note
        if note.part == DRUMS
        else note._replace(pitch=_folded(note.pitch + shift), tie=note.tie & kept)
        for note in notes
    )


def _folded(pitch: int) -> int:
    """A MIDI pitch, moved by octaves into the range."""
    while pitch < 0:
        pitch += 12
    while pitch > 127:
        pitch -= 12
    return pitch


def summary_of(
    notes: tuple[Note, ...], span: tuple[int, int], plan: BarPlan, surprise: float, silence: int
) -> BarSummary:
    """What the guards want to know of a bar that lasted from tick to tick; `silence` counts the
    ticks of silence beyond what is allowed."""
    start, end = span
    melodic = [note.pitch for note in notes if note.part != DRUMS]
    values = [v for n in notes for v in (n.onset - start, n.duration, n.pitch, n.part)]
    return BarSummary(
        crc32(array("q", values).tobytes()) if notes else 0,
        surprise,
        (
            len(notes) * TICKS_PER_QUARTER / (end - start),
            sum(melodic) / len(melodic) if melodic else None,
            sum(note.velocity for note in notes) / len(notes) if notes else None,
        ),
        (plan.density, plan.register, plan.dynamics),
        plan.echo,
        max(0, silence),
    )
