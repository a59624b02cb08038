"""Real music to measure against."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import DatasetError
from engine.music.fields import METRES
from engine.music.measures import Ints
from engine.music.plan import BarPlan
from engine.music.score import PARTS, Score
from engine.music.time import COMMON_TIME, Metre
from engine.network.bundle import Specification
from engine.representations.codec import Codec, Encoded
from export.data.build import temporary_dataset
from export.data.dataset import META, Dataset
from export.evaluation.baselines import Corpus


@dataclass(frozen=True, slots=True)
class RealPiece:
    """A piece as a network sees it; `bars` are rows of its own `pitch_classes` and `plans`."""

    style: str
    minor: bool
    parts: int  # bit mask
    velocity_known: bool
    events: NDArray[Any]
    context: NDArray[Any]
    onsets: NDArray[Any]
    bars: NDArray[Any]
    pitch_classes: NDArray[np.uint8]
    plans: NDArray[np.int16]

    def plan(self, name: str) -> Ints:
        """A column of the plan, by bar."""
        found: Ints = self.plans[:, BarPlan._fields.index(name)].astype(np.int64)
        return found

    def mix(self, styles: tuple[str, ...]) -> NDArray[np.float32]:
        """The network's weighted inputs, by bar; a style that it does not know stays open."""
        known = np.array([style == self.style for style in styles], np.float32)
        present = ((self.parts >> np.arange(PARTS)) & 1).astype(np.float32)
        same = np.concatenate((known, present))
        rows = np.broadcast_to(same, (len(self.pitch_classes), len(same)))
        classes = self.pitch_classes.astype(np.float32) / 255
        return np.concatenate((rows, classes), axis=1)


@dataclass(frozen=True, slots=True)
class RealMusic:
    """Pieces in one representation. `context` names the columns of their context rows."""

    codec: Codec
    context: tuple[str, ...]
    pieces: tuple[RealPiece, ...]

    @property
    def bars(self) -> int:
        return sum(len(piece.plans) for piece in self.pieces)

    def score(self, piece: RealPiece) -> Score:
        """The piece in its normal key, velocities that are not known as 0."""
        encoded = Encoded(
            np.asarray(piece.events),
            np.asarray(piece.context),
            np.asarray(piece.onsets, np.int64),
            np.asarray(piece.bars, np.int64),
        )
        notes = self.codec.decode(encoded)
        if not piece.velocity_known:
            notes["velocity"] = 0
        return Score(notes, metres=self.metres(piece))

    def metres(self, piece: RealPiece) -> tuple[tuple[int, Metre], ...]:
        """The metres of a piece as its context tells them, each from its first bar with notes."""
        if "metre" not in self.context:
            return ((0, Metre.parse("8/4")),)
        index = piece.context[:, self.context.index("metre")].astype(np.int64)
        tick = piece.context[:, self.context.index("tick")].astype(np.int64) - 1
        change = np.flatnonzero(np.diff(index, prepend=-1))
        found: dict[int, Metre] = {}
        for place in change.tolist():
            begin = int(piece.onsets[place]) - max(0, int(tick[place])) if place else 0
            number = int(index[place]) - 1
            found[begin] = METRES[number] if 0 <= number < len(METRES) else COMMON_TIME
        return tuple(sorted(found.items()))

    def first(self, notes: int) -> RealMusic:
        """Its first pieces, up to the one with which so many events are reached (0: all)."""
        return replace(self, pieces=tuple(_until(notes, self.pieces)))

    def scores(self) -> Iterator[Score]:
        return (self.score(piece) for piece in self.pieces)

    def corpus(self) -> Corpus:
        """All events end to end, for the baselines."""
        counts = [len(piece.events) for piece in self.pieces]
        starts = np.concatenate(([0], np.cumsum(counts)[:-1])).astype(np.int64)
        return Corpus(np.concatenate([piece.events for piece in self.pieces]), starts)

    def columns(self, spec: Specification) -> list[int]:
        """Where the context fields of a bundle stand in the context rows."""
        return [self.context.index(name) for name, _ in spec.context]


@contextmanager
def opened(place: Path, representation: str) -> Iterator[Dataset]:
    """A prepared dataset, or files of music prepared for the moment, all in the test split."""
    if (place / META).is_file() or not place.exists():
        yield Dataset.open(place)
    else:
        with temporary_dataset([place], representation) as dataset:
            yield dataset


def read_music(dataset: Dataset, split: str, codec: Codec, notes: int, seed: int) -> RealMusic:
    """Pieces of one split in an order that depends on the seed, until `notes` are reached
    (0: all)."""
    if dataset.codec.name != codec.name:
        raise DatasetError(
            f"{dataset.folder} holds '{dataset.codec.name}' events and the model needs "
            f"'{codec.name}': prepare it with --representation {codec.name}, or name a folder of "
            "MIDI files"
        )
    numbers = _shuffled(dataset.pieces_of(split), seed)
    chosen = _until(notes, (_stored(dataset, int(n)) for n in numbers))
    if not chosen:
        raise DatasetError(
            f"the dataset {dataset.folder} has no pieces in its {split} split: choose another "
            "with --split, or prepare it from more pieces"
        )
    return RealMusic(dataset.codec, dataset.context_names, tuple(chosen))


def _shuffled(numbers: Ints, seed: int) -> Ints:
    order = np.random.Generator(np.random.Philox(key=seed)).permutation(len(numbers))
    found: Ints = numbers[order]
    return found


def _until(notes: int, pieces: Iterable[RealPiece]) -> list[RealPiece]:
    """The first pieces, up to the one with which so many events are reached."""
    chosen: list[RealPiece] = []
    total = 0
    for piece in pieces:
        chosen.append(piece)
        total += len(piece.events)
        if 0 < notes <= total:
            break
    return chosen


def _stored(dataset: Dataset, number: int) -> RealPiece:
    row = dataset.pieces[number]
    rows = slice(int(row["start"]), int(row["start"]) + int(row["count"]))
    bars = slice(int(row["first_bar"]), int(row["first_bar"]) + int(row["bar_count"]))
    return RealPiece(
        dataset.style_names[int(row["style"])],
        bool(row["minor"]),
        int(row["parts"]),
        bool(row["velocity"]),
        dataset.events[rows],
        dataset.context[rows],
        dataset.onsets[rows],
        dataset.bars[rows] - bars.start,
        dataset.pitch_classes[bars],
        dataset.plans[bars],
    )
