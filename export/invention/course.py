"""A piece before its notes: what its style likes, its sections, bars, chords and silences."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.music.time import Metre
from export.invention.harmony import Chord, Key, Palette


@dataclass(frozen=True)
class Taste:
    """What a style likes: weights of what may be chosen, and ranges.

    `tempo` is quarters a minute, `chord_bars` how many bars chords stay (0.5: half of one),
    `turns` chord turns by mode that are known to please, `moves` semitones and mode of the key of
    other themes than the first.
    """

    tempo: tuple[float, float]
    metres: Mapping[str, float]
    modes: Mapping[str, float]
    forms: Sequence[str]
    phrase_bars: Mapping[int, float]
    chord_bars: Mapping[float, float]
    turn_chords: Mapping[int, float]
    palette: Palette
    turns: Mapping[str, Sequence[str]]
    moves: Mapping[tuple[int, str], float]
    minutes: tuple[float, float] = (1.7, 4.6)
    bass: tuple[int, int] = (33, 50)
    rubato: float = 0.02
    pedal: float = 0.0  # share of the turns whose bass stays on the tonic
    contrast: float = 26.0  # velocity between the lowest and the highest level
    breaths: float = 0.4  # share of the sections that end with a silence, of the phrases a quarter


@dataclass(frozen=True, slots=True)
class Span:
    """The stay of one chord."""

    start: int
    ticks: int
    chord: Chord
    bass: int
    section: int

    @property
    def end(self) -> int:
        return self.start + self.ticks


@dataclass(frozen=True, slots=True)
class Bar:
    """`level` from 0 to 1; `place` counts the bars of a phrase of `phrase` bars."""

    start: int
    index: int
    section: int
    level: float
    place: int
    phrase: int

    @property
    def closes(self) -> bool:
        """Whether it is the last bar of a phrase."""
        return self.place == self.phrase - 1


@dataclass(frozen=True, slots=True)
class Section:
    """`bars` are indices of its first bar and past its last; `time` counts its returns from 0."""

    letter: str
    time: int
    key: Key
    bars: tuple[int, int]


@dataclass(frozen=True)
class Plan:
    """A piece before its notes. The last two bars hold the last chord."""

    metre: Metre
    tempo: float
    key: Key
    sections: tuple[Section, ...]
    bars: tuple[Bar, ...]
    spans: tuple[Span, ...]
    tempos: tuple[tuple[int, int], ...]
    breaths: tuple[tuple[int, int], ...]  # first tick and past the last, nothing sounds there
    loudness: float  # that of the whole, in velocity beside what is usual
    contrast: float

    @property
    def last(self) -> Span:
        return self.spans[-1]

    @property
    def end(self) -> int:
        return self.last.end

    def span_at(self, tick: int) -> Span:
        return self.spans[bisect_right(self.spans, tick, key=lambda span: span.start) - 1]

    def bar_at(self, tick: int) -> Bar:
        return self.bars[min(tick // self.metre.ticks, len(self.bars) - 1)]

    def bars_of(self, section: Section) -> tuple[Bar, ...]:
        return self.bars[section.bars[0] : section.bars[1]]

    def spans_of(self, section: Section) -> tuple[Span, ...]:
        ticks = self.metre.ticks
        first, last = section.bars[0] * ticks, section.bars[1] * ticks
        return tuple(span for span in self.spans if first <= span.start < last)

    def is_close(self, bar: Bar) -> bool:
        """Whether the last chord stands there."""
        return bar.start >= self.last.start
