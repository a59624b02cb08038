"""How well a model follows each control: the figures that a bundle may carry.

0 is chance and 1 at best. Of a number it is the correlation of what was asked with what was heard;
of chords the share of the sounding time that lies in the chord asked for, less what lies in the
other chords of the same progression.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common.errors import ConfigError
from common.files import REPORT, read_bytes
from engine.controls.controls import CONTROL, Controls
from engine.music.bars import Bar
from engine.music.fields import FIRST_CHORD, PITCH_CLASSES
from engine.music.harmony import CHORD_SHIFT, CHORD_TONES
from engine.music.measures import Floats, Ints
from engine.music.score import DRUMS
from engine.music.tonality import listen
from engine.network.runtime import Network
from engine.representations.limits import progression_of
from export.evaluation.composing import Progress, bounds_of, compose, score_of
from export.evaluation.obedience import Obedience

PROGRESSIONS = ("I vi IV V", "ii V iii vi")


def chord_settings(ground: Sequence[Controls]) -> list[Controls]:
    """The progressions that are asked for, a chord a bar, each on every ground."""
    return [
        controls.with_values({"chords": chords, "bars_per_chord": 1})
        for controls in ground
        for chords in PROGRESSIONS
    ]


def followed_chords(
    network: Network,
    settings: Sequence[Controls],
    bars: int,
    seed: int,
    progress: Progress = lambda bars: None,
) -> float | None:
    """How far the notes of these streams keep to the progressions that they were asked for."""
    music = compose(network, settings, bars, seed, progress)
    pairs = [
        chord_shares(stream, sounding_progression(controls))
        for controls, stream in zip(settings, music, strict=True)
    ]
    inside, others, total = np.sum(pairs, axis=0)
    if not total or others >= total:
        return None
    return float((inside - others) / (total - others))


def sounding_progression(controls: Controls) -> tuple[int, ...]:
    """The chord ids of a progression as it sounds."""
    up = CHORD_SHIFT[(controls.key.shift + controls.transpose) % PITCH_CLASSES]
    return tuple(int(up[chord]) for chord in progression_of(controls))


def chord_shares(bars: Sequence[Bar], progression: Sequence[int]) -> tuple[float, float, float]:
    """Of bars under a progression, a chord a bar: the ticks inside the chord of each bar, those
    inside the others of the progression in the mean, and all."""
    chroma = _chroma(bars)
    tones = CHORD_TONES[np.array(progression)].astype(np.float64)
    assert min(progression) >= FIRST_CHORD, "chords that are asked for have tones"
    shares = chroma @ tones.T  # [bars, chords]
    own: Ints = np.arange(len(bars)) % len(progression)
    inside = shares[np.arange(len(bars)), own]
    others = (shares.sum(axis=1) - inside) / (len(progression) - 1)
    return float(inside.sum()), float(others.sum()), float(chroma.sum())


def _chroma(bars: Sequence[Bar]) -> Floats:
    notes = score_of(bars).notes
    notes = notes[notes["part"] != DRUMS]
    onset = notes["onset"].astype(np.int64)
    stop = onset + notes["duration"]
    return listen(onset, stop, notes["pitch"].astype(np.int64), bounds_of(bars)).chroma


def follows(rows: Sequence[Obedience], chords: float | None) -> dict[str, float]:
    """The figures by control, as a specification has them."""
    found = {row.control: row.pearson for row in rows if row.control in CONTROL}
    found |= {"chords": chords, "bars_per_chord": chords}
    return {name: round(figure, 3) for name, figure in found.items() if figure is not None}


def read_follows(path: Path) -> dict[str, float]:
    """The figures of a report that `perpetuo evaluate --json` has printed; ConfigError if there
    are none."""
    try:
        found = json.loads(read_bytes(path, REPORT))["follows"].items()
        figures = {str(name): float(figure) for name, figure in found}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path} holds no figures of what a model follows: name what 'perpetuo evaluate --json'"
            " has printed"
        ) from error
    return figures
