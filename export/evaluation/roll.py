"""A piece of music as a picture: pitch over time, a line of the page for so many bars."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from common.errors import MidiError
from engine.library.piano_roll import COLOURS
from engine.music.score import DRUMS, PARTS, Score, bar_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LINES = 100  # each of which takes a part of a second
MOST_NOTES = 50_000
PARTING = 4  # bars between heavier lines
_WIDTH, _HEIGHT = 14.0, 2.3  # inches of a line of the page
_MARGIN = 3  # semitones above and below


def roll(score: Score, bars_a_line: int = 16, title: str = "") -> bytes:
    """A PNG file. Parts in colours, soft notes paler, a thin line a bar."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    grid = bar_grid(score)
    end = int(grid.starts[-1]) + grid.metres[-1].ticks
    starts = [*grid.starts.tolist(), max(end, score.end)]
    lines = [starts[i : i + bars_a_line + 1] for i in range(0, len(starts) - 1, bars_a_line)]
    if len(lines) > MOST_LINES or len(score.notes) > MOST_NOTES:
        raise MidiError(
            f"it has {len(starts) - 1:,} bars with {len(score.notes):,} notes, and a picture holds "
            f"{MOST_LINES} lines and {MOST_NOTES:,} notes: draw more bars a line, or a shorter "
            "piece"
        )
    sheet = Figure(figsize=(_WIDTH, _HEIGHT * max(len(lines), 1)))
    FigureCanvasAgg(sheet)
    pitches = score.notes["pitch"]
    low = int(pitches.min(initial=60)) - _MARGIN
    high = int(pitches.max(initial=60)) + _MARGIN
    widest = max((line[-1] - line[0] for line in lines), default=1)
    for place, line in enumerate(lines):
        axes = sheet.add_subplot(len(lines), 1, place + 1)
        _line(axes, score, line, place * bars_a_line)
        axes.set_xlim(line[0], line[0] + widest)
        axes.set_ylim(low, high)
    if title and lines:
        sheet.axes[0].set_title(title, fontsize=10, loc="left")
    sheet.tight_layout(h_pad=0.3)
    stream = io.BytesIO()
    sheet.savefig(stream, format="png", dpi=80)
    return stream.getvalue()


def _line(axes: Axes, score: Score, starts: list[int], first: int) -> None:
    notes = score.notes
    ends = notes["onset"] + notes["duration"]
    here = notes[(ends > starts[0]) & (notes["onset"] < starts[-1])]
    for part in range(PARTS):
        own = here[here["part"] == part]
        if not len(own):
            continue
        begins = np.maximum(own["onset"], starts[0])
        lengths = np.minimum(own["onset"] + own["duration"], starts[-1]) - begins
        heights = 0.5 if part == DRUMS else 0.9
        bars = axes.barh(own["pitch"], lengths, left=begins, height=heights, color=COLOURS[part])
        for bar, velocity in zip(bars, own["velocity"].tolist(), strict=True):
            bar.set_alpha(0.35 + 0.65 * (velocity or 64) / 127)
    for number, start in enumerate(starts, first):
        heavy = number % PARTING == 0
        axes.axvline(start, color="#888888", linewidth=0.9 if heavy else 0.3, zorder=0)
    axes.set_xticks(starts[::PARTING], [str(first + i) for i in range(0, len(starts), PARTING)])
    axes.tick_params(labelsize=7, length=2)
    octaves = range(0, 128, 12)
    axes.set_yticks(octaves, [f"C{pitch // 12 - 1}" for pitch in octaves])
