"""Presets over many minutes: whether the music develops, and whether its voices stay apart."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np

from engine.composing.composer import Composer
from engine.controls.controls import Controls
from engine.music.analysis import bar_bounds
from engine.music.bars import Bar
from engine.music.measures import Floats, Ints, measure
from engine.music.score import DRUMS, Score, bar_grid
from engine.network.runtime import Network
from export.evaluation.against.collapse import WHAT, Fault, affected, faults
from export.evaluation.against.comparing import ROWS, RealSide
from export.evaluation.composing import SettingOf, bar_by_bar, score_of

BLOCK = 180  # seconds
MICROSECONDS = 1_000_000
TOGETHER = 16  # bars that streams compose before it is looked who is there
FIGURES = ("density", "register", "polyphony")
PITCH_CLASSES = "pitch classes"
Level = dict[str, Floats]  # what is measured of a stretch of music, by name


@dataclass(frozen=True, slots=True)
class StreamFault:
    """A fault with its stream's seed and the minute in which it begins."""

    seed: int
    minute: int
    fault: Fault


@dataclass(frozen=True, slots=True)
class Minutes:
    """`blocks` and `real` are how far blocks of three minutes, and real pieces of the `styles`, lie
    apart, `share` the first as a share of the second. `affected` and `real_affected` are the shares
    of bars that have each fault."""

    preset: str
    styles: tuple[str, ...]
    streams: int
    bars: int
    minutes: float
    blocks: dict[str, float | None]
    real: dict[str, float | None]
    faults: tuple[StreamFault, ...]
    affected: dict[str, float]
    real_pieces: int
    real_affected: dict[str, float]

    @property
    def share(self) -> dict[str, float | None]:
        return {name: _share(self.blocks[name], self.real[name]) for name in self.blocks}

    @property
    def faulty(self) -> list[int]:
        """The seeds that have a fault."""
        return sorted({one.seed for one in self.faults})


def over_minutes(
    network: Network,
    presets: Mapping[str, SettingOf],
    real: RealSide,
    seeds: Sequence[int],
    minutes: int,
    progress: Callable[[int], object] = lambda minutes: None,
) -> list[Minutes]:
    """Each preset from each seed for so many minutes; progress is told each minute of a stream."""
    found = []
    for name, setting_of in presets.items():
        settings = [(seed, setting_of(seed)) for seed in seeds]
        streams = [
            stream
            for first in range(0, len(settings), ROWS)
            for stream in _composed(network, settings[first : first + ROWS], minutes, progress)
        ]
        found.append(_compare(name, settings, streams, real))
    return found


def _composed(
    network: Network,
    settings: Sequence[tuple[int, Controls]],
    minutes: int,
    progress: Callable[[int], object],
) -> list[list[Bar]]:
    """So many minutes of each stream, and the bars until all are looked at again."""
    pool = network.pool(len(settings))
    composers = [Composer(network, pool, seed, 0, controls) for seed, controls in settings]
    streams: list[list[Bar]] = [[] for _ in composers]
    elapsed = [0] * len(composers)
    while going := [i for i, time in enumerate(elapsed) if _minute(time) < minutes]:
        for number, bar in bar_by_bar([composers[i] for i in going], TOGETHER):
            i = going[number]
            streams[i].append(bar)
            before, elapsed[i] = elapsed[i], elapsed[i] + bar.length
            progress(_minute(elapsed[i]) - _minute(before))
    return streams


def _minute(time: int) -> int:
    return time // (60 * MICROSECONDS)


def _compare(
    name: str,
    settings: Sequence[tuple[int, Controls]],
    streams: Sequence[Sequence[Bar]],
    real: RealSide,
) -> Minutes:
    styles, chosen = real.of(dict.fromkeys(s for _, one in settings for s, _ in one.style))
    pieces = real.scores(chosen)
    blocks = [
        [level(score_of(block), controls.key.shift) for block in _blocks(stream)]
        for (_, controls), stream in zip(settings, streams, strict=True)
    ]
    found = [
        faults(score_of(stream), [part - 1 for part in controls.parts])
        for (_, controls), stream in zip(settings, streams, strict=True)
    ]
    return Minutes(
        preset=name,
        styles=styles,
        streams=len(streams),
        bars=sum(map(len, streams)),
        minutes=sum(bar.length for stream in streams for bar in stream) / MICROSECONDS / 60,
        blocks=_mean([spread(one) for one in blocks]),
        real=spread([level(piece) for piece in pieces if len(piece.notes)]),
        faults=tuple(
            fault
            for (seed, _), stream, some in zip(settings, streams, found, strict=True)
            for fault in _placed(seed, stream, some)
        ),
        affected=_affected(found, sum(map(len, streams))),
        real_pieces=len(pieces),
        real_affected=_affected(
            [faults(piece, piece.parts) for piece in pieces],
            sum(len(bar_grid(piece).starts) for piece in pieces),
        ),
    )


def _blocks(stream: Sequence[Bar]) -> list[Sequence[Bar]]:
    """Three minutes each; what is left at the end belongs to the last one."""
    ends = np.cumsum([bar.length for bar in stream]) / MICROSECONDS
    number = max(1, int(ends[-1] / BLOCK + 0.5))
    cuts = np.searchsorted(ends, BLOCK * np.arange(1, number))
    edges = [0, *cuts.tolist(), len(stream)]
    return [stream[first:stop] for first, stop in pairwise(edges) if first < stop]


def level(score: Score, shift: int = 0) -> Level:
    """Means by bar, and the shares of pitch classes; `shift` semitones above home."""
    found = measure(score.notes, bar_bounds(bar_grid(score)))
    melodic = score.notes["pitch"][score.notes["part"] != DRUMS].astype(np.int64)
    classes = np.bincount((melodic - shift) % 12, minlength=12)
    means: Level = {name: _known_mean(found[name]) for name in FIGURES}
    return {**means, PITCH_CLASSES: classes / max(len(melodic), 1)}


def _known_mean(values: Floats) -> Floats:
    known = values[~np.isnan(values)]
    return np.atleast_1d(known.mean() if len(known) else np.nan)


def spread(levels: Sequence[Level]) -> dict[str, float | None]:
    """The root of the mean square distance from the mean; None of fewer than two."""
    found: dict[str, float | None] = {}
    for name in (*FIGURES, PITCH_CLASSES):
        rows = np.array([one[name] for one in levels]).reshape(len(levels), -1)
        rows = rows[~np.isnan(rows).any(axis=1)]
        away = ((rows - rows.mean(axis=0)) ** 2).sum(axis=1) if len(rows) > 1 else None
        found[name] = None if away is None else float(np.sqrt(away.mean()))
    return found


def _mean(found: Sequence[dict[str, float | None]]) -> dict[str, float | None]:
    names = (*FIGURES, PITCH_CLASSES)
    known = {name: [v for one in found if (v := one[name]) is not None] for name in names}
    return {name: float(np.mean(values)) if values else None for name, values in known.items()}


def _share(ours: float | None, theirs: float | None) -> float | None:
    return ours / theirs if ours is not None and theirs else None


def _placed(seed: int, stream: Sequence[Bar], found: Sequence[Fault]) -> list[StreamFault]:
    begins: Ints = np.cumsum([0, *(bar.length for bar in stream)])
    return [StreamFault(seed, _minute(int(begins[fault.bar])), fault) for fault in found]


def _affected(found: Sequence[Sequence[Fault]], bars: int) -> dict[str, float]:
    """Of the bars of several pieces, the shares that have each fault."""
    counts = [affected(one) for one in found]
    return {what: sum(one[what] for one in counts) / max(bars, 1) for what in WHAT}


def to_json(rows: Sequence[Minutes]) -> str:
    plain = [{**asdict(row), "share": row.share, "faulty": row.faulty} for row in rows]
    return json.dumps({"minutes": plain}, indent=1, ensure_ascii=False, allow_nan=False)
