"""Whether a mode that is asked for is heard: its tonic in the bass where phrases close, and more
often than any other bass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.composing.composer import Composer
from engine.controls.controls import Controls
from engine.music.harmony import TONIC_NAMES
from engine.network.runtime import Network
from export.evaluation.against.closes import Closes, ScoreHarmony
from export.evaluation.against.phrases import closes, planned_ends
from export.evaluation.composing import score_of, streams_of

MODES = ("D dorian", "E phrygian", "F lydian", "G mixolydian")
FORM = "phrases"


@dataclass(frozen=True, slots=True)
class Mode:
    """`sections` and `phrases` are the shares of the last bars of sections, and of phrases that
    close on the tonic, whose bass is the asked one; `tonic` is its share of the basses of all half
    bars, `bass` the commonest of these."""

    key: str
    streams: int
    sections: float | None
    phrases: float | None
    tonic: float
    bass: str


def modes(
    network: Network,
    seeds: Sequence[int],
    bars: int,
    progress: Callable[[int], object] = lambda bars: None,
) -> list[Mode]:
    """Each mode from each seed over so many bars, all else as the controls begin."""
    if not seeds:
        return []
    return [_mode(network, key, seeds, bars, progress) for key in MODES]


def _mode(
    network: Network,
    key: str,
    seeds: Sequence[int],
    bars: int,
    progress: Callable[[int], object],
) -> Mode:
    controls = Controls().with_values({"key": key, "form": FORM})
    tonic = controls.key.tonic
    pool = network.pool(len(seeds))
    composers = [Composer(network, pool, seed, 0, controls) for seed in seeds]
    sections = phrases = Closes()
    basses = np.zeros(12, np.int64)
    for composer, stream in zip(composers, streams_of(composers, bars, progress), strict=True):
        harmony = ScoreHarmony(score_of(stream))
        ends = planned_ends(composer.setting.form, harmony.bars, composer.seed)
        sections += closes(harmony, [end.bar for end in ends if end.section], tonic)
        phrases += closes(harmony, [end.bar for end in ends if end.on_tonic], tonic)
        basses += np.bincount(harmony.basses(), minlength=12)
    return Mode(
        key,
        len(seeds),
        sections.share("ours"),
        phrases.share("ours"),
        float(basses[tonic] / max(basses.sum(), 1)),
        TONIC_NAMES[int(basses.argmax())],
    )
