"""Music made into more music: excerpts moved in pitch, loudness and touch while training.

Whatever is changed in the notes is changed in what the network is told of them, so that the plan
always speaks of what is there. What a control asks must be learned from music in which that
control alone differs; half of this module exists for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.music.fields import ATTRIBUTE, LENGTHS, MAX_VOICES
from engine.music.harmony import CHORD_SHIFT, KEY_SHIFT
from engine.music.time import TICKS_PER_QUARTER
from engine.representations.codec import Codec
from engine.representations.context_rows import voices
from engine.representations.notes import PITCH, NotesCodec
from export.training.config import TrainingConfig

Ints = NDArray[np.int64]
VELOCITY_STEP = 4  # of the loudness tables of all codecs
_LOUDEST_MOVE = 12  # steps that an excerpt is made louder or softer at most
_MISLED = 10  # steps that told velocities are off at most
_SOFTEST, _LOUDEST = 5, 29  # levels of loudness that are asked for, in steps


@dataclass(slots=True)
class Excerpt:
    """A stretch of a piece on its way into a batch; changed in place.

    `events` are what is to be predicted, `given` the same as later fields and events are told
    of it, `told` [T, E] the events before each of them, `mix` [T, M] its weighted inputs.
    `flat`: its velocities are not known. `told_for_sure`: groups of conditioning that must not be
    left open, because nothing else explains what was done.
    """

    events: Ints
    given: Ints
    told: Ints
    context: Ints
    mix: NDArray[np.float32]
    ticks: NDArray[np.int32]
    bars: NDArray[np.int32]
    flat: bool = False
    told_for_sure: set[str] = field(default_factory=set)


class Variation:
    """Draws and applies the changes of one training run."""

    def __init__(
        self,
        codec: Codec,
        context_names: tuple[str, ...],
        pitch_classes: slice,
        config: TrainingConfig,
    ) -> None:
        self.codec, self.names, self.config = codec, context_names, config
        self.pitch_classes = pitch_classes

    def apply(self, excerpt: Excerpt, draws: Iterator[float]) -> None:
        self._move_pitch(excerpt, draws)
        if next(draws) < self.config.touch:
            self._change_touch(excerpt, draws)
        if excerpt.flat:
            if next(draws) < self.config.invented_velocity:
                self._invent_velocity(excerpt, draws)
        elif next(draws) < self.config.loudness:
            self._move_loudness(excerpt, draws)
        if next(draws) < self.config.misled_velocity:
            self._mislead(excerpt, draws)

    def _column(self, excerpt: Excerpt, name: str) -> Ints | None:
        """A view of a column of the context, None where the codec has none."""
        if name not in self.names:
            return None
        column: Ints = excerpt.context[:, self.names.index(name)]
        return column

    def _move_pitch(self, excerpt: Excerpt, draws: Iterator[float]) -> None:
        shift = round((2 * next(draws) - 1) * self.config.transpose)
        if next(draws) < self.config.octaves:
            shift += 12 if next(draws) < 0.5 else -12
        if not shift:
            return
        _replace(excerpt, self.codec.pitch_shift(shift))
        for i, name in enumerate(self.names):
            excerpt.context[:, i] = _moved(name, excerpt.context[:, i], shift)
        classes = excerpt.mix[:, self.pitch_classes]
        classes[:] = np.roll(classes, shift, axis=1)

    def _change_touch(self, excerpt: Excerpt, draws: Iterator[float]) -> None:
        """Notes shorter or longer than written: most scores know one touch only."""
        factor = _touch_factor(next(draws), next(draws))
        tables = self.codec.touch(factor)
        articulation = self._column(excerpt, "articulation")
        if not tables or articulation is None:
            return
        _replace(excerpt, tables)
        articulation[:] = _scaled("articulation", articulation, factor)
        excerpt.told_for_sure.add("articulation")
        (durations,) = tables.values()
        self._retell_lengths(excerpt, next(iter(tables)), durations)

    def _retell_lengths(self, excerpt: Excerpt, column: int, durations: Ints) -> None:
        """What the context says of lengths, after `column` of the events was changed."""
        echoed, sounding = self._column(excerpt, "echo_length"), self._column(excerpt, "voices")
        polyphony = self._column(excerpt, "polyphony")
        if echoed is not None:
            echoed[:] = durations[echoed]
        if polyphony is not None:
            polyphony[:] = 0  # it is another now, and not known
        if sounding is not None:
            ticks = np.array(LENGTHS)[np.maximum(excerpt.events[:, column] - 1, 0)]
            found = voices(excerpt.ticks.astype(np.int64), ticks)
            sounding[:] = 1 + np.minimum(found, MAX_VOICES - 1)

    def _invent_velocity(self, excerpt: Excerpt, draws: Iterator[float]) -> None:
        """Give velocities to music that has none: a level by bar, accents, some unevenness.

        While composing there always are velocities: without this, the network would take any for
        a sign of music other than the flat files, and dynamics would mean nothing in their styles.
        """
        column = self.codec.velocity_column
        dynamics, tick = self._column(excerpt, "dynamics"), self._column(excerpt, "tick")
        if column is None or dynamics is None or tick is None:
            return
        by_bar, bar = np.unique(excerpt.bars, return_inverse=True)
        levels = _wandering(len(by_bar), draws)
        dynamics[:] = ATTRIBUTE["dynamics"].bucket(VELOCITY_STEP * levels)[bar]
        excerpt.told_for_sure.add("dynamics")
        unevenness = np.fromiter(draws, np.float64, 1 + len(bar)) - 0.5
        played = levels[bar] + _accents(tick - 1) + unevenness[1:]
        velocities = np.clip(np.rint(played), 1, 32).astype(np.int64)
        excerpt.events[:, column] = excerpt.given[:, column] = velocities
        excerpt.told[1:, column] = velocities[:-1]
        if excerpt.told[0].any():  # nothing comes before a beginning
            excerpt.told[0, column] = round(float(levels[0] + unevenness[0]))

    def _move_loudness(self, excerpt: Excerpt, draws: Iterator[float]) -> None:
        """All of it louder or softer: loudness otherwise follows from style and texture."""
        steps = round((2 * next(draws) - 1) * _LOUDEST_MOVE)
        dynamics = self._column(excerpt, "dynamics")
        if dynamics is None:
            return
        known = dynamics[dynamics > 0]
        if not len(known):
            return
        level = float(np.mean([ATTRIBUTE["dynamics"].centre(int(b)) for b in known]))
        level /= VELOCITY_STEP
        steps = round(min(max(level + steps, _SOFTEST), _LOUDEST) - level)
        _replace(excerpt, self.codec.loudness_shift(steps))
        dynamics[:] = _moved_bucket("dynamics", dynamics, VELOCITY_STEP * steps)
        excerpt.told_for_sure.add("dynamics")

    def _mislead(self, excerpt: Excerpt, draws: Iterator[float]) -> None:
        """Tell the earlier velocities wrongly, all by the same.

        Else the last velocity tells nearly all of the next one, and a network that is loud by
        chance stays loud whatever is asked.
        """
        column = self.codec.velocity_column
        if column is None:
            return
        table = self.codec.loudness_shift(round((2 * next(draws) - 1) * _MISLED))[column]
        excerpt.told[:, column] = table[excerpt.told[:, column]]


def _touch_factor(way: float, amount: float) -> float:
    """Two in three shorter, down to a quarter of the length; the others longer, up to 1.7 times."""
    factor: float = 0.25**amount if way < 2 / 3 else 1.7**amount
    return factor


def _wandering(bars: int, draws: Iterator[float]) -> NDArray[np.float64]:
    """A level of loudness for each bar, in steps of velocity."""
    levels = np.empty(bars)
    level = _SOFTEST + (_LOUDEST - _SOFTEST) * next(draws)
    for i in range(bars):
        levels[i] = level
        level = min(max(level + 3 * (next(draws) - 0.5), _SOFTEST), _LOUDEST)
    return levels


def _accents(tick: Ints) -> NDArray[np.float64]:
    """What a player adds at a place of the bar, in steps of velocity."""
    beat = tick % TICKS_PER_QUARTER == 0
    return np.where(tick == 0, 1.2, np.where(beat, 0.3, -0.4))


def _replace(excerpt: Excerpt, tables: dict[int, Ints]) -> None:
    """Look the values of some event columns up in tables."""
    for column, table in tables.items():
        excerpt.events[:, column] = table[excerpt.events[:, column]]
        excerpt.given[:, column] = table[excerpt.given[:, column]]
        excerpt.told[:, column] = table[excerpt.told[:, column]]


def _moved(name: str, values: Ints, shift: int) -> Ints:
    """A context column of music moved by `shift` semitones."""
    if name in ("chord", "next_chord"):
        return np.asarray(CHORD_SHIFT[shift % 12][values], np.int64)
    if name == "key":
        return np.asarray(KEY_SHIFT[shift % 12][values], np.int64)
    if name == "register":
        return _moved_bucket("register", values, shift)
    if name == "echo_pitch":
        return NotesCodec().pitch_shift(shift)[PITCH][values]
    return values


def _moved_bucket(name: str, buckets: Ints, by: float) -> Ints:
    """Buckets of an attribute whose values all rise by the same; open ones stay open."""
    return _rebucketed(name, buckets, lambda value: value + by)


def _scaled(name: str, buckets: Ints, factor: float) -> Ints:
    return _rebucketed(name, buckets, lambda value: value * factor)


def _rebucketed(name: str, buckets: Ints, change: Callable[[float], float]) -> Ints:
    attribute = ATTRIBUTE[name]
    values = np.array([change(attribute.centre(b)) for b in range(1, attribute.buckets + 1)])
    table = np.append(0, attribute.bucket(values)).astype(np.int64)
    found: Ints = table[buckets]
    return found
