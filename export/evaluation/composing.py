"""Composing the music that is measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from engine.composing.composer import Composer
from engine.controls.controls import CONTROL, Controls
from engine.music.bars import Bar
from engine.music.fields import ATTRIBUTES, ECHO_NEW, PITCH_CLASSES
from engine.music.measures import Floats, Ints, measure
from engine.music.score import DRUMS, PARTS, Score, as_array
from engine.music.time import Metre
from engine.network.runtime import Network
from export.evaluation.music import RealMusic, RealPiece
from export.evaluation.obedience import Harmony, harmony

ROWS = 64
SWEEP_VALUES, SWEEP_STYLES = 8, 6
# As they sound: near home and far from it, the two learned modes and others.
STRICT_KEYS = ("C major", "F# major", "Eb minor", "D dorian", "A harmonic minor", "E blues")

Progress = Callable[[int], object]
SettingOf = Callable[[int], Controls]  # the controls of a preset for a seed
Pairs = dict[str, tuple[list[float], list[float]]]


def compose(
    network: Network,
    settings: Sequence[Controls],
    bars: int,
    seed: int,
    progress: Progress = lambda bars: None,
) -> list[list[Bar]]:
    """So many bars of one stream for each setting; the streams are numbered as the settings."""
    music: list[list[Bar]] = []
    for first in range(0, len(settings), ROWS):
        some = settings[first : first + ROWS]
        pool = network.pool(len(some))
        composers = [
            Composer(network, pool, seed, first + i, controls) for i, controls in enumerate(some)
        ]
        music.extend(streams_of(composers, bars, progress))
    return music


def streams_of(composers: Sequence[Composer], bars: int, progress: Progress) -> list[list[Bar]]:
    """So many bars of each composer of one pool."""
    music: list[list[Bar]] = [[] for _ in composers]
    for number, bar in bar_by_bar(composers, bars):
        music[number].append(bar)
        progress(1)
    return music


def bar_by_bar(composers: Sequence[Composer], bars: int) -> Iterator[tuple[int, Bar]]:
    """Step composers of one pool until each has so many bars; every bar with whose it is."""
    pool = composers[0].pool
    missing = [bars] * len(composers)

    def passed_on(number: int, bar: Bar) -> tuple[int, Bar]:
        composers[number].commit(bar.index + 1)
        missing[number] -= 1
        return number, bar

    while True:
        stepping = []
        for number, composer in enumerate(composers):
            while missing[number] and (bar := composer.finished()) is not None:
                yield passed_on(number, bar)
            if missing[number]:
                composer.prepare()
                stepping.append(number)
        if not stepping:
            return
        pool.run([composers[number].row for number in stepping])
        for number in stepping:
            bar = composers[number].absorb()
            if bar is not None:
                yield passed_on(number, bar)


def score_of(bars: Sequence[Bar]) -> Score:
    """Composed bars as a piece."""
    notes = as_array([note for bar in bars for note in bar.notes])
    metres = tuple(
        (bar.start, bar.metre)
        for i, bar in enumerate(bars)
        if i == 0 or bar.metre != bars[i - 1].metre
    )
    return Score(notes, metres=metres)


@dataclass(frozen=True, slots=True)
class Commission:
    """Streams to compose, and the style of each."""

    settings: tuple[Controls, ...]
    styles: tuple[str, ...]


def commission(music: RealMusic, known: Sequence[str], styles: int, streams: int) -> Commission:
    """Streams like the real music: for each of its most frequent styles, so many.

    Each takes metre, mode and parts from a piece of its style; a style that is not among those
    that the model knows is left open.
    """
    settings, names = [], []
    for style in _frequent(music, styles):
        examples = [piece for piece in music.pieces if piece.style == style]
        for i in range(streams):
            example = examples[i * len(examples) // streams]
            settings.append(_like(example, music.metres(example)[0][1], style in known))
            names.append(style)
    return Commission(tuple(settings), tuple(names))


def _frequent(music: RealMusic, number: int) -> list[str]:
    counts = Counter(piece.style for piece in music.pieces)
    return sorted(counts, key=lambda style: (-counts[style], style))[:number]


def _like(piece: RealPiece, metre: Metre, style_known: bool) -> Controls:
    """Controls for a stream that is comparable with a piece in its normal key."""
    parts = [part + 1 for part in range(PARTS) if piece.parts >> part & 1]
    return Controls().with_values(
        {
            "style": piece.style if style_known else "auto",
            "metre": str(metre),
            "key": "A minor" if piece.minor else "C major",
            "parts": parts or "auto",
        }
    )


def grounds(settings: Sequence[Controls]) -> list[Controls]:
    """What controls are swept on: one setting of each style that has pitches, a few styles."""
    found: dict[object, Controls] = {}
    for controls in settings:
        if any(part - 1 != DRUMS for part in controls.parts or (1,)):
            found.setdefault(controls.style, controls)
    return list(found.values())[:SWEEP_STYLES]


def sweep_settings(ground: Sequence[Controls]) -> list[tuple[str, float, Controls]]:
    """(control, value, setting): every conditioning control of the plan at values spread over
    the middles of its steps, each on every ground."""
    found = []
    for attribute in ATTRIBUTES:
        control = CONTROL[attribute.name]
        for step in np.linspace(1, attribute.buckets, SWEEP_VALUES).round().astype(int).tolist():
            value = min(max(attribute.centre(step), control.low), control.high)
            found += [(attribute.name, value, g.with_value(attribute.name, value)) for g in ground]
    return found


def sweep(
    network: Network,
    asked: Sequence[tuple[str, float, Controls]],
    bars: int,
    seed: int,
    progress: Progress = lambda bars: None,
) -> Pairs:
    """(asked, heard) by bar for each conditioning control of the plan, one swept at a time."""
    settings = [setting for _, _, setting in asked]
    music = compose(network, settings, bars, seed, progress)
    pairs: Pairs = {attribute.name: ([], []) for attribute in ATTRIBUTES}
    for (name, value, _), stream in zip(asked, music, strict=True):
        heard = heard_values(stream)[name]
        pairs[name][0].extend([value] * len(heard))
        pairs[name][1].extend(heard.tolist())
    return pairs


def strict_settings(ground: Sequence[Controls]) -> list[Controls]:
    """The keys that are asked for strictly, each on every ground."""
    return [
        controls.with_values({"key": key, "key_strength": 1})
        for controls in ground
        for key in STRICT_KEYS
    ]


def kept_key(
    network: Network,
    settings: Sequence[Controls],
    bars: int,
    seed: int,
    progress: Progress = lambda bars: None,
) -> Harmony:
    """The share of sounding pitched notes inside the scale of each stream's key."""
    music = compose(network, settings, bars, seed, progress)
    inside = [
        controls.key.scale[note.pitch % PITCH_CLASSES] > 0
        for controls, stream in zip(settings, music, strict=True)
        for bar in stream
        for note in bar.notes
        if note.part != DRUMS
    ]
    return Harmony(float(np.mean(inside)) if inside else None, None)


def bounds_of(bars: Sequence[Bar]) -> Ints:
    return np.array([*(bar.start for bar in bars), bars[-1].end], np.int64)


def heard_values(bars: Sequence[Bar]) -> dict[str, Floats]:
    """The plan's quantities as they came out, by bar."""
    return measure(score_of(bars).notes, bounds_of(bars))


def echo_pairs(bars: Sequence[Bar]) -> tuple[list[float], list[float]]:
    """How closely a bar was to resemble its source, and the share of notes that it does."""
    sets = {bar.index: {(n.onset - bar.start, n.pitch, n.part) for n in bar.notes} for bar in bars}
    asked, heard = [], []
    for bar in bars:
        earlier = sets.get(bar.plan.source)
        if bar.plan.echo <= ECHO_NEW or not earlier or not sets[bar.index]:
            continue
        here = sets[bar.index]
        asked.append(float(bar.plan.echo))
        heard.append(2 * len(here & earlier) / (len(here) + len(earlier)))
    return asked, heard


def composed_harmony(streams: Sequence[Sequence[Bar]]) -> Harmony:
    """In the streams as composed, at home in C major or A minor."""
    rows = [
        (note.pitch, note.part, bar.plan.key, _chord_at(bar, note.onset))
        for bars in streams
        for bar in bars
        for note in bar.notes
    ]
    columns = np.array(rows, np.int64).reshape(-1, 4)
    return harmony(*columns.T)


def _chord_at(bar: Bar, onset: int) -> int:
    plan = bar.plan
    return plan.half_chord if onset - bar.start >= bar.metre.half else plan.chord


def real_harmony(music: RealMusic) -> Harmony:
    """In real pieces under the plan that was read out of them."""
    columns: list[list[Ints]] = [[], [], [], []]
    for piece in music.pieces:
        notes = music.score(piece).notes
        if len(notes) != len(piece.events) or "chord" not in music.context:
            return Harmony(None, None)
        chord = piece.context[:, music.context.index("chord")]
        key = piece.context[:, music.context.index("key")]
        for column, values in zip(
            columns, (notes["pitch"], notes["part"], key, chord), strict=True
        ):
            column.append(values.astype(np.int64))
    return harmony(*(np.concatenate(column) for column in columns))
