"""The report of a dataset: report.json, report.txt, pieces.tsv and pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from export.data.sources import SPLITS
from export.data.statistics import Statistics
from export.data.traits import lines as trait_lines
from export.data.writing import write_json, write_text

if TYPE_CHECKING:
    from export.data.prepare import SourcePiece

_NAMED = 3  # files named beside each reason for skipping some; report.json names all
_LISTED = 50  # files and pairs named in the text; report.json names all


def write(
    folder: Path, pieces: Sequence[SourcePiece], statistics: Statistics, figures: dict[str, Any]
) -> None:
    write_json(folder / "report.json", figures)
    write_text(folder / "report.txt", text(figures))
    _write_pieces(folder / "pieces.tsv", pieces)
    _draw(folder / "report.png", statistics)


def text(figures: dict[str, Any]) -> str:
    """The statistics for people."""
    lines = [summary(figures), ""]
    lines += _table(("split", "pieces", "notes"), figures["splits"])
    lines += ["", *_table(("style", "pieces", "notes", *SPLITS), figures["styles"])]
    grid, loss = figures["grid"], figures["codec"]
    lines += [
        "",
        f"velocities known: {figures['velocity_known_share']:.1%} of the notes",
        f"onsets off the grid: {grid['off_grid_share']:.2%}, "
        f"mean error of all onsets {grid['mean_onset_error_ms']:.2f} ms",
        f"lost in the representation ({loss['notes_measured']} notes measured): "
        f"notes {loss['notes_missing_share']:.2%}, onsets {loss['onsets_moved_share']:.2%} "
        f"(mean {loss['mean_onset_error_ticks']:.3f} ticks), durations "
        f"{loss['durations_changed_share']:.2%} (mean {loss['mean_duration_error_ticks']:.3f})",
    ]
    if figures["repairs"]:
        lines += ["", "repaired files:"]
        lines += [f"  {count:6d}  {repair}" for repair, count in figures["repairs"].items()]
    if figures["traits"]:
        lines += ["", "what the pieces to learn from are:", *trait_lines(figures["traits"])]
    lines += _listing("left out", (f"{p['file']}: {p['reason']}" for p in figures["left_out"]))
    lines += _listing(
        "kept as written, for it is not clear how they are to be played",
        (f"{p['file']}: {p['reason']}" for p in figures["not_followed"]),
    )
    lines += _listing(
        "there twice",
        (f"{d['dropped']} = {d['same_as']} ({d['share']:.0%})" for d in figures["duplicates"]),
    )
    return "\n".join(lines) + "\n"


def summary(figures: dict[str, Any]) -> str:
    """What came of it, and what lay there and was not read."""
    first = (
        f"{figures['files']} files, {figures['pieces']} pieces, {figures['notes']} notes "
        f"({figures['events']} events); {len(figures['left_out'])} files left out, "
        f"{len(figures['duplicates'])} duplicates"
    )
    unclear = figures["not_followed"]
    kept = [f"{len(unclear)} pieces have jumps that were not followed: see report.txt"]
    return "\n".join((first, *(kept if unclear else ()), *skipped_lines(figures["skipped"])))


def skipped_lines(skipped: Sequence[dict[str, Any]]) -> list[str]:
    """A line a reason, with some of the files that it holds for."""
    lines = []
    for row in skipped:
        files = row["files"]
        more = f" … and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
        lines.append(f"skipped {row['count']}: {row['reason']} ({', '.join(files[:_NAMED])}{more})")
    return lines


def _table(head: tuple[str, ...], rows: dict[str, dict[str, int]]) -> list[str]:
    lines = [f"{head[0]:<16}" + "".join(f"{name:>12}" for name in head[1:])]
    for name, row in rows.items():
        lines.append(f"{name:<16}" + "".join(f"{row[column]:>12}" for column in head[1:]))
    return lines


def _listing(title: str, items: Iterable[str]) -> list[str]:
    rows = list(items)
    if not rows:
        return []
    more = [f"  … and {len(rows) - _LISTED} more in report.json"] if len(rows) > _LISTED else []
    return ["", f"{title}:", *(f"  {row}" for row in rows[:_LISTED]), *more]


def _write_pieces(path: Path, pieces: Sequence[SourcePiece]) -> None:
    """One line a piece, in the order of pieces.npy."""
    lines = ["file\ttitle\tcomposer\tlicence\tstyle\tsplit\tnotes"]
    for piece in pieces:
        source = piece.source
        row = (source.file, source.title, source.composer, source.licence, piece.style, piece.split)
        lines.append("\t".join(" ".join(str(cell).split()) for cell in (*row, piece.scan.notes)))
    write_text(path, "\n".join(lines) + "\n")


def _draw(path: Path, statistics: Statistics) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7))
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 2).ravel()
    histograms = (
        ("pitch", statistics.pitches, 1.0, "MIDI pitch in C major or A minor", "notes"),
        ("duration", statistics.durations[1:97], 1.0, "ticks (24 a quarter)", "notes"),
        ("density", statistics.densities, 0.5, "notes a quarter", "bars"),
    )
    for axis, (title, counts, step, unit, what) in zip(axes[:3], histograms, strict=True):
        first = 1 if title == "duration" else 0
        axis.stairs(counts, (np.arange(len(counts) + 1) + first - 0.5) * step, fill=True)
        axis.set(title=title, xlabel=unit, ylabel=what)
    styles = sorted({style for style, _ in statistics.notes})
    left = np.zeros(len(styles))
    for split in SPLITS:
        counts = np.array([statistics.notes[style, split] / 1000 for style in styles])
        axes[3].barh(styles, counts, left=left, label=split)
        left += counts
    axes[3].set(title="styles", xlabel="thousand notes")
    axes[3].legend()
    figure.subplots_adjust(0.08, 0.08, 0.97, 0.95, wspace=0.25, hspace=0.3)
    figure.savefig(path, dpi=100)
