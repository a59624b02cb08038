"""What the form is asked, what it asks of a bar, and what it remembers from one bar to the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from engine.music.fields import ATTRIBUTES, ENDING_FAR, ENDING_LAST, PHRASE_BARS
from engine.music.noise import FORM_SECTION, uniforms

MAX_SECTION_BARS = 64
LEAST_SECTION = 4
CLOSING_BARS = ENDING_LAST - ENDING_FAR
FREE_BARS = 2  # a return takes leave of its source before it closes
STEADY = (0.0,) * len(ATTRIBUTES)

# How a phrase closes: on the dominant, on something else where the tonic was due, or on the tonic.
NO_CLOSE, HALF, DECEPTIVE, AUTHENTIC = range(4)
# How often it does so: the first of two phrases asks, the second answers.
_ASKING = ((HALF, 0.7), (AUTHENTIC, 0.2), (DECEPTIVE, 0.1))
_ANSWERING = ((AUTHENTIC, 0.75), (DECEPTIVE, 0.15), (HALF, 0.1))
_SHORT_PHRASES = ("folk", "hymn", "popular")  # styles whose phrases have four bars
_CLOSE_DRAW = 5  # of those of a section, beside what a theme draws


class FormSettings(NamedTuple):
    """What controls ask of the form. `variety` from 0 (literal returns) to 1 (free ones),
    `bar_seconds` the length of a bar at the present tempo, `phrase_bars` that of a phrase in bars:
    four or eight. `left` are the bars that are left of a piece, the one asked for among them; 0: it
    has no end."""

    form: str = "song"
    section_bars: int = 16
    variety: float = 0.5
    minor: bool = False
    bar_seconds: float = 2.0
    phrase_bars: int = PHRASE_BARS
    left: int = 0


class FormBar(NamedTuple):
    """What the form asks of one bar.

    `phrase` is the bar's place in its phrase, from 0. `key` and `echo` are 0 where the planner
    decides, `source` the bar to be echoed, -1 if none; on its own the planner echoes none before
    `floor`. `offsets` are in buckets, in the order of ATTRIBUTES. The phrase that the bar belongs
    to closes as `close` says, in the bar after `left` more: 0 in its last one. Where `answer` is 1
    or 2, the echo is no return: another part, the first or second to do so, answers what one part
    had in the source, of a subject that began in the bar `subject`.
    """

    section: int = 0
    name: str = ""
    phrase: int = 0
    key: int = 0
    echo: int = 0
    source: int = -1
    floor: int = 0
    offsets: tuple[float, ...] = STEADY
    ending: int = ENDING_FAR
    close: int = NO_CLOSE
    left: int = 0
    subject: int = -1
    answer: int = 0


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
    `source` the first bar of the rendition it repeats (-1: new material), `place` that of the
    section in a row of strains; `parallel`: its later phrases begin as its first one."""

    form: str = ""
    section: int = -1
    start: int = 0
    bars: int = 0
    present: Theme = Theme(0, 0, 0, 0, 0, 0.0)
    source: int = -1
    source_bars: int = 0
    themes: tuple[Theme, ...] = ()
    invented: int = 0
    place: int = 0
    parallel: bool = False


def phrase_bars_of(styles: Mapping[str, float]) -> int:
    """The length of a phrase in a mix of styles, by their weights."""
    short = sum(weight for style, weight in styles.items() if style in _SHORT_PHRASES)
    return PHRASE_BARS // 2 if 2 * short >= sum(styles.values()) > 0 else PHRASE_BARS


def section_length(bars: int) -> int:
    """Bars of a section of which so many are asked."""
    return min(max(round(bars / 4), 1) * 4, MAX_SECTION_BARS)


def fitted(state: FormState, bar: int, left: int) -> FormState:
    """A section that begins, but for the end of the piece: it is the last one if too little is left
    for another, and is as long as that."""
    over = left - (state.start + state.bars - bar)
    return state._replace(bars=state.bars + over) if left and over < LEAST_SECTION else state


def remembered(state: FormState, bar: int) -> tuple[Theme, ...]:
    """The themes, oldest first, each in its latest complete rendition."""
    if state.section < 0 or bar != state.start + state.bars:
        return ()
    others = [theme for theme in state.themes if theme.number != state.present.number]
    return tuple(sorted((*others, state.present)))


def is_parallel(often: float, variety: float, draw: float) -> bool:
    """Whether a phrase begins as the one before it: so often at a variety of one half, always
    at none, never at full."""
    return draw < 2 * often * (1 - variety)


def with_close(
    shape: FormBar, state: FormState, bar: int, phrase: int, key: tuple[int, int]
) -> FormBar:
    """The bar with the close of its phrase, whose place in its theme says which it is: it comes
    back with the theme. `key` is (seed, stream)."""
    end = min(((bar - state.start) // phrase + 1) * phrase, state.bars)
    left = state.start + end - 1 - bar
    if end == state.bars:
        return shape._replace(close=AUTHENTIC, left=left)
    at = state.present.number * MAX_SECTION_BARS + end
    draw = float(uniforms(*key, FORM_SECTION, at, _CLOSE_DRAW + 1)[_CLOSE_DRAW])
    habits = _ASKING if end // phrase % 2 else _ANSWERING
    return shape._replace(close=_drawn(habits, draw), left=left)


def _drawn(habits: tuple[tuple[int, float], ...], draw: float) -> int:
    for close, share in habits:
        draw -= share
        if draw < 0:
            return close
    return AUTHENTIC


def theme_name(theme: Theme) -> str:
    """A, A′, A″, A‴, A⁗, A5 …; after Z comes AA."""
    letters, number = "", theme.number + 1
    while number:
        number, digit = divmod(number - 1, 26)
        letters = chr(ord("A") + digit) + letters
    marks = ("", "′", "″", "‴", "⁗")
    return letters + (marks[theme.times - 1] if theme.times <= len(marks) else str(theme.times - 1))
