"""What performances show: `python -m export.performing.report FILE…` prints a line for each MIDI
file, and one for all of them. Composed music and real music are measured alike."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common.files import MUSIC, read_bytes
from engine.files.midi import Smf, performance_times, read
from export.performing.pedal import changes, has_pedal, share_down
from export.performing.pieces import piece_of
from export.performing.tempo import rubato
from export.performing.touch import contrasts, spreads

MINUTE = 60e6  # microseconds


class PerformanceReport(NamedTuple):
    """Times down of the pedal a minute, the share of the piece with it down, and the share of its
    ends that lie at half bars; steps of velocity from inner voices to melody, mean of the bars;
    milliseconds between what is struck together, median; the spread of the tempo between bars, a
    logarithm."""

    pedals: float
    pedal_down: float
    pedal_changes: float
    contrast: float
    spread: float
    rubato: float


def report_of(smf: Smf) -> PerformanceReport:
    """Of a file with notes."""
    piece = piece_of(smf)
    minutes = float(performance_times(smf, smf.notes["end"]).max()) / MINUTE
    return PerformanceReport(
        len(piece.pedals) / minutes,
        share_down(piece),
        changes(piece) if has_pedal(piece) else 0.0,
        float(np.mean(list(contrasts(piece)) or [0.0])),
        float(np.median(list(spreads(smf)) or [0.0])),
        float(rubato(piece).std()),
    )


def main(files: Sequence[str]) -> None:
    reports = [report_of(read(read_bytes(Path(file), MUSIC))) for file in files]
    print("  ".join(f"{name:>13}" for name in PerformanceReport._fields))
    for file, report in zip(files, reports, strict=True):
        print("  ".join(f"{value:13.3f}" for value in report), "", file)
    print("  ".join(f"{value:13.3f}" for value in np.median(reports, axis=0)), " median of all")


if __name__ == "__main__":
    main(sys.argv[1:])
