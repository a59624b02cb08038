"""The report of an evaluation: one value, told as JSON, as text and (`pictures`) as a PNG."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from export.evaluation.baselines import Likelihood
from export.evaluation.benchmark import Benchmark
from export.evaluation.copying import Copying
from export.evaluation.endurance import Endurance
from export.evaluation.obedience import Harmony, Obedience
from export.evaluation.overlap import Comparison, pooled
from export.evaluation.statistics import FIGURES, MeasuredMusic, mean_similarity

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Distributions:
    """Shares by bin of each figure and self-similarity by lag, None where there is none."""

    composed: dict[str, list[float]]
    real: dict[str, list[float]]
    composed_similarity: list[float | None]
    real_similarity: list[float | None]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was found out about a model; parts that were not asked for are empty.

    `copying` is keyed by whose music was searched for in the training set ("composed", "real").
    `points` holds (asked, heard) pairs of each control, for drawing. `harmony` tells how far
    notes keep to key and chord of the plan, composed and in real music. `follows` are the figures
    that the bundle may carry (see `export.evaluation.following`). `warnings` tell which
    figures rest on too little (see `doubts`).
    """

    model: str
    data: str
    composed_bars: int = 0
    real_pieces: int = 0
    real_bars: int = 0
    warnings: tuple[str, ...] = ()
    likelihoods: tuple[Likelihood, ...] = ()
    benchmark: Benchmark | None = None
    comparisons: tuple[Comparison, ...] = ()
    by_style: dict[str, tuple[Comparison, ...]] = field(default_factory=dict)
    distributions: Distributions | None = None
    copying: dict[str, tuple[Copying, ...]] = field(default_factory=dict)
    obedience: tuple[Obedience, ...] = ()
    points: dict[str, Points] = field(default_factory=dict)
    harmony: dict[str, Harmony] = field(default_factory=dict)
    follows: dict[str, float] = field(default_factory=dict)
    endurance: Endurance | None = None

    def with_parts(self, **parts: Any) -> Report:
        """This report and more: parts by the names of its fields."""
        return replace(self, **parts)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, allow_nan=False, ensure_ascii=False)

    def __str__(self) -> str:
        """A readable page; widths suit a terminal of 80 columns."""
        blocks = [
            f"{self.model} on {self.data}",
            _likelihood_lines(self.likelihoods),
            _benchmark_lines(self.benchmark),
            _comparison_lines(self.comparisons),
            _style_lines(self.by_style),
            _copying_lines(self.copying),
            _obedience_lines(self.obedience),
            _harmony_lines(self.harmony),
            _follows_lines(self.follows),
            _endurance_lines(self.endurance),
        ]
        return "\n\n".join(block for block in blocks if block)


def distributions(
    composed: Sequence[MeasuredMusic], real: Sequence[MeasuredMusic]
) -> Distributions:
    """What the panels of the picture show."""
    return Distributions(_mean_shares(composed), _mean_shares(real), _curve(composed), _curve(real))


def _mean_shares(pieces: Sequence[MeasuredMusic]) -> dict[str, list[float]]:
    rows = {figure.name: pooled(figure, pieces) for figure in FIGURES}
    return {name: row.mean(axis=0).tolist() for name, row in rows.items() if len(row)}


def _curve(pieces: Sequence[MeasuredMusic]) -> list[float | None]:
    if not pieces:
        return []
    return [None if np.isnan(v) else float(v) for v in mean_similarity(list(pieces))]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned: the first to the left, the others to the right."""
    lines = [head, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _likelihood_lines(rows: Sequence[Likelihood]) -> str:
    if not rows:
        return ""
    names = list(rows[0].nats)
    head = ["nats", "a note", *names]
    told = [
        [row.label, _number(row.nats_per_note), *(_number(row.nats[name]) for name in names)]
        for row in rows
    ]
    text = table(head, told)
    exact = [row for row in rows if row.accuracy]
    if exact:
        hits = [[row.label, *(_number(row.accuracy[name]) for name in names)] for row in exact]
        text += "\n\n" + table(["likeliest value right", *names], hits)
    return text


def _benchmark_lines(found: Benchmark | None) -> str:
    if found is None:
        return ""
    rows = [[label, str(found.units), _number(nats)] for label, nats in found.nats.items()]
    return table(["benchmark", f"{found.unit}s", f"nats a {found.unit}"], rows)


def _comparison_lines(rows: Sequence[Comparison]) -> str:
    if not rows:
        return ""
    head = ["figure", "composed", "real", "overlap", "real–real", "divergence"]
    told = [
        [
            row.figure,
            *(_number(v) for v in (row.composed, row.real, row.overlap, row.yardstick)),
            _number(row.divergence),
        ]
        for row in rows
    ]
    return table(head, told)


def mean_overlap(rows: Sequence[Comparison]) -> tuple[float | None, float | None]:
    """Mean overlap and mean yardstick over the figures that have both."""
    both = [
        (row.overlap, row.yardstick)
        for row in rows
        if row.overlap is not None and row.yardstick is not None
    ]
    if not both:
        return None, None
    ours, theirs = np.mean(both, axis=0)
    return float(ours), float(theirs)


def _style_lines(styles: Mapping[str, Sequence[Comparison]]) -> str:
    if not styles:
        return ""
    rows = [[style, *(_number(v) for v in mean_overlap(rows))] for style, rows in styles.items()]
    return table(["style", "overlap", "real–real"], rows)


def _copying_lines(found: Mapping[str, Sequence[Copying]]) -> str:
    if not found:
        return ""
    head = ["shared with training", "longest", "median", "p90", "p99", "covered"]
    rows = [
        [
            f"{whose}, {row.reading}",
            str(row.longest),
            *(_number(v, 0) for v in (row.median, row.p90, row.p99)),
            f"{row.covered:.1%}",
        ]
        for whose, several in found.items()
        for row in several
    ]
    return table(head, rows)


def _obedience_lines(rows: Sequence[Obedience]) -> str:
    if not rows:
        return ""
    told = [
        [row.control, str(row.bars), _number(row.pearson), _number(row.spearman)] for row in rows
    ]
    return table(["obedience", "bars", "Pearson", "Spearman"], told)


def _harmony_lines(found: Mapping[str, Harmony]) -> str:
    if not found:
        return ""
    rows = [[whose, _number(row.key), _number(row.chord)] for whose, row in found.items()]
    return table(["share of notes", "in key", "in chord"], rows)


def _follows_lines(figures: Mapping[str, float]) -> str:
    if not figures:
        return ""
    return table(["follows (0: chance)", ""], [[n, _number(v)] for n, v in figures.items()])


def _endurance_lines(found: Endurance | None) -> str:
    if found is None:
        return ""
    head = ["from bar", "pitch", "notes/quarter", "velocity", "looped", "bits pitch", "bits gap"]
    rows = [
        [
            str(block.first),
            *(_number(v, 1) for v in (block.pitch, block.density, block.velocity)),
            str(block.repeated),
            *(_number(v, 2) for v in (block.pitch_entropy, block.gap_entropy)),
        ]
        for block in found.blocks
    ]
    return (
        table(head, rows)
        + f"\n{found.bars} bars, {found.notes} notes; bars in loops of eight: {found.repeated}; "
        f"longest silence: {found.longest_silence:.1f} quarters"
    )
