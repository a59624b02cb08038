"""The picture of a report, as a PNG file in memory."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from export.evaluation.against.comparing import Against
from export.evaluation.against.minutes import Minutes
from export.evaluation.against.two_sample import TwoSample
from export.evaluation.endurance import BarBlock
from export.evaluation.lasting import Lasting
from export.evaluation.report import Distributions, Points, Report
from export.evaluation.statistics import FIGURES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Sheet

COLUMNS = 4
CLOSING = "phrase ends, any close"  # of the closes, what is drawn
_COMPOSED, _REAL = "tab:orange", "tab:blue"


# Title, blocks and attribute of each panel on a long stream.
_ENDURANCE = (
    ("mean pitch", "blocks", "pitch"),
    ("notes a quarter", "blocks", "density"),
    ("mean velocity", "blocks", "velocity"),
    ("bars in loops", "blocks", "repeated"),
    ("entropy of pitch, bits", "entropy", "pitch_entropy"),
    ("entropy of gaps, bits", "entropy", "gap_entropy"),
)


# The same of presets, from several seeds.
_LASTING = tuple(panel for panel in _ENDURANCE if panel[2] != "repeated")


def picture(report: Report) -> bytes:
    """Distributions of composed and real music, self-similarity by lag, obedience by control,
    and what becomes of a long stream."""
    shown = report.distributions
    names = [f for f in FIGURES if shown and (f.name in shown.composed or f.name in shown.real)]
    long = _ENDURANCE if report.endurance else ()
    sheet, axes = _sheet(len(names) + bool(shown) + len(report.points) + len(long))
    places = iter(axes)
    if shown:
        for figure in names:
            _distribution(next(places), shown, figure.name, figure.edges)
        _similarity(next(places), shown)
    for control, points in report.points.items():
        _obedience(next(places), control, points)
    for title, blocks, name in long:
        _course(next(places), title, getattr(report.endurance, blocks), name)
    return _png(sheet)


def lasting_picture(rows: Sequence[Lasting]) -> bytes:
    """A row of panels a preset, a line a seed."""
    sheet, axes = _sheet(len(_LASTING) * len(rows), len(_LASTING))
    places = iter(axes)
    for row in rows:
        for title, blocks, name in _LASTING:
            place = next(places)
            for course in row.courses:
                _course(place, f"{row.name}: {title}", getattr(course.found, blocks), name, None)
    return _png(sheet)


def against_picture(rows: Sequence[Against]) -> bytes:
    """How surely each preset is told from real music, and real music from itself; how its phrases
    and those of real music close."""
    sheet, (told, closing) = _sheet(2, 2)
    sheet.subplots_adjust(left=0.1)  # for the names
    _told(told, [(row.preset, row.test) for row in rows if row.test is not None])
    names = [row.preset for row in rows]
    pairs = [tuple(side[CLOSING] for side in row.closes) for row in rows]
    _pairs(closing, names, pairs)
    closing.set_xlim(0, 1)
    closing.set_title(f"{CLOSING}: • composed, | real", fontsize=8)
    return _png(sheet)


def minutes_picture(rows: Sequence[Minutes]) -> bytes:
    """How far blocks of three minutes lie apart, as a share of how far real pieces do."""
    names = list(rows[0].share) if rows else []
    sheet, axes = _sheet(len(names))
    for i, (place, name) in enumerate(zip(axes, names, strict=False)):
        _pairs(place, [row.preset for row in rows], [(row.share[name], 1.0) for row in rows])
        place.set_xlim(left=0)
        place.set_title(f"{name}: blocks, of real pieces'", fontsize=8)
        if i:
            place.set_yticks([])
    sheet.subplots_adjust(left=0.1)
    return _png(sheet)


def _told(place: Axes, told: Sequence[tuple[str, TwoSample]]) -> None:
    for height, (_, test) in enumerate(told):
        place.plot((test.low, test.high), (height, height), color=_COMPOSED, linewidth=5, alpha=0.4)
        place.plot(test.auc, height, "o", color=_COMPOSED)
        place.plot(test.control, height, "|", color=_REAL, markersize=12)
    place.set_yticks(range(len(told)), [name for name, _ in told])
    place.set_xlim(0.3, 1.02)
    place.axvline(0.5, color="grey", linewidth=0.8)
    place.set_title("AUC, composed against real (bar: 95 %); | real against real", fontsize=8)


def _pairs(place: Axes, names: Sequence[str], pairs: Sequence[tuple[float | None, ...]]) -> None:
    """A line a name: what is composed, and what is real."""
    for height, (ours, theirs) in enumerate(pairs):
        if ours is not None:
            place.plot(ours, height, "o", color=_COMPOSED)
        if theirs is not None:
            place.plot(theirs, height, "|", color=_REAL, markersize=12)
    place.set_yticks(range(len(names)), names)


def _sheet(panels: int, columns: int = COLUMNS) -> tuple[Sheet, list[Axes]]:
    # pyplot is avoided: it keeps global state and may look for a display.
    from matplotlib.figure import Figure

    rows = -(-max(1, panels) // columns)
    sheet = Figure(figsize=(3.4 * COLUMNS, 2.6 * rows))
    # Fixed margins: finding the best ones takes matplotlib seconds for so many panels.
    height = 2.6 * rows
    sheet.subplots_adjust(
        left=0.04, right=0.99, bottom=0.45 / height, top=1 - 0.3 / height, wspace=0.25, hspace=0.45
    )
    axes = [sheet.add_subplot(rows, columns, i + 1) for i in range(panels)]
    for place in axes:
        place.tick_params(labelsize=7)
    return sheet, axes


def _png(sheet: Sheet) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    stream = io.BytesIO()
    FigureCanvasAgg(sheet)
    sheet.savefig(stream, format="png")
    return stream.getvalue()


def _distribution(place: Axes, shown: Distributions, name: str, edges: tuple[float, ...]) -> None:
    # Uneven and open bins are drawn equally wide, labelled by their lower edges.
    for shares, color, label in (
        (shown.real.get(name), _REAL, "real"),
        (shown.composed.get(name), _COMPOSED, "composed"),
    ):
        if shares:
            place.stairs(shares, color=color, fill=color == _REAL, alpha=0.6, label=label)
    bins = len(edges) - 1
    ticks = list(range(0, bins, max(1, bins // 6)))
    place.set_xticks([t + 0.5 for t in ticks], [_label(edges[t], edges[t + 1]) for t in ticks])
    place.set_title(name, fontsize=9)
    place.legend(fontsize=6, loc="upper right")


def _label(low: float, high: float) -> str:
    """The whole value at the middle of a bin, or its lower edge."""
    return f"{(low + high) / 2:g}" if high - low == 1 else f"{abs(round(low, 3)):g}"


def _similarity(place: Axes, shown: Distributions) -> None:
    for curve, color, label in (
        (shown.real_similarity, _REAL, "real"),
        (shown.composed_similarity, _COMPOSED, "composed"),
    ):
        heights = [np.nan if value is None else value for value in curve]
        place.plot(range(1, len(heights) + 1), heights, color=color, label=label)
    place.set_title("self-similarity", fontsize=9)
    place.set_xlabel("bars apart", fontsize=8)
    place.legend(fontsize=6, loc="upper right")


def _obedience(place: Axes, control: str, points: Points) -> None:
    pairs = np.array(points, np.float64).reshape(-1, 2)
    place.plot(pairs[:, 0], pairs[:, 1], ".", color=_COMPOSED, alpha=0.4, markersize=4)
    place.set_title(control, fontsize=9)
    place.set_xlabel("asked", fontsize=8)
    place.set_ylabel("heard", fontsize=8)


def _course(
    place: Axes, title: str, blocks: Sequence[BarBlock], name: str, color: str | None = _COMPOSED
) -> None:
    values = [getattr(block, name) for block in blocks]
    heights = [np.nan if value is None else value for value in values]
    place.plot([block.first for block in blocks], heights, color=color, linewidth=1)
    place.set_title(title, fontsize=9)
    place.set_xlabel("bar", fontsize=8)
