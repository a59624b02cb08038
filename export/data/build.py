"""Making a dataset: look at every file, drop what is there twice, split, encode, report.

The result depends on the files and options alone, not on the number of processes.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from common.errors import DatasetError
from engine.representations.codec import Codec, codec
from export.data import report
from export.data.dataset import META, VERSION, Dataset
from export.data.finding import Problem
from export.data.likeness import DUPLICATE, Likeness, likenesses
from export.data.prepare import Prepared, SourcePiece, pattern_name, prepare, scan
from export.data.sources import SPLITS, Source, find_sources
from export.data.statistics import Statistics, by_reason
from export.data.styles import clean, gather_rare
from export.data.writing import DatasetWriter, new_folder, refuse_folder, write_json

Task = TypeVar("Task")
Result = TypeVar("Result")

VALID_SHARE = TEST_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class DatasetOptions:
    """What may be chosen; `test_only` puts every piece into the test split, with no report."""

    manifest: Path | None = None
    styles: dict[str, str] = field(default_factory=dict)
    least_style_notes: int | None = None
    exclude: tuple[str, ...] = ()
    representation: str = "notes"
    least_notes: int = 16
    seed: int = 0
    jobs: int = 1
    force: bool = False
    test_only: bool = False


def build(places: Sequence[Path], target: Path, options: DatasetOptions) -> dict[str, Any]:
    """Make the dataset folder `target`; returns the statistics that report.json holds."""
    target = target.absolute()
    coder = codec(options.representation)
    refuse_folder(target, force=options.force)
    sources, problems, skipped = find_sources(places, options.manifest, options.exclude)
    if not sources:
        raise DatasetError(
            "no files of music there: give folders with .mid, .midi, .kar, .musicxml or .mxl files"
            + "".join(f"; {text}" for text in report.skipped_lines(by_reason(skipped)))
        )
    pieces = _read_pieces(sources, problems, options)
    statistics = Statistics(len(sources), problems, skipped)
    pairs = likenesses([piece.scan.fingerprint for piece in pieces])
    dropped = choose_duplicates(pieces, pairs)
    statistics.duplicates = [
        (pieces[i].source.file, pieces[j].source.file, share) for i, (j, share) in dropped.items()
    ]
    choose_splits(pieces, pairs, options)
    pieces = [piece for i, piece in enumerate(pieces) if i not in dropped]
    styles = [clean(piece.source.style, options.styles, piece.source.dataset) for piece in pieces]
    counts = [piece.scan.notes for piece in pieces]
    for piece, style in zip(
        pieces, gather_rare(styles, counts, options.least_style_notes), strict=True
    ):
        piece.style = style
    with new_folder(target, force=options.force) as folder:
        stored = _write_pieces(folder, coder, pieces, statistics, options)
        if not stored:
            reasons = "; ".join(f"{p.file}: {p.reason}" for p in problems[:3])
            raise DatasetError(f"none of {len(sources)} files could be used ({reasons})")
        figures = statistics.figures()
        write_json(folder / META, dataset_meta(coder, style_names(pieces), figures, options))
        if not options.test_only:
            report.write(folder, stored, statistics, figures)
    return figures


def _read_pieces(
    sources: Sequence[Source], problems: list[Problem], options: DatasetOptions
) -> list[SourcePiece]:
    """The pieces in the files, those of one file in one group; `problems` takes the others."""
    tasks = [(source.location, source.file, options.least_notes) for source in sources]
    pieces = []
    for source, found in zip(sources, run_all(scan, tasks, options.jobs, "reading"), strict=True):
        for pattern, one in enumerate(found):
            if isinstance(one, Problem):
                problems.append(one)
            elif len(found) == 1:
                pieces.append(SourcePiece(source, one))
            else:
                name = pattern_name(source.file, pattern, len(found))
                group = source.group or source.file
                pieces.append(
                    SourcePiece(replace(source, file=name, pattern=pattern, group=group), one)
                )
    return pieces


def run_all(
    work: Callable[[Task], Result], tasks: Sequence[Task], jobs: int, label: str
) -> Iterator[Result]:
    """The results in the order of the tasks, with a progress bar on a terminal."""
    with tqdm(total=len(tasks), desc=label, unit=" files", disable=None) as bar:
        for result in _results(work, tasks, min(jobs, len(tasks) // 8)):
            bar.update()
            yield result


def _results(work: Callable[[Task], Result], tasks: Iterable[Task], jobs: int) -> Iterator[Result]:
    if jobs <= 1:
        yield from map(work, tasks)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(work, tasks, chunksize=8)


def choose_duplicates(
    pieces: Sequence[SourcePiece], pairs: Sequence[Likeness]
) -> dict[int, tuple[int, float]]:
    """Pieces to drop: index → (the one that stays, share in common). The one with the
    most notes stays, of equal ones one with known velocities.

    Where a manifest has split both of two pieces, it has looked at near likeness itself: only
    exact copies are dropped.
    """
    partners: dict[int, list[tuple[int, float]]] = {}
    for pair in pairs:
        first, second = pieces[pair.first].source, pieces[pair.second].source
        trusted = bool(first.split and second.split)
        if pair.exact or (pair.share >= DUPLICATE and not trusted):
            partners.setdefault(pair.first, []).append((pair.second, pair.share))
            partners.setdefault(pair.second, []).append((pair.first, pair.share))
    dropped: dict[int, tuple[int, float]] = {}
    kept: set[int] = set()

    def worth(i: int) -> tuple[int, bool, int]:
        return -pieces[i].scan.notes, not pieces[i].velocity_known, i

    for i in sorted(partners, key=worth):
        original = next((other for other in partners[i] if other[0] in kept), None)
        if original is None:
            kept.add(i)
        else:
            dropped[i] = original
    return dict(sorted(dropped.items()))


def choose_splits(
    pieces: Sequence[SourcePiece], pairs: Sequence[Likeness], options: DatasetOptions
) -> None:
    """Give every piece its split: the manifest's, else one drawn from what the music is.

    Related pieces and those of one group go together.
    """
    leader = list(range(len(pieces)))

    def find(i: int) -> int:
        while leader[i] != i:
            leader[i] = leader[leader[i]]
            i = leader[i]
        return i

    links = [(pair.first, pair.second) for pair in pairs]
    groups: dict[tuple[str, str], int] = {}
    for i, piece in enumerate(pieces):
        if piece.source.group:
            links.append((groups.setdefault((piece.source.dataset, piece.source.group), i), i))
    for first, second in links:
        leader[find(second)] = find(first)
    members: dict[int, list[SourcePiece]] = {}
    for i, piece in enumerate(pieces):
        members.setdefault(find(i), []).append(piece)
    for group in members.values():
        given = next((piece.source.split for piece in group if piece.source.split), "")
        split = given or _drawn_split(group, options.seed)
        for piece in group:
            piece.split = "test" if options.test_only else piece.source.split or split
    if not options.test_only:
        _fill_splits(list(members.values()), options.seed)


def _fill_splits(groups: list[list[SourcePiece]], seed: int) -> None:
    """See that a small set has something to validate and test on: where chance gave a split
    nothing, a group that is learned from goes there."""
    free = [g for g in groups if not any(p.source.split for p in g) and g[0].split == "train"]
    free.sort(key=lambda group: _draw(group, seed))
    for split in ("valid", "test"):
        if len(free) > 1 and all(piece.split != split for group in groups for piece in group):
            for piece in free.pop(0):
                piece.split = split


def _draw(group: list[SourcePiece], seed: int) -> float:
    """A number in [0, 1) that depends on the music alone."""
    name = min(piece.scan.fingerprint.exact for piece in group)
    digest = hashlib.blake2b(name, digest_size=8, key=str(seed).encode()).digest()
    return int.from_bytes(digest, "big") / 2**64


def _drawn_split(group: list[SourcePiece], seed: int) -> str:
    uniform = _draw(group, seed)
    if uniform < TEST_SHARE:
        return "test"
    return "valid" if uniform < TEST_SHARE + VALID_SHARE else "train"


def style_names(pieces: Sequence[SourcePiece]) -> list[str]:
    return sorted({piece.style for piece in pieces})


def _write_pieces(
    folder: Path,
    coder: Codec,
    pieces: list[SourcePiece],
    statistics: Statistics,
    options: DatasetOptions,
) -> list[SourcePiece]:
    """Encode and store the pieces; returns those that could be."""
    tasks = [
        (piece.source.location, piece.source.file, coder.name, piece.velocity_known)
        for piece in pieces
    ]
    names = style_names(pieces)
    stored = []
    with DatasetWriter(folder, coder) as writer:
        results = run_all(prepare, tasks, options.jobs, "encoding")
        for piece, result in zip(pieces, results, strict=True):
            if isinstance(result, Problem):
                statistics.problems.append(result)
                continue
            writer.add(
                result,
                style=names.index(piece.style),
                split=SPLITS.index(piece.split),
                velocity=piece.velocity_known,
            )
            stored.append(piece)
            _count(statistics, piece, result)
    return stored


def _count(statistics: Statistics, piece: SourcePiece, result: Prepared) -> None:
    statistics.add(
        piece.source,
        piece.scan,
        result,
        style=piece.style,
        split=piece.split,
        velocity=piece.velocity_known,
    )


def dataset_meta(
    coder: Codec, styles: list[str], figures: dict[str, Any], options: DatasetOptions
) -> dict[str, Any]:
    """What stands in a dataset's meta.json."""
    return {
        "version": VERSION,
        "representation": coder.name,
        "fields": {field.name: field.size for field in coder.fields},
        "context": list(coder.context),
        "styles": styles,
        "notes": figures["notes"],
        "card": figures["card"],
        "options": {
            "exclude": list(options.exclude),
            "styles": options.styles,
            "least_notes": options.least_notes,
            "least_style_notes": options.least_style_notes,
            "seed": options.seed,
        },
    }


@contextmanager
def temporary_dataset(
    places: Sequence[Path], representation: str, styles: dict[str, str] | None = None
) -> Iterator[Dataset]:
    """A dataset of folders or files of music for a moment, all of it in the test split."""
    options = DatasetOptions(
        representation=representation,
        styles=styles or {},
        least_style_notes=0,
        least_notes=1,
        test_only=True,
    )
    with tempfile.TemporaryDirectory(prefix="perpetuo-") as folder:
        target = Path(folder, "dataset")
        build(places, target, options)
        yield Dataset.open(target)
