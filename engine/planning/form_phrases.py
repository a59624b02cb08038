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
RETURN_BARS = 14  # of an arc that bring back what was heard before it
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
    return with_heard(begun, state, bar)


def with_heard(begun: FormState, state: FormState, bar: int) -> FormState:
    """A section before which music was heard that was not composed here: it brings it back."""
    heard = remembered(state, bar) if state.form != begun.form else ()
    if not heard:
        return begun
    return begun._replace(source=heard[0].first, source_bars=heard[0].bars)


def phrase_bar(state: FormState, bar: int, settings: FormSettings, variation: float) -> FormBar:
    place = bar - state.start
    half = min(settings.phrase_bars, state.bars)
    source = source_of(state, place, half)
    source = -1 if place >= state.bars - FREE_BARS else source
    return FormBar(
        section=state.section,
        name="call" if place < half else "answer",
        phrase=place % PHRASE_BARS,
        echo=closeness(settings.variety, variation) if source >= 0 else 0,
        source=source,
    )


def next_arc(
    state: FormState, section: int, bar: int, settings: FormSettings, draws: list[float]
) -> FormState:
    """An arc; after music that was not composed here, from about its middle height on."""
    seconds = ARC_SECONDS[0] + draws[0] * (ARC_SECONDS[1] - ARC_SECONDS[0])
    phrases = round(seconds / settings.bar_seconds / PHRASE_BARS)
    bars = PHRASE_BARS * max(1, phrases)
    climbed = 0 if state.section < 0 or state.form == "arc" else bars // 4
    begun = bar - climbed // PHRASE_BARS * PHRASE_BARS
    theme = Theme(section, begun, bars, 1, 0, 0.0)
    found = FormState("arc", section, begun, bars, theme)
    return with_heard(found, state, bar)


def arc_bar(state: FormState, bar: int, settings: FormSettings, variation: float) -> FormBar:
    place = bar - state.start
    height = -cos(2 * pi * (place + 0.5) / state.bars)
    since = bar - state.source - state.source_bars
    returns = state.source >= 0 and since < RETURN_BARS
    return FormBar(
        section=state.section,
        name="rise" if place < state.bars // 2 else "fall",
        phrase=place % PHRASE_BARS,
        echo=closeness(settings.variety, variation) if returns else 0,
        source=state.source + since % state.source_bars if returns else -1,
        offsets=tuple(height * _ARC[name] for name in ATTRIBUTE),
        ending=max(ENDING_LAST - (state.bars - 1 - place), ENDING_FAR),
    )
