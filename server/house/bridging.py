"""Bars on the wire bridged by `engine.composing.fallback`."""

from __future__ import annotations

from collections.abc import Sequence

from engine.composing.fallback import FallbackNote, PastBar, fallback
from engine.music.time import Metre
from server.base.wire import WireBar, WireNote


def bridged(before: Sequence[WireBar]) -> WireBar:
    """The bar after these (at least one, oldest first, as heard), marked as late."""
    place, notes = fallback([_past(bar) for bar in before])
    last, source = before[-1], before[place]
    return WireBar(
        index=last.index + 1,
        revision=0,
        tick=last.tick + last.ticks,
        ticks=last.ticks,
        metre=last.metre,
        tempo=last.tempo,
        key=last.key,
        chords=source.chords,
        section=last.section,
        echo=source.index,
        programs=last.programs,
        notes=tuple(
            WireNote(n.part + 1, n.pitch, n.velocity, n.onset, n.duration, n.shift, 0)
            for n in notes
        ),
        late=True,
        controllers=last.controllers,
    )


def _past(bar: WireBar) -> PastBar:
    notes = tuple(
        FallbackNote(n.tick, n.length, n.pitch, n.velocity, n.part - 1, n.shift) for n in bar.notes
    )
    return PastBar(bar.index, Metre.parse(bar.metre), notes, (bar.key, bar.programs), bar.late)
