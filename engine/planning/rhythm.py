"""Watches whether a stream's onsets come in ever more even steps, and which step is worn out.

A network that has played quavers alone for a while expects nothing else. What is watched is the
entropy of the latest gaps between onsets; the reference is what the stream itself had before.
Pure and of constant size, like the other guards (`engine.planning.guards`), whose state holds this
one."""

from __future__ import annotations

from itertools import pairwise
from math import log2
from typing import NamedTuple

FADE = 15 / 16  # of the weight of what was heard, by bar
KEPT = 8  # different gaps that are remembered
FORGOTTEN = 2.0**-20  # a weight below is none: it would fade to nothing within 12,000 bars
WARM_UP = 24  # bars before anything is compared
_RISE, _FALL = 1 / 128, 1 / 8192  # shares of a bar in the reference: it is slow to forget
EVEN, VARIED = 0.6, 0.75  # shares of the reference at which the guard wakes, and lets go
NO_RHYTHM = 0.25  # bits: a stream that never had more is meant to be even
FIRMER = 0.5  # log-weight a bar of complete evenness
MOST = 8.0
_SLACK = 0.98
_LOOSE = 0.05  # log-weight: less is none


class RhythmGuard(NamedTuple):
    """What is remembered.

    `waited`: ticks since the last onset, at the bar line. `gaps`: recent gaps in ticks with their
    fading weights, heaviest first. `reference`: bits that are normal here. `firmness`: log-weight
    by which the commonest gap is avoided, 0 while all is well.
    """

    waited: int = 0
    gaps: tuple[tuple[int, float], ...] = ()
    bars: int = 0
    reference: float = 0.0
    firmness: float = 0.0

    @property
    def worn(self) -> int:
        """The commonest gap, in ticks."""
        return self.gaps[0][0] if self.gaps else 0

    @property
    def entropy(self) -> float:
        """Of the recent gaps, in bits."""
        total = sum(weight for _, weight in self.gaps)
        return -sum(weight / total * log2(weight / total) for _, weight in self.gaps) + 0.0

    def retuned(self) -> RhythmGuard:
        """After a performer changed what the music should be: what is normal is found anew."""
        return self._replace(bars=0, reference=0.0, firmness=0.0)


def hear(state: RhythmGuard, onsets: tuple[int, ...], length: int) -> RhythmGuard:
    """The state after a bar of so many ticks with notes that begin at these, counted from its
    bar line, in order."""
    if not onsets:
        return state._replace(waited=state.waited + length)
    faded = ((gap, weight * FADE) for gap, weight in state.gaps)
    weights = {gap: weight for gap, weight in faded if weight >= FORGOTTEN}
    for before, onset in pairwise((-state.waited, *onsets)):
        if onset > before:
            weights[onset - before] = weights.get(onset - before, 0.0) + 1
    heaviest = sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:KEPT]
    heard = state._replace(
        waited=length - onsets[-1], gaps=tuple(heaviest), bars=min(state.bars + 1, WARM_UP + 1)
    )
    return _judged(heard, heard.entropy)


def _judged(state: RhythmGuard, entropy: float) -> RhythmGuard:
    warm = state.bars > WARM_UP
    share = 1 / state.bars if not warm else _RISE if entropy > state.reference else _FALL
    reference = state.reference + share * (entropy - state.reference)
    if not warm:
        return state._replace(reference=reference)
    firmness = state.firmness * _SLACK
    if reference > NO_RHYTHM and entropy < EVEN * reference:
        firmness = min(MOST, state.firmness + FIRMER * (1 - entropy / reference))
    elif entropy > VARIED * reference:
        firmness = max(0.0, state.firmness - FIRMER)
    return state._replace(reference=reference, firmness=firmness if firmness > _LOOSE else 0.0)
