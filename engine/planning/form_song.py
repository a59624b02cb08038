"""A song: sections that return and contrast, around themes of which two are remembered."""

from __future__ import annotations

from engine.music.fields import (
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
from engine.planning.form_state import (
    CLOSING_BARS,
    FREE_BARS,
    STEADY,
    FormBar,
    FormSettings,
    FormState,
    Theme,
    is_parallel,
    remembered,
    section_length,
    theme_name,
)

ABROAD = 0.6  # share of contrasting themes that stand in another key
PARALLEL = 0.6  # share of new themes whose later phrases begin as the first

_THEMES = 2
_LEVEL = [a.name for a in ATTRIBUTES].index
_DENSITY, _REGISTER, _DYNAMICS = _LEVEL("density"), _LEVEL("register"), _LEVEL("dynamics")
# How far each attribute moves, in buckets: between sections, inside one.
_CONTRAST = {_DENSITY: 0.9, _REGISTER: 0.8, _DYNAMICS: 0.9}
_SWELL = {_DENSITY: 1.2, _REGISTER: 0.6, _DYNAMICS: 1.6}
# Where a contrasting section may go: (tonic above home, minor), by the mode of home.
_EXCURSIONS = {
    False: ((7, False), (5, False), (9, True)),
    True: ((0, False), (4, True), (2, True)),
}


def next_section(
    state: FormState, section: int, bar: int, settings: FormSettings, draws: list[float]
) -> FormState:
    bars = section_length(settings.section_bars)
    themes = remembered(state, bar)
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
    found = FormState("song", section, bar, bars, new, -1, 0, themes, state.invented + 1)
    return found._replace(parallel=is_parallel(PARALLEL, settings.variety, draws[4]))


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


def song_bar(state: FormState, bar: int, settings: FormSettings, variation: float) -> FormBar:
    place = bar - state.start
    left = state.bars - 1 - place
    theme = state.present
    key = 0
    if theme.excursion and left >= CLOSING_BARS:
        key = key_id(*_EXCURSIONS[settings.minor][theme.excursion - 1])
    source = source_of(state, place, settings.phrase_bars)
    # Earlier material may shine through a return; a new theme grows out of itself.
    free = left < FREE_BARS and state.bars > 4
    source = -1 if free else source
    return FormBar(
        section=state.section,
        name=theme_name(theme),
        phrase=place % PHRASE_BARS,
        key=key,
        echo=closeness(settings.variety, variation) if source >= 0 else 0,
        source=source,
        floor=state.start,
        offsets=section_offsets(theme.intensity, (place + 0.5) / state.bars),
        ending=max(ENDING_LAST - left, ENDING_FAR),
    )


def source_of(state: FormState, place: int, phrase_bars: int) -> int:
    """The bar that a place of a section brings back, -1 if none: of the rendition that it
    repeats; or of its first phrase, where a later one begins as that did."""
    if state.source >= 0:
        return state.source + place % state.source_bars
    begins = phrase_bars <= place and place % (2 * phrase_bars) - phrase_bars in range(
        phrase_bars // 2
    )
    return state.start + place % phrase_bars if state.parallel and begins else -1


def closeness(variety: float, draw: float) -> int:
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


def section_offsets(intensity: float, place: float) -> tuple[float, ...]:
    """A rise to two thirds of the section and a fall, around the section's own intensity.

    The swell sums to zero over a section: what was asked for stays the mean.
    """
    peak = 2 / 3
    swell = (place / peak if place < peak else (1 - place) / (1 - peak)) - 0.5
    offsets = list(STEADY)
    for attribute, reach in _CONTRAST.items():
        offsets[attribute] = reach * intensity
        offsets[attribute] += _SWELL[attribute] * swell
    return tuple(offsets)
