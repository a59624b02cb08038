"""Presets against real music, one after the other: what is composed, and what is found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from engine.composing.composer import Composer
from engine.controls.controls import Controls
from engine.music.bars import Bar
from engine.music.score import Score
from engine.network.runtime import Network
from export.evaluation.against.features import measured
from export.evaluation.against.form import Form, form_of
from export.evaluation.against.modes import Mode
from export.evaluation.against.part_writing import PartWriting, Rates, part_writing, rates
from export.evaluation.against.phrases import Phrases, PlannedEnd, phrases, planned_ends
from export.evaluation.against.prompts import Prompted
from export.evaluation.against.two_sample import (
    LEAST_PIECES,
    Sample,
    TwoSample,
    real_control,
    two_sample,
)
from export.evaluation.against.variety import Variety, variety
from export.evaluation.against.windows import at_home, windows
from export.evaluation.composing import SettingOf, score_of, streams_of
from export.evaluation.music import RealMusic

ROWS = 16  # streams that are composed together
ALL_STYLES = ("all styles",)


@dataclass(frozen=True, slots=True)
class Against:
    """A preset against real music of its `styles`. Pairs are of the composed and the real music.

    `test` is None where there was too little of either. `closes` are those of phrases.
    """

    preset: str
    styles: tuple[str, ...]
    streams: int
    bars: int
    real_pieces: int
    test: TwoSample | None
    part_writing: tuple[Rates, Rates]
    closes: tuple[Rates, Rates]
    form: tuple[Form, Form]
    variety: Variety


@dataclass(frozen=True, slots=True)
class Stream:
    """What was composed under these controls, and where its form had phrases end."""

    controls: Controls
    bars: list[Bar]
    ends: list[PlannedEnd]


class RealSide:
    """Real music, measured once however many presets are held against it."""

    def __init__(self, music: RealMusic) -> None:
        self._styles = [piece.style for piece in music.pieces]
        self._scores = list(music.scores())
        self._samples: dict[int, Sample] = {}
        self._writing: dict[int, PartWriting] = {}
        self._phrases: dict[int, Phrases] = {}
        self._controls: dict[tuple[int, ...], float | None] = {}

    def of(self, mix: Iterable[str]) -> tuple[tuple[str, ...], list[int]]:
        """The styles of a mix that there is enough of, and the numbers of their pieces; all
        pieces, if there is too little of them."""
        wanted = [style for style in mix if style in self._styles]
        chosen = [i for i, style in enumerate(self._styles) if style in wanted]
        if len(chosen) < 2 * LEAST_PIECES:
            return ALL_STYLES, list(range(len(self._styles)))
        return tuple(wanted), chosen

    def scores(self, pieces: Sequence[int] | None = None) -> list[Score]:
        """Of these pieces, or of all."""
        return self._scores if pieces is None else [self._scores[i] for i in pieces]

    def sample(self, pieces: Sequence[int]) -> Sample:
        for i in pieces:
            if i not in self._samples:
                self._samples[i] = sample([self._scores[i]], [str(i)])
        return together([self._samples[i] for i in pieces])

    def part_writing(self, pieces: Sequence[int]) -> list[PartWriting]:
        for i in pieces:
            if i not in self._writing:
                self._writing[i] = part_writing(self._scores[i])
        return [self._writing[i] for i in pieces]

    def phrases(self, pieces: Sequence[int]) -> Phrases:
        for i in pieces:
            if i not in self._phrases:
                self._phrases[i] = phrases(self._scores[i])
        return sum((self._phrases[i] for i in pieces), Phrases())

    def control(self, pieces: Sequence[int]) -> float | None:
        """How surely these pieces are told from each other; None if there are too few."""
        key = tuple(pieces)
        if key not in self._controls:
            known = self.sample(pieces)
            enough = len(set(known.pieces)) >= LEAST_PIECES
            self._controls[key] = real_control(known) if enough else None
        return self._controls[key]


def sample(scores: Sequence[Score], names: Sequence[str]) -> Sample:
    """Pieces at home, in numbers."""
    found = [one for score, name in zip(scores, names, strict=True) for one in windows(score, name)]
    return Sample(measured(found), tuple(one.piece for one in found))


def together(samples: Sequence[Sample]) -> Sample:
    rows = np.concatenate([one.rows for one in samples])
    return Sample(rows, tuple(piece for one in samples for piece in one.pieces))


def against(
    network: Network,
    presets: Mapping[str, SettingOf],
    real: RealSide,
    seeds: Sequence[int],
    bars: int,
    progress: Callable[[int], object] = lambda bars: None,
) -> list[Against]:
    """Each preset from each seed over so many bars."""
    found = []
    for name, setting_of in presets.items():
        settings = [(seed, setting_of(seed)) for seed in seeds]
        found.append(_compare(name, _composed(network, settings, bars, progress), real))
    return found


def _composed(
    network: Network,
    settings: Sequence[tuple[int, Controls]],
    bars: int,
    progress: Callable[[int], object],
) -> list[Stream]:
    streams: list[Stream] = []
    for first in range(0, len(settings), ROWS):
        some = settings[first : first + ROWS]
        pool = network.pool(len(some))
        composers = [Composer(network, pool, seed, 0, controls) for seed, controls in some]
        music = streams_of(composers, bars, progress)
        for composer, stream in zip(composers, music, strict=True):
            ends = planned_ends(composer.setting.form, bars, composer.seed)
            streams.append(Stream(composer.controls, stream, ends))
    return streams


def _compare(name: str, streams: Sequence[Stream], real: RealSide) -> Against:
    styles, chosen = real.of(dict.fromkeys(s for one in streams for s, _ in one.controls.style))
    sounding = [score_of(one.bars) for one in streams]
    ours = list(map(at_home, sounding))
    composed = sample(ours, [str(i) for i in range(len(ours))])
    samples = real.sample(chosen)
    closing = [
        phrases(score, one.ends, one.controls.key.tonic)
        for score, one in zip(sounding, streams, strict=True)
    ]
    return Against(
        preset=name,
        styles=styles,
        streams=len(streams),
        bars=sum(len(one.bars) for one in streams),
        real_pieces=len(chosen),
        test=two_sample(samples, composed, control=real.control(chosen)),
        part_writing=(rates(list(map(part_writing, ours))), rates(real.part_writing(chosen))),
        closes=(sum(closing, Phrases()).rates, real.phrases(chosen).rates),
        form=(form_of(ours), form_of(real.scores(chosen))),
        variety=variety(
            composed, samples, [one.bars for one in streams], [one.controls for one in streams]
        ),
    )


def to_json(rows: Sequence[Against], prompted: Prompted | None, modes: Sequence[Mode] = ()) -> str:
    plain = {
        "presets": [asdict(row) for row in rows],
        "modes": [asdict(mode) for mode in modes],
        "prompts": None if prompted is None else asdict(prompted),
    }
    return json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False)
