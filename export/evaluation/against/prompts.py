"""Whether music goes on from a prompt: beginnings of real pieces, composed on, beside what truly
followed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.composing.composer import Composer
from engine.composing.primer import primer_of
from engine.controls.controls import Controls
from engine.music.analysis import bar_bounds
from engine.music.measures import Ints
from engine.music.score import DRUMS, Score, bar_grid
from engine.network.runtime import Network
from export.evaluation.composing import score_of, streams_of

BARS, AFTER = 8, 16  # of the prompt, and of what follows
LEAST_NOTES = 24  # of a prompt
MOTIF = 3  # intervals in a row, with the gaps between their notes
ROWS = 16  # streams that are composed together
FAINT = 64  # the velocity of notes that have none


@dataclass(frozen=True, slots=True)
class Continuation:
    """What follows, against its prompt: `motifs` the share of the top line's motifs that the
    prompt has too, `register` how many semitones it lies elsewhere, `density` by how many octaves
    it is denser or thinner, `parts` the share of parts that are in both. Means over the prompts."""

    motifs: float
    register: float
    density: float
    parts: float


@dataclass(frozen=True, slots=True)
class Prompted:
    """So many prompts composed on, beside the true continuations."""

    prompts: int
    composed: Continuation
    true: Continuation


def prompted(
    network: Network,
    scores: Sequence[Score],
    prompts: int,
    seed: int,
    progress: Callable[[int], object] = lambda bars: None,
) -> Prompted | None:
    """The first of the pieces that are long enough; None: there is none."""
    found = [cut for score in scores if (cut := _cut(score)) is not None][:prompts]
    if not found:
        return None
    composed = _composed(network, [prompt for prompt, _ in found], seed, progress)
    ours = [_follows(p, after) for (p, _), after in zip(found, composed, strict=True)]
    theirs = [_follows(prompt, after) for prompt, after in found]
    return Prompted(len(found), _mean(ours), _mean(theirs))


def _cut(score: Score) -> tuple[Score, Score] | None:
    """The prompt and what truly follows; None if there is too little of either."""
    bounds = bar_bounds(bar_grid(score))
    if len(bounds) <= BARS + AFTER:
        return None
    onset = score.notes["onset"].astype(np.int64)
    first = score.notes[onset < bounds[BARS]].copy()
    after = score.notes[(onset >= bounds[BARS]) & (onset < bounds[BARS + AFTER])]
    if min(len(first), len(after)) < LEAST_NOTES:
        return None
    first["velocity"] = np.where(first["velocity"] > 0, first["velocity"], FAINT)
    return replace(score, notes=first), replace(score, notes=after)


def _composed(
    network: Network, prompts: Sequence[Score], seed: int, progress: Callable[[int], object]
) -> list[Score]:
    scores: list[Score] = []
    for start in range(0, len(prompts), ROWS):
        some = prompts[start : start + ROWS]
        pool = network.pool(len(some))
        composers = []
        for number, prompt in enumerate(some):
            primer, suggested = primer_of(prompt, network.specification)
            controls = Controls().with_values(suggested)
            composers.append(Composer(network, pool, seed, start + number, controls, primer))
        scores += map(score_of, streams_of(composers, AFTER, progress))
    return scores


def _follows(prompt: Score, after: Score) -> Continuation:
    before, then = _melodic(prompt), _melodic(after)
    motifs = _motifs(after)
    known = motifs & _motifs(prompt)
    parts, kept = set(prompt.parts), set(after.parts)
    return Continuation(
        motifs=len(known) / len(motifs) if motifs else 0.0,
        register=abs(float(then.mean() - before.mean())) if len(then) and len(before) else 0.0,
        density=abs(float(np.log2(max(_density(after, AFTER), 1e-3) / _density(prompt, BARS)))),
        parts=len(parts & kept) / len(parts | kept),
    )


def _melodic(score: Score) -> Ints:
    found: Ints = score.notes["pitch"][score.notes["part"] != DRUMS].astype(np.int64)
    return found


def _density(score: Score, bars: int) -> float:
    return len(score.notes) / bars


def _motifs(score: Score) -> set[tuple[int, ...]]:
    """Of the highest notes: intervals in a row and the gaps between them."""
    notes = score.notes[score.notes["part"] != DRUMS]
    order = np.lexsort((notes["pitch"], notes["onset"]))
    onset = notes["onset"][order].astype(np.int64)
    pitch = notes["pitch"][order].astype(np.int64)
    last = np.append(np.diff(onset) != 0, True)  # the highest of those that begin together
    steps, gaps = np.diff(pitch[last]), np.diff(onset[last])
    rows = range(len(steps) - MOTIF + 1)
    return {(*steps[i : i + MOTIF].tolist(), *gaps[i : i + MOTIF].tolist()) for i in rows}


def _mean(found: Sequence[Continuation]) -> Continuation:
    return Continuation(
        *(
            float(np.mean([getattr(one, name) for one in found]))
            for name in ("motifs", "register", "density", "parts")
        )
    )
