"""Imitation: a subject of a bar or two, which other parts answer."""

from __future__ import annotations

from engine.music.fields import ECHO_EXACT, ECHO_NEAR, PHRASE_BARS
from engine.planning.form_phrases import phrase_bar, with_heard
from engine.planning.form_song import closeness
from engine.planning.form_state import (
    FREE_BARS,
    FormBar,
    FormSettings,
    FormState,
    Theme,
    is_parallel,
)

LONG = 0.5  # share of subjects that have two bars
TWICE = 0.6  # share of subjects that are answered twice
SAME_SUBJECT = 0.5  # share of second phrases that have the subject of the first


def next_points(
    state: FormState, section: int, bar: int, settings: FormSettings, draws: list[float]
) -> FormState:
    """Two phrases, each with a subject and its answers. `place` says how long the first subject is,
    the second has the other length, unless it is the same (`parallel`)."""
    bars = 2 * settings.phrase_bars
    length = 2 if draws[0] < LONG else 1
    begun = FormState(
        "imitation",
        section,
        bar,
        bars,
        Theme(section, bar, bars, 2 if draws[1] < TWICE else 1, 0, 0.0),
        place=length,
        parallel=is_parallel(SAME_SUBJECT, settings.variety, draws[4]),
    )
    return with_heard(begun, state, bar)


def imitation_bar(state: FormState, bar: int, settings: FormSettings, variation: float) -> FormBar:
    if state.source >= 0:
        return phrase_bar(state, bar, settings, variation)
    half = min(settings.phrase_bars, state.bars)
    second, place = divmod(bar - state.start, half)
    length = state.place if not second or state.parallel else 3 - state.place
    length = min(length, max(half // 4, 1))
    begun = bar - place
    answer = place // length if place < half - FREE_BARS else 0
    answer = answer if answer <= state.present.times else 0
    shape = FormBar(
        section=state.section,
        name="answer" if answer else "subject" if place < length else "free",
        phrase=(bar - state.start) % PHRASE_BARS,
        subject=begun,
        answer=answer,
    )
    if answer:
        near = variation < 0.25 * settings.variety
        return shape._replace(echo=ECHO_NEAR if near else ECHO_EXACT, source=begun + place % length)
    if not (second and state.parallel and place < length):
        return shape
    close = closeness(settings.variety, variation)
    return shape._replace(echo=close, source=state.start + place)
