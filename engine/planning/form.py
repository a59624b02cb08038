"""Gives minutes a shape: sections, their intensity, returns of earlier material, closes.

A pure function from one bar to the next. Every choice is looked up by bar number
(`engine.music.noise`), so that rewinding gives the same form again. The state never grows: at most
two themes are remembered, and a new one takes the place of the oldest."""

from __future__ import annotations

from engine.music.fields import PHRASE_BARS
from engine.music.noise import FORM_BAR, FORM_SECTION, uniforms
from engine.planning.form_imitation import imitation_bar, next_points
from engine.planning.form_phrases import arc_bar, next_arc, next_period, phrase_bar
from engine.planning.form_song import next_section, song_bar
from engine.planning.form_state import (
    MAX_SECTION_BARS,
    FormBar,
    FormSettings,
    FormState,
    Theme,
    fitted,
    with_close,
)
from engine.planning.form_strains import next_strain, strain_bar

__all__ = [
    "FORMS",
    "KEEP_BARS",
    "MAX_SECTION_BARS",
    "FormBar",
    "FormSettings",
    "FormState",
    "form_bar",
    "heard_before",
    "kept_bars",
]

FORMS = ("off", "phrases", "song", "arc", "dance", "strains", "imitation")
RESTING = (
    "phrases",
    "song",
    "arc",
    "imitation",
)  # forms whose phrases may come to rest where they close
HEARD = "heard"  # of a state: what was heard belongs to no form yet, and goes on in any
KEEP_BARS = 3 * MAX_SECTION_BARS  # two themes and the section that is being composed

_BARS = {
    "phrases": phrase_bar,
    "song": song_bar,
    "arc": arc_bar,
    "dance": strain_bar,
    "strains": strain_bar,
    "imitation": imitation_bar,
}
_SECTIONS = {
    "phrases": next_period,
    "song": next_section,
    "arc": next_arc,
    "dance": next_strain,
    "strains": next_strain,
    "imitation": next_points,
}


def heard_before(bars: int) -> FormState:
    """The form after music of so many bars that was not composed here: the section just heard."""
    first = max(0, bars - MAX_SECTION_BARS)
    theme = Theme(0, first, bars - first, 1, 0, 0.0)
    return FormState(HEARD, 0, first, bars - first, theme, invented=1)


def kept_bars(state: FormState) -> tuple[range, ...]:
    """The bars, besides the latest, that may still be echoed: at most KEEP_BARS."""
    kept = [range(theme.first, theme.first + theme.bars) for theme in state.themes]
    if state.form not in ("", "off", "arc"):
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
    variation = float(uniforms(seed, stream, FORM_BAR, bar, 1)[0])
    shape = _BARS[settings.form](state, bar, settings, variation)
    return with_close(shape, state, bar, settings.phrase_bars, (seed, stream)), state


def _next_section(
    state: FormState, bar: int, settings: FormSettings, seed: int, stream: int
) -> FormState:
    section = state.section + 1
    # Keyed by the bar, not the section: a form that begins anew must not choose the same again.
    draws = [float(u) for u in uniforms(seed, stream, FORM_SECTION, bar, 5)]
    begun = _SECTIONS[settings.form](state, section, bar, settings, draws)
    return fitted(begun, bar, settings.left)
