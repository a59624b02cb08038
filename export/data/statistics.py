"""Counting while a dataset is made: what came in, what was lost, what it is like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.files import NOTICE, read_beginning
from export.data.finding import Problem
from export.data.prepare import DENSEST, LONGEST, Loss, Prepared, Scan
from export.data.repeats import NOT_FOLLOWED
from export.data.sources import SPLITS, Source
from export.data.traits import Traits

_MAX_CREDITS = 200
_MAX_ORIGIN = 600  # characters
_NOTICE = 1 << 16  # bytes of a notice, of which its first paragraph is told


def _zeros(size: int) -> Callable[[], NDArray[np.int64]]:
    return lambda: np.zeros(size, np.int64)


@dataclass(slots=True)
class Statistics:
    files: int
    problems: list[Problem]
    skipped: list[Problem] = field(default_factory=list)
    not_followed: list[Problem] = field(default_factory=list)  # kept, but not as it is to be played
    duplicates: list[tuple[str, str, float]] = field(default_factory=list)
    repairs: Counter[str] = field(default_factory=Counter)
    notes: Counter[tuple[str, str]] = field(default_factory=Counter)  # (style, split)
    pieces: Counter[tuple[str, str]] = field(default_factory=Counter)
    datasets: dict[str, Counter[str]] = field(default_factory=dict)
    folders: dict[str, Path] = field(default_factory=dict)  # of the first file of each dataset
    traits: dict[str, Traits] = field(default_factory=dict)  # of a style, where it is learned from
    licences: Counter[tuple[str, str]] = field(default_factory=Counter)  # (dataset, licence)
    credits: Counter[str] = field(default_factory=Counter)
    events: int = 0
    velocity_known: int = 0
    onsets: int = 0
    off_grid: float = 0.0
    off_grid_ms: float = 0.0
    loss: Loss = field(default_factory=Loss)
    pitches: NDArray[np.int64] = field(default_factory=_zeros(128))
    durations: NDArray[np.int64] = field(default_factory=_zeros(LONGEST))
    densities: NDArray[np.int64] = field(default_factory=_zeros(DENSEST))

    def add(
        self, source: Source, scan: Scan, piece: Prepared, *, style: str, split: str, velocity: bool
    ) -> None:
        self.notes[style, split] += scan.notes
        self.pieces[style, split] += 1
        if split == SPLITS[0]:
            self.traits.setdefault(style, Traits()).add(piece)
        counts = self.datasets.setdefault(source.dataset, Counter())
        counts["pieces"] += 1
        counts["notes"] += scan.notes
        self.folders.setdefault(source.dataset, source.path.parent)
        self.licences[source.dataset, source.licence or "not stated"] += scan.notes
        if source.note.startswith("maintainer:"):
            name = source.note.partition(":")[2].strip()
            if name:
                self.credits[name] += 1
        for repair in scan.repairs:
            if repair.startswith(NOT_FOLLOWED):
                self.not_followed.append(Problem(source.file, repair))
            else:
                self.repairs[repair.partition(" (")[0]] += 1
        self.events += len(piece.events)
        self.velocity_known += scan.notes if velocity else 0
        self.onsets += scan.grid.onsets
        self.off_grid += scan.grid.off_grid * scan.grid.onsets
        self.off_grid_ms += scan.grid.mean_ms * scan.grid.onsets
        self.loss += piece.loss
        self.pitches += piece.pitches
        self.durations += piece.durations
        self.densities += piece.densities

    def figures(self) -> dict[str, Any]:
        """Everything as plain values, for report.json."""
        notes = sum(self.notes.values())
        onsets = max(self.onsets, 1)
        return {
            "files": self.files,
            "pieces": sum(self.pieces.values()),
            "notes": notes,
            "events": self.events,
            "left_out": [{"file": p.file, "reason": p.reason} for p in self.problems],
            "skipped": by_reason(self.skipped),
            "duplicates": [
                {"dropped": a, "same_as": b, "share": round(share, 3)}
                for a, b, share in self.duplicates
            ],
            "not_followed": [{"file": p.file, "reason": p.reason} for p in self.not_followed],
            "repairs": dict(self.repairs.most_common()),
            "splits": {split: self._totals(1, split) for split in SPLITS},
            "styles": {
                style: self._totals(0, style) for style in sorted({s for s, _ in self.notes})
            },
            "traits": {style: self.traits[style].figures() for style in sorted(self.traits)},
            "velocity_known_share": round(self.velocity_known / max(notes, 1), 4),
            "grid": {
                "off_grid_share": round(self.off_grid / onsets, 4),
                "mean_onset_error_ms": round(self.off_grid_ms / onsets, 3),
            },
            "codec": self._loss(),
            "card": self._card(),
        }

    def _totals(self, axis: int, name: str) -> dict[str, Any]:
        """Pieces and notes of one style or split; of a style also by split."""
        picked = [key for key in self.notes if key[axis] == name]
        totals: dict[str, Any] = {
            "pieces": sum(self.pieces[key] for key in picked),
            "notes": sum(self.notes[key] for key in picked),
        }
        if axis == 0:
            totals |= {split: self.notes[name, split] for split in SPLITS}
        return totals

    def _loss(self) -> dict[str, float]:
        """What the representation cannot hold, measured on one piece of ten; ticks of the grid."""
        loss, count = self.loss, max(self.loss.notes, 1)
        return {
            "notes_measured": loss.notes,
            "notes_missing_share": round(loss.missing / count, 5),
            "onsets_moved_share": round(loss.moved / count, 5),
            "mean_onset_error_ticks": round(loss.moved_ticks / count, 5),
            "durations_changed_share": round(loss.resized / count, 5),
            "mean_duration_error_ticks": round(loss.resized_ticks / count, 5),
        }

    def _card(self) -> dict[str, Any]:
        """Where the music comes from, for the bundles trained on it."""
        sources = []
        for name, counts in sorted(self.datasets.items()):
            licences = sorted(text for dataset, text in self.licences if dataset == name)
            origin = _origin(self.folders[name], name)
            sources.append({"name": name, **counts, "licences": licences, "origin": origin})
        shares: Counter[str] = Counter()
        for (_, licence), count in self.licences.items():
            shares[licence] += count
        return {
            "sources": sources,
            "licences": dict(shares.most_common()),
            "credits": sorted(name for name, _ in self.credits.most_common(_MAX_CREDITS)),
        }


def by_reason(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """Files by the reason why they are left out, the commonest first."""
    files: dict[str, list[str]] = {}
    for problem in problems:
        files.setdefault(problem.reason, []).append(problem.file)
    ordered = sorted(files.items(), key=lambda item: (-len(item[1]), item[0]))
    return [{"reason": r, "count": len(names), "files": names} for r, names in ordered]


def _origin(folder: Path, dataset: str) -> str:
    """The first paragraph of the SOURCE.txt of a dataset's folder, "" without one."""
    for place in (folder, *folder.parents):
        if place.name == dataset and (place / "SOURCE.txt").is_file():
            text = read_beginning(place / "SOURCE.txt", NOTICE, _NOTICE).decode("utf-8", "replace")
            return " ".join(text.split("\n\n")[0].split())[:_MAX_ORIGIN]
    return ""
