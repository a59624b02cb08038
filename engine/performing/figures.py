"""What was measured of players, as the rendering reads it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlayerFigures:
    """Tempos are natural logarithms of how much longer a quarter lasts than around it, loudness is
    a share of the mean velocity, times are in milliseconds.

    By place in a phrase of eight bars: `phrase_tempo`, `phrase_loudness`; `phrase_depth` are the
    deciles, first to ninth, of how many times as far single phrases go in tempo. By bars to the
    close, as `BarPlan.ending` counts them: `close_tempo`, and `close_slope`, how much longer the
    second half of the bar lasts than its first. By role: `voice_loudness`. By sixteenth of a 4/4
    bar: `drum_places`, how late strokes are. `together_spread` lies between what is struck
    together, `drift_spread` is how far strokes are from their place, and `drift_memory` how much of
    it is alike from one sixteenth to the next. `pedal_delay` is in ticks: from a change of harmony,
    at which the pedal comes up, until it is down again; `pedal_rests` is how often a harmony has no
    pedal, by `engine.performing.texture`.
    """

    phrase_tempo: tuple[float, ...]
    phrase_depth: tuple[float, ...]
    phrase_loudness: tuple[float, ...]
    close_tempo: tuple[float, ...]
    close_slope: tuple[float, ...]
    voice_loudness: tuple[float, ...]
    drum_places: tuple[float, ...]
    together_spread: float
    drift_spread: float
    drift_memory: float
    pedal_delay: float
    pedal_rests: tuple[float, ...]
