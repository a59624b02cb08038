"""Gives minutes a shape: sections, their intensity, returns of earlier material, closes.

A pure function from one bar to the next. Every choice is looked up by bar number
(`engine.music.noise`), so that rewinding gives the same form again. The state never grows: at most
two themes are remembered, and a new one takes the place of the oldest."""

from __future__ import annotations

from math import cos, pi
from typing import NamedTuple

from engine.music.fields import (
    ATTRIBUTE,
    ATTRIBUTES,
    ECHO_EXACT,
    ECHO_LOOSE,
    ECHO_NEAR,
    ECHO_NEW,
    ENDING_FAR,
    ENDING_LAST,
    PHRASE_BARS,
)
from engine.music.harmony import key_id
from engine.music.noise import FORM_BAR, FORM_SECTION, uniforms

HEARD = "heard"  # of a state: what was heard belongs to no form yet, and goes on in any
FORMS = ("off", "phrases", "song", "arc")
MAX_SECTION_BARS = 64
KEEP_BARS = 3 * MAX_SECTION_BARS  # two themes and the section that is being composed
ARC_SECONDS = (240.0, 390.0)
ABROAD = 0.35  # share of contrasting themes that stand in another key

_THEMES = 2
_CLOSING_BARS = ENDING_LAST - ENDING_FAR
_FREE_BARS = 2  # a return takes leave of its source before it closes
_LEVEL = [a.name for a in ATTRIBUTES].index
_DENSITY, _REGISTER, _DYNAMICS = _LEVEL("density"), _LEVEL("register"), _LEVEL("dynamics")
_STEADY = (0.0,) * len(ATTRIBUTES)
# How far each attribute moves, in buckets: between sections, inside one, over an arc.
_CONTRAST = {_DENSITY: 0.9, _REGISTER: 0.8, _DYNAMICS: 0.9}
_SWELL = {_DENSITY: 1.2, _REGISTER: 0.6, _DYNAMICS: 1.6}
_ARC = {"density": 1.5, "register": 0.8, "polyphony": 0.8, "dynamics": 1.8, "articulation": -0.3}
# Where a contrasting section may go: (tonic above home, minor), by the mode of home.
_EXCURSIONS = {
    False: ((7, False), (5, False), (9, True)),
    True: ((0, False), (4, True), (2, True)),
}


class FormSettings(NamedTuple):
    """What controls ask of the form. `variety` from 0 (literal returns) to 1 (free ones),
    `bar_seconds` the length of a bar at the present tempo."""

    form: str = "song"
    section_bars: int = 16
    variety: float = 0.5
    minor: bool = False
    bar_seconds: float = 2.0


class FormBar(NamedTuple):
    """What the form asks of one bar.

    `phrase` is the bar's place in its phrase, from 0. `key` and `echo` are 0 where the planner
    decides, `source` the bar to be echoed, -1 if none; on its own the planner echoes none before
    `floor`. `offsets` are in buckets, in the order of ATTRIBUTES.
    """

    section: int = 0
    name: str = ""
    phrase: int = 0
    key: int = 0
    echo: int = 0
    source: int = -1
    floor: int = 0
    offsets: tuple[float, ...] = _STEADY
    ending: int = ENDING_FAR


class Theme(NamedTuple):
    """A section that may return: its number in the order of invention, its latest rendition, how
    often it was heard, its excursion (0: home) and the offset of its intensity, -1 … 1."""

    number: int
    first: int
    bars: int
    times: int
    excursion: int
    intensity: float


class FormState(NamedTuple):
    """Where the form stands after a bar. `present` is the theme of the section under way,
    `source` the first bar of the rendition it repeats (-1: new material)."""

    form: str = ""
    section: int = -1
    start: int = 0
    bars: int = 0
    present: Theme = Theme(0, 0, 0, 0, 0, 0.0)
    source: int = -1
    source_bars: int = 0
    themes: tuple[Theme, ...] = ()
    invented: int = 0


def heard_before(bars: int) -> FormState:
    """The form after music of so many bars that was not composed here: the section just heard."""
    first = max(0, bars - MAX_SECTION_BARS)
    theme = Theme(0, first, bars - first, 1, 0, 0.0)
    return FormState(HEARD, 0, first, bars - first, theme, invented=1)


def kept_bars(state: FormState) -> tuple[range, ...]:
    """The bars, besides the latest, that may still be echoed: at most KEEP_BARS."""
    kept = [range(theme.first, theme.first + theme.bars) for theme in state.themes]
    if state.form in ("song", HEARD):
        kept.append(range(state.start, state.start + state.bars))
        if state.source >= 0:
            kept.append(range(state.source, state.source + state.source_bars))
    return tuple(kept)


def form_bar(
    state: FormState, bar: int, settings: FormSettings, seed: int, stream: int
) -> tuple[FormBar, FormState]:
    """What the form asks of bar number `bar`, and the state after it.

    Bars come in order from any first one; a new form begins at once, a new section length with
    the next section.
    """
    if settings.form == "off":
        quiet = FormBar(phrase=bar % PHRASE_BARS)
        return quiet, FormState("off", start=bar - bar % PHRASE_BARS, bars=PHRASE_BARS)
    if settings.form != state.form or not state.start <= bar < state.start + state.bars:
        kept = state if state.form in (settings.form, HEARD) else FormState(settings.form)
        state = _next_section(kept, bar, settings, seed, stream)
    if settings.form == "arc":
        return _arc_bar(state, bar), state
    variation = float(uniforms(seed, stream, FORM_BAR, bar, 1)[0])
    shape = _song_bar if settings.form == "song" else _phrase_bar
    return shape(state, bar, settings, variation), state


def _next_section(
    state: FormState, bar: int, settings: FormSettings, seed: int, stream: int
) -> FormState:
    section = state.section + 1
    # Keyed by the bar, not the section: a form that begins anew must not choose the same again.
    draws = [float(u) for u in uniforms(seed, stream, FORM_SECTION, bar, 4)]
    if settings.form == "phrases":
        return FormState("phrases", section, bar, PHRASE_BARS)
    if settings.form == "arc":
        seconds = ARC_SECONDS[0] + draws[0] * (ARC_SECONDS[1] - ARC_SECONDS[0])
        phrases = round(seconds / settings.bar_seconds / PHRASE_BARS)
        return FormState("arc", section, bar, PHRASE_BARS * max(1, phrases))
    return _next_of_song(state, section, bar, settings, draws)


def _next_of_song(
    state: FormState, section: int, bar: int, settings: FormSettings, draws: list[float]
) -> FormState:
    bars = min(max(round(settings.section_bars / 4), 1) * 4, MAX_SECTION_BARS)
    themes = _remembered(state, bar)
    back = _returning(themes, state.present.number, settings.variety, draws[0])
    if back is not None:
        again = back._replace(first=bar, bars=bars, times=back.times + 1)
        source = (back.first, back.bars)
        return FormState("song", section, bar, bars, again, *source, themes, state.invented)
    intensity = 2 * draws[1] - 1
    if themes and intensity * state.present.intensity > 0:
        intensity = -intensity  # what comes new stands against what went before
    excursion = 1 + int(draws[2] * 3) if themes and draws[3] < ABROAD else 0
    new = Theme(state.invented, bar, bars, 1, excursion, intensity)
    themes = themes[1:] if len(themes) == _THEMES else themes
    return FormState("song", section, bar, bars, new, -1, 0, themes, state.invented + 1)


def _remembered(state: FormState, bar: int) -> tuple[Theme, ...]:
    """The themes, oldest first, each in its latest complete rendition."""
    if state.section < 0 or bar != state.start + state.bars:
        return ()
    others = [theme for theme in state.themes if theme.number != state.present.number]
    return tuple(sorted((*others, state.present)))


def _returning(
    themes: tuple[Theme, ...], present: int, variety: float, draw: float
) -> Theme | None:
    """The theme that comes back now, None for new material: A A′ B A″, then as it falls."""
    if not themes:
        return None
    if len(themes) == 1:
        return themes[0] if themes[0].times == 1 else None
    oldest, newest = themes
    if present == oldest.number:
        return newest
    worn = (oldest.times - 2) * (0.2 + 0.5 * variety)
    return None if draw < worn else oldest


def _phrase_bar(state: FormState, bar: int, settings: FormSettings, variation: float) -> FormBar:
    """Four bars of call, two that answer them, two that close."""
    place = bar - state.start
    half = PHRASE_BARS // 2
    answering = half <= place < PHRASE_BARS - _FREE_BARS
    return FormBar(
        section=state.section,
        name="call" if place < half else "answer",
        phrase=place,
        echo=_closeness(settings.variety, variation) if answering else 0,
        source=bar - half if answering else -1,
    )


def _song_bar(state: FormState, bar: int, settings: FormSettings, variation: float) -> FormBar:
    place = bar - state.start
    left = state.bars - 1 - place
    theme = state.present
    key = 0
    if theme.excursion and left >= _CLOSING_BARS:
        key = key_id(*_EXCURSIONS[settings.minor][theme.excursion - 1])
    # Earlier material may shine through a return; a new theme grows out of itself.
    returns = state.source >= 0 and (left >= _FREE_BARS or state.bars <= 4)
    return FormBar(
        section=state.section,
        name=_theme_name(theme),
        phrase=place % PHRASE_BARS,
        key=key,
        echo=_closeness(settings.variety, variation) if returns else 0,
        source=state.source + place % state.source_bars if returns else -1,
        floor=state.start,
        offsets=_section_offsets(theme.intensity, (place + 0.5) / state.bars),
        ending=max(ENDING_LAST - left, ENDING_FAR),
    )


def _arc_bar(state: FormState, bar: int) -> FormBar:
    place = bar - state.start
    height = -cos(2 * pi * (place + 0.5) / state.bars)
    return FormBar(
        section=state.section,
        name="rise" if place < state.bars // 2 else "fall",
        phrase=place % PHRASE_BARS,
        offsets=tuple(height * _ARC[name] for name in ATTRIBUTE),
        ending=max(ENDING_LAST - (state.bars - 1 - place), ENDING_FAR),
    )


def _closeness(variety: float, draw: float) -> int:
    """How closely a returning bar follows its source."""
    weights = (
        (ECHO_EXACT, 1.2 * (1 - variety) ** 2),
        (ECHO_NEAR, 0.7),
        (ECHO_LOOSE, 1.2 * variety**2),
        (ECHO_NEW, 0.4 * variety**3),
    )
    height = draw * sum(weight for _, weight in weights)
    for level, weight in weights:
        height -= weight
        if height < 0:
            return level
    return ECHO_NEAR


def _section_offsets(intensity: float, place: float) -> tuple[float, ...]:
    """A rise to two thirds of the section and a fall, around the section's own intensity.

    The swell sums to zero over a section: what was asked for stays the mean.
    """
    peak = 2 / 3
    swell = (place / peak if place < peak else (1 - place) / (1 - peak)) - 0.5
    offsets = list(_STEADY)
    for attribute, reach in _CONTRAST.items():
        offsets[attribute] = reach * intensity
        offsets[attribute] += _SWELL[attribute] * swell
    return tuple(offsets)


def _theme_name(theme: Theme) -> str:
    """A, A′, A″, A‴, A⁗, A5 …; after Z comes AA."""
    letters, number = "", theme.number + 1
    while number:
        number, digit = divmod(number - 1, 26)
        letters = chr(ord("A") + digit) + letters
    marks = ("", "′", "″", "‴", "⁗")
    return letters + (marks[theme.times - 1] if theme.times <= len(marks) else str(theme.times - 1))
