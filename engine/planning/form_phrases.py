"""Phrases that ask and answer, and one long arc."""

from __future__ import annotations

from math import cos, pi

from engine.music.fields import ATTRIBUTE, ENDING_FAR, ENDING_LAST, PHRASE_BARS
from engine.planning.form_song import closeness, source_of
from engine.planning.form_state import (
    FREE_BARS,
    FormBar,
    FormSettings,
    FormState,
    Theme,
    is_parallel,
    remembered,
)

ARC_SECONDS = (240.0, 390.0)
PARALLEL = 0.5  # share of answers that begin as what they answer
# How far each attribute moves over an arc, in buckets.
_ARC = {"density": 1.5, "register": 0.8, "polyphony": 0.8, "dynamics": 1.8, "articulation": -0.3}


def next_period(
    state: FormState, section: int, bar: int, settings: FormSettings, draws: list[float]
) -> FormState:
    """Two phrases; after music that was not composed here, they bring it back."""
    bars = 2 * settings.phrase_bars
    period = Theme(section, bar, bars, 1, 0, 0.0)
    parallel = is_parallel(PARALLEL, settings.variety, draws[4])
    begun = FormState("phrases", section, bar, bars, period, parallel=parallel)
    heard = remembered(state, bar) if state.form != "phrases" else ()
    if not heard:
        return begun
    return begun._replace(source=heard[0].first, source_bars=heard[0].bars)


def phrase_bar(state: FormState, bar: int, settings: FormSettings, variation: float) -> FormBar:
    place = bar - state.start
    half = state.bars // 2
    source = source_of(state, place, half)
    source = -1 if place >= state.bars - FREE_BARS else source
    return FormBar(
        section=state.section,
        name="call" if place < half else "answer",
        phrase=place % PHRASE_BARS,
        echo=closeness(settings.variety, variation) if source >= 0 else 0,
        source=source,
    )


def next_arc(section: int, bar: int, settings: FormSettings, draw: float) -> FormState:
    seconds = ARC_SECONDS[0] + draw * (ARC_SECONDS[1] - ARC_SECONDS[0])
    phrases = round(seconds / settings.bar_seconds / PHRASE_BARS)
    bars = PHRASE_BARS * max(1, phrases)
    return FormState("arc", section, bar, bars, Theme(section, bar, bars, 1, 0, 0.0))


def arc_bar(state: FormState, bar: int) -> FormBar:
    place = bar - state.start
    height = -cos(2 * pi * (place + 0.5) / state.bars)
    return FormBar(
        section=state.section,
        name="rise" if place < state.bars // 2 else "fall",
        phrase=place % PHRASE_BARS,
        offsets=tuple(height * _ARC[name] for name in ATTRIBUTE),
        ending=max(ENDING_LAST - (state.bars - 1 - place), ENDING_FAR),
    )
