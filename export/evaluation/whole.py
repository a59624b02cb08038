"""The whole evaluation of a bundle, step after step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from engine.controls.controls import Controls
from engine.library.loading import load_network
from engine.music.bars import Bar
from engine.music.score import Score
from engine.network.runtime import Network
from export.data.dataset import META, Dataset
from export.evaluation.baselines import Likelihood, markov, unigram
from export.evaluation.benchmark import benchmark
from export.evaluation.composing import (
    Commission,
    commission,
    compose,
    composed_harmony,
    echo_pairs,
    grounds,
    kept_key,
    real_harmony,
    score_of,
    strict_settings,
    sweep,
    sweep_settings,
)
from export.evaluation.copying import READINGS, Copying, copying
from export.evaluation.doubts import doubts
from export.evaluation.endurance import Endurance
from export.evaluation.following import chord_settings, followed_chords, follows
from export.evaluation.forcing import forced_likelihoods
from export.evaluation.lasting import last
from export.evaluation.music import RealMusic, opened, read_music
from export.evaluation.obedience import Harmony, obedience_of
from export.evaluation.overlap import compare, compare_by_style
from export.evaluation.report import Points, Report, distributions
from export.evaluation.statistics import measure

STREAM_BARS = 64
SWEEP_BARS = 32
STATISTICS_NOTES = 400_000
MOST_POINTS = 400


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """`notes` and `bars` (for each of at most `styles` styles): 0 leaves that part out, except
    that `notes` below 0 takes all. `train`: the set to look for copies in and to learn the
    baselines from; without it a prepared `data` serves."""

    model: Path
    data: Path
    split: str
    notes: int
    bars: int
    styles: int
    train: Path | None
    copies: bool
    baselines: bool
    endurance: int
    seed: int
    device: str
    threads: int

    @property
    def training(self) -> Path | None:
        if self.train is None and (self.data / META).is_file():
            return self.data
        return self.train


def evaluate(options: EvaluationOptions) -> Report:
    """Everything that the options ask for."""
    network = load_network(options.model, options.device, options.threads)
    codec = network.specification.open_codec()
    with opened(options.data, codec.name) as data:
        if data.frames is not None and options.notes:
            options = replace(options, notes=-1)  # frames are counted by whole splits
        wanted = 0 if options.notes < 0 else max(options.notes, STATISTICS_NOTES)
        music = read_music(data, options.split, codec, wanted, options.seed)
        training = None
        if options.training is not None and (options.baselines or options.copies):
            train = Dataset.open(options.training)
            training = read_music(train, "train", codec, 0, options.seed)
        return _reported(options, network, music, training, data.frames)


def _reported(
    options: EvaluationOptions,
    network: Network,
    music: RealMusic,
    training: RealMusic | None,
    frames: dict[str, Any] | None,
) -> Report:
    tested = music.first(max(0, options.notes))
    likelihoods: list[Likelihood] = []
    if options.notes:
        likelihoods += _forced(network, tested, open_unknown=frames is not None)
    if options.baselines and training is not None:
        likelihoods += _baselines(network, training, tested)
    report = Report(
        model=str(options.model),
        data=f"{options.data} ({options.split})",
        real_pieces=len(music.pieces),
        real_bars=music.bars,
        likelihoods=tuple(likelihoods),
    )
    if frames is not None and likelihoods:
        report = report.with_parts(benchmark=benchmark(likelihoods, frames, options.split))
    if options.bars:
        report = _composed(report, options, network, music, training)
    if options.endurance:
        report = report.with_parts(endurance=_endurance(network, options))
    return report.with_parts(warnings=_doubts(report, music))


def _doubts(report: Report, music: RealMusic) -> tuple[str, ...]:
    """What to warn of, where anything was measured against real music."""
    if not report.likelihoods and not report.comparisons:
        return ()
    styles = {}
    for style, rows in report.by_style.items():
        own = replace(music, pieces=tuple(p for p in music.pieces if p.style == style))
        styles[style] = (len(own.pieces), own.bars, rows)
    return doubts(len(music.pieces), music.bars, report.comparisons, styles)


def _forced(
    network: Network, music: RealMusic, *, open_unknown: bool
) -> tuple[Likelihood, Likelihood]:
    total = sum(len(piece.events) for piece in music.pieces)
    with showing("likelihood", total, "notes") as progress:
        return forced_likelihoods(network, music, progress, open_unknown=open_unknown)


def _baselines(network: Network, training: RealMusic, tested: RealMusic) -> list[Likelihood]:
    names, sizes = zip(*network.specification.event, strict=True)
    train, test = training.corpus(), tested.corpus()
    with showing("baselines", 2, "models") as progress:
        found = []
        for model in (unigram, markov):
            found.append(model(train, test, names, sizes))
            progress(1)
    return found


def _composed(
    report: Report,
    options: EvaluationOptions,
    network: Network,
    music: RealMusic,
    training: RealMusic | None,
) -> Report:
    """The report with what only composing can tell."""
    streams = max(1, options.bars // STREAM_BARS)
    order = commission(music, network.specification.styles, options.styles, streams)
    bars = _compose(network, order, options.bars // streams, options.seed)
    scores = [score_of(stream) for stream in bars]
    ours = [measure(score) for score in scores]
    real_scores = list(music.scores())
    real = [measure(score) for score in real_scores]
    real_styles = [piece.style for piece in music.pieces]
    pairs = _sweep(network, order.settings, options.seed)
    echoes = [echo_pairs(stream) for stream in bars]
    pairs["echo"] = tuple(  # type: ignore[assignment]
        [value for echo in echoes for value in echo[side]] for side in (0, 1)
    )
    copies: dict[str, tuple[Copying, ...]] = {}
    if training is not None and options.copies:
        copies = _copies(scores, real_scores, training)
    obeyed = obedience_of(pairs)
    return report.with_parts(
        composed_bars=sum(map(len, bars)),
        comparisons=compare(ours, real),
        by_style=compare_by_style(ours, order.styles, real, real_styles),
        distributions=distributions(ours, real),
        copying=copies,
        obedience=obeyed,
        follows=follows(obeyed, _chords(network, order.settings, options.seed)),
        points={name: _points(*pair) for name, pair in pairs.items()},
        harmony={
            "composed": composed_harmony(bars),
            "composed, key asked strictly": _kept_key(network, order.settings, options.seed),
            "real": real_harmony(music),
        },
    )


def _compose(network: Network, order: Commission, bars: int, seed: int) -> list[list[Bar]]:
    with showing("composing", bars * len(order.settings), "bars") as progress:
        return compose(network, order.settings, bars, seed, progress)


def _sweep(
    network: Network, base: Sequence[Controls], seed: int
) -> dict[str, tuple[list[float], list[float]]]:
    asked = sweep_settings(grounds(base))
    with showing("obedience", len(asked) * SWEEP_BARS, "bars") as progress:
        return sweep(network, asked, SWEEP_BARS, seed, progress)


def _kept_key(network: Network, base: Sequence[Controls], seed: int) -> Harmony:
    settings = strict_settings(grounds(base))
    with showing("strict keys", len(settings) * SWEEP_BARS, "bars") as progress:
        return kept_key(network, settings, SWEEP_BARS, seed, progress)


def _chords(network: Network, base: Sequence[Controls], seed: int) -> float | None:
    settings = chord_settings(grounds(base))
    with showing("chords", len(settings) * SWEEP_BARS, "bars") as progress:
        return followed_chords(network, settings, SWEEP_BARS, seed, progress)


def _copies(
    composed: list[Score], real: list[Score], training: RealMusic
) -> dict[str, tuple[Copying, ...]]:
    """Runs shared with the training set, by composed music and by as much held-out real music."""
    amount = sum(len(score.notes) for score in composed)
    sizes = np.cumsum([len(score.notes) for score in real])
    held_out = real[: int(np.searchsorted(sizes, amount)) + 1]
    with showing("copies", len(READINGS), "readings") as progress:
        found: dict[str, list[Copying]] = {"composed": [], "real": []}
        for reading in READINGS:
            for whose, scores in (("composed", composed), ("real", held_out)):
                found[whose].append(copying(scores, training.scores(), reading))
            progress(1)
    return {whose: tuple(several) for whose, several in found.items()}


def _endurance(network: Network, options: EvaluationOptions) -> Endurance:
    """One stream with every control at its default."""
    with showing("endurance", options.endurance, "bars") as progress:
        (alone,) = last(
            network, {"": lambda seed: Controls()}, [options.seed], options.endurance, progress
        )
    return alone.courses[0].found


def _points(asked: Sequence[float], heard: Sequence[float]) -> Points:
    """At most `MOST_POINTS` of the pairs that both sides know, evenly spread."""
    known = [pair for pair in zip(asked, heard, strict=True) if not np.isnan(pair).any()]
    step = max(1, -(-len(known) // MOST_POINTS))
    return tuple(known[::step])


@contextmanager
def showing(what: str, total: int, unit: str) -> Iterator[Callable[[int], object]]:
    """A bar on a terminal, nothing elsewhere."""
    with tqdm(total=total, desc=what, unit=f" {unit}", disable=None, leave=False) as bar:
        yield bar.update
