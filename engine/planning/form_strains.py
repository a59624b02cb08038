"""Strains: sections that are played twice, as in dances, rags and marches."""

from __future__ import annotations

from engine.music.fields import ECHO_EXACT, ECHO_NEAR, ENDING_FAR, ENDING_LAST, PHRASE_BARS
from engine.music.harmony import key_id
from engine.planning.form_song import closeness, section_offsets, source_of
from engine.planning.form_state import (
    FormBar,
    FormSettings,
    FormState,
    Theme,
    is_parallel,
    remembered,
    section_length,
    theme_name,
)

ROWS = {"dance": "AABB", "strains": "AABBACCDD"}
DANCE_BARS = 8  # of a strain, at most
TRIO = "CD"  # strains in the subdominant
PARALLEL = 0.6  # share of strains whose later phrases begin as the first
ONCE_MORE = 0.5  # share of dances that are played once more
_CONTRAST = 0.6  # of the intensity of strains, which stand side by side
_TRIO_KEYS = {False: (5, False), True: (0, False)}  # (tonic above home, minor), by home's mode


def next_strain(
    state: FormState, section: int, bar: int, settings: FormSettings, draws: list[float]
) -> FormState:
    """The section after `state`: a strain once more, the next one, or a new piece."""
    row = ROWS[settings.form]
    themes = remembered(state, bar)
    place = state.place + 1 if themes else 0
    goes_on = place < len(row)
    once_more = not goes_on and settings.form == "dance" and draws[0] < ONCE_MORE
    place = place if goes_on else 0
    bars = section_length(settings.section_bars)
    bars = min(bars, DANCE_BARS) if settings.form == "dance" else bars
    begun = FormState(settings.form, section, bar, bars, place=place, invented=state.invented)
    known = _known(themes, row[place]) if goes_on or once_more else None
    if known is not None:
        again = known._replace(first=bar, bars=bars, times=known.times + 1)
        kept = _needed(themes, row, place)
        return begun._replace(
            present=again, source=known.first, source_bars=known.bars, themes=kept
        )
    intensity = _CONTRAST * (2 * draws[1] - 1)
    excursion = ord(row[place]) - ord("A")
    new = Theme(state.invented, bar, bars, 1, excursion, intensity)
    return begun._replace(
        present=new,
        themes=_needed(themes, row, place) if goes_on else (),
        invented=state.invented + 1,
        parallel=is_parallel(PARALLEL, settings.variety, draws[4]),
    )


def _known(themes: tuple[Theme, ...], letter: str) -> Theme | None:
    return next((theme for theme in themes if _letter(theme) == letter), None)


def _needed(themes: tuple[Theme, ...], row: str, place: int) -> tuple[Theme, ...]:
    """The themes that come again later; a dance may be played once more."""
    later = row if row == ROWS["dance"] else row[place:]
    return tuple(theme for theme in themes if _letter(theme) in later)


def _letter(theme: Theme) -> str:
    """Of a strain, whose excursion says which one of its row it is."""
    return chr(ord("A") + theme.excursion)


def strain_bar(state: FormState, bar: int, settings: FormSettings, variation: float) -> FormBar:
    place = bar - state.start
    row, theme = ROWS[settings.form], state.present
    source = source_of(state, place, min(settings.phrase_bars, max(state.bars // 2, 1)))
    again = state.source >= 0
    closes = row[state.place : state.place + 2] not in ("AA", "BB", "CC", "DD")
    closes = closes and (settings.form == "strains" or state.place == len(row) - 1)
    return FormBar(
        section=state.section,
        name=theme_name(theme),
        phrase=place % PHRASE_BARS,
        key=key_id(*_TRIO_KEYS[settings.minor]) if _letter(theme) in TRIO else 0,
        echo=_repeated(settings, variation, again=again) if source >= 0 else 0,
        source=source,
        floor=state.start,
        offsets=section_offsets(theme.intensity, (place + 0.5) / state.bars),
        ending=max(ENDING_LAST - (state.bars - 1 - place), ENDING_FAR) if closes else ENDING_FAR,
    )


def _repeated(settings: FormSettings, draw: float, *, again: bool) -> int:
    """How closely a bar follows its source: dances are repeated as they stand."""
    if settings.form == "dance" and again:
        return ECHO_EXACT if draw >= settings.variety / 2 else ECHO_NEAR
    return closeness(settings.variety, draw)
