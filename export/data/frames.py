"""Music as published benchmarks have it: pieces of frames, each what sounds in one slot of a grid.

A file of frames is JSON: `train`, `valid` and `test`, each a list of pieces, each a list of frames.
Where every frame of the file has the same number of pitches, these are voices, -1 a silent one;
else a frame is a set of MIDI pitches.

Nothing of a piece is lost and nothing is told ahead, so that likelihoods can be compared:

- *sets*: every pitch of a frame is a note of one frame's length, the highest first, all in one
  part. The order is fixed by the set, so the notes are as probable as the set at most.
- *voices*: equal neighbouring frames of a voice are one note (cut where the codec has no such
  length), voice after voice in parts of their own. Notes and frames determine each other.
- The delta of the last note leads to the end of the piece: that nothing more sounds before it is
  predicted too. Where the first note stands is not: silence before it is dropped.
- A gap between onsets that no delta spans is cut by notes in a part of their own, the rests.
- Pieces stay in their keys. Bars are of 4/4 from the first frame on. Velocities are open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from common.errors import DatasetError
from common.files import FRAMES
from common.tables import read_json
from engine.files.midi import GridError
from engine.music.analysis import analyse
from engine.music.fields import LENGTHS
from engine.music.score import DRUMS, NOTE, Score, note_order
from engine.representations.codec import Encoded, codec
from engine.representations.notes import DELTA, DELTA_TICKS, NotesCodec
from export.data import report
from export.data.build import DatasetOptions, dataset_meta
from export.data.dataset import META
from export.data.likeness import fingerprint
from export.data.prepare import Prepared, Scan, SourcePiece, stored_form
from export.data.sources import SPLITS, Source
from export.data.statistics import Statistics
from export.data.styles import slug
from export.data.writing import DatasetWriter, new_folder, refuse_folder, write_json

SUFFIX = ".json"
GRIDS = {"quarter": 24, "8th": 12, "16th": 6}  # ticks a frame
SILENT = -1
PITCHES = 128

REST_PITCH = 60

Frames = list[list[int]]  # a piece: the pitches of each frame
Row = tuple[int, int, int, int, int]  # a note: the fields of NOTE


@dataclass(frozen=True, slots=True)
class FrameFile:
    """`pieces` by split; `voices` in every frame, 0 where frames are sets; `ticks` a frame."""

    pieces: dict[str, list[Frames]]
    voices: int
    ticks: int

    @property
    def rest_part(self) -> int:
        """The first part that no pitch is in."""
        return max(self.voices, 1)


def build_frames(
    path: Path, target: Path, grid: str | None, options: DatasetOptions
) -> dict[str, Any]:
    """Make the dataset folder `target` of a file of frames; returns its statistics."""
    if options.representation != NotesCodec.name:
        raise DatasetError(
            f"{path} is a file of frames, which become 'notes': leave --representation out"
        )
    target = target.absolute()
    refuse_folder(target, force=options.force)
    file = read_frames(path, grid)
    coder = codec(NotesCodec.name)
    style = slug(path.stem)
    statistics = Statistics(sum(map(len, file.pieces.values())), [])
    stored: list[SourcePiece] = []
    with new_folder(target, force=options.force) as folder:
        with (
            DatasetWriter(folder, coder) as writer,
            tqdm(total=statistics.files, desc="encoding", unit=" pieces", disable=None) as bar,
        ):
            for split, number, frames in _all_pieces(file):
                source = Source(path, f"{split}/{number:04}", style, style, split=split)
                score, prepared = prepare_frames(frames, file)
                piece = SourcePiece(source, _scan(score), style, split)
                row = {"split": SPLITS.index(split), "style": 0}
                writer.add(prepared, **row, velocity=False)
                statistics.add(
                    source, piece.scan, prepared, style=style, split=split, velocity=False
                )
                stored.append(piece)
                bar.update()
        figures = statistics.figures()
        meta = dataset_meta(coder, [style], figures, options)
        write_json(folder / META, {**meta, "frames": _counts(file)})
        report.write(folder, stored, statistics, figures)
    return figures


def _all_pieces(file: FrameFile) -> Iterator[tuple[str, int, Frames]]:
    for split, pieces in file.pieces.items():
        for number, frames in enumerate(pieces):
            yield split, number, frames


def _counts(file: FrameFile) -> dict[str, Any]:
    """What the evaluator divides by."""
    frames = {split: sum(map(len, pieces)) for split, pieces in file.pieces.items()}
    return {"ticks": file.ticks, "voices": file.voices, "frames": frames}


def _scan(score: Score) -> Scan:
    exact = GridError(onsets=len(score.notes), off_grid=0.0, mean_ms=0.0)
    return Scan(len(score.notes), True, fingerprint(score), exact, ())


def read_frames(path: Path, grid: str | None = None) -> FrameFile:
    """Raises DatasetError with what is wrong; the grid is told by the file's name if not given."""
    raw = read_json(path, FRAMES)
    if not isinstance(raw, dict) or not all(isinstance(raw.get(name), list) for name in SPLITS):
        raise DatasetError(
            f"{path} is no file of frames: it needs lists 'train', 'valid' and 'test' of pieces"
        )
    grid = grid or next((name for name in GRIDS if name in path.stem.lower()), None)
    if grid is None:
        raise DatasetError(f"the name of {path} tells no grid: give one with --grid")
    pieces = {
        split: [_checked(path, split, i, p) for i, p in enumerate(raw[split])] for split in SPLITS
    }
    sizes = {len(frame) for split in SPLITS for piece in pieces[split] for frame in piece}
    silent = any(SILENT in frame for split in SPLITS for piece in pieces[split] for frame in piece)
    voices = sizes.pop() if len(sizes) == 1 else 0
    if voices >= DRUMS or (silent and not voices):
        raise DatasetError(
            f"{path}: frames with {SILENT} must have the same number of voices everywhere, "
            f"{DRUMS - 1} at most"
        )
    tidy = voiced if voices else as_sets
    return FrameFile(
        {split: [tidy(piece) for piece in pieces[split]] for split in SPLITS}, voices, GRIDS[grid]
    )


def _checked(path: Path, split: str, number: int, piece: Any) -> Frames:
    """A piece of lists of pitches, with a note in it."""
    fits = isinstance(piece, list) and all(
        isinstance(frame, list) and all(map(_is_pitch, frame)) for frame in piece
    )
    if not fits:
        raise DatasetError(
            f"{path}: piece {number} of '{split}' must be a list of frames, each a list of "
            f"MIDI pitches from 0 to {PITCHES - 1} ({SILENT} for a silent voice)"
        )
    if not any(pitch != SILENT for frame in piece for pitch in frame):
        raise DatasetError(f"{path}: piece {number} of '{split}' has no notes: leave it out")
    return [[int(pitch) for pitch in frame] for frame in piece]


def _is_pitch(value: Any) -> bool:
    """A whole number from -1 on; some published files write a few as 60.0."""
    return type(value) in (int, float) and value in range(SILENT, PITCHES)


def as_sets(piece: Frames) -> Frames:
    """Every pitch once, the highest first; without silence before the first note."""
    return _from_first([sorted(set(frame), reverse=True) for frame in piece], lambda f: not f)


def voiced(piece: Frames) -> Frames:
    return _from_first(piece, lambda frame: max(frame) == SILENT)


def _from_first(piece: Frames, silent: Callable[[list[int]], bool]) -> Frames:
    first = next(i for i, frame in enumerate(piece) if not silent(frame))
    return piece[first:]


def prepare_frames(frames: Frames, file: FrameFile) -> tuple[Score, Prepared]:
    """A piece as notes, and as it is stored."""
    coder = codec(NotesCodec.name)
    score = score_of(frames, file)
    analysis = analyse(score, velocity_known=False, keep_key=True)
    end = len(frames) * file.ticks
    encoded = coder.bridge(coder.encode(analysis), end)
    assert _leads_on(encoded, end), "every gap was cut into lengths that deltas have"
    assert frames_of(coder.decode(encoded), file, end) == frames, (
        "likelihoods would be of other music"
    )
    return score, stored_form(coder, analysis, encoded)


def _leads_on(encoded: Encoded, end: int) -> bool:
    """Whether every delta leads to the next note, and the last one to the end."""
    deltas = encoded.events[:, DELTA].astype(np.int64)
    gaps = np.diff(np.append(encoded.onsets, end))
    return bool((deltas > 0).all() and (np.array(DELTA_TICKS)[deltas] == gaps).all())


def score_of(frames: Frames, file: FrameFile) -> Score:
    """A piece as notes from tick 0, rests among them."""
    make = _voice_notes if file.voices else _set_notes
    rows = list(make(frames, file.ticks))
    onsets = [*sorted({row[0] for row in rows}), len(frames) * file.ticks]
    for begin, end in pairwise(onsets):
        pieces = list(_lengths(begin, end, file.ticks))
        rows += [(onset, length, REST_PITCH, 0, file.rest_part) for onset, length in pieces[1:]]
    return Score(note_order(np.array(rows, NOTE)))


def _set_notes(frames: Frames, ticks: int) -> Iterator[Row]:
    for i, frame in enumerate(frames):
        for pitch in frame:
            yield i * ticks, ticks, pitch, 0, 0


def _voice_notes(frames: Frames, ticks: int) -> Iterator[Row]:
    for voice in range(len(frames[0])):
        begin = 0
        for i, frame in enumerate(frames):
            if i + 1 < len(frames) and frames[i + 1][voice] == frame[voice]:
                continue
            if frame[voice] != SILENT:
                for onset, duration in _lengths(begin * ticks, (i + 1) * ticks, ticks):
                    yield onset, duration, frame[voice], 0, voice
            begin = i + 1


def _lengths(onset: int, end: int, ticks: int) -> Iterator[tuple[int, int]]:
    """A stretch as the longest lengths that there are, one after the other."""
    while onset < end:
        fitting = (n for n in reversed(LENGTHS) if n <= end - onset and n % ticks == 0)
        duration = next(fitting)
        yield onset, duration
        onset += duration


def frames_of(notes: NDArray[np.void], file: FrameFile, end: int) -> Frames:
    """The frames that notes were made of: the inverse of `score_of`."""
    count = end // file.ticks
    frames: Frames = [[SILENT] * file.voices for _ in range(count)]
    for note in note_order(notes).tolist():
        onset, duration, pitch, _, part = note
        if part == file.rest_part:
            continue
        for i in range(onset // file.ticks, (onset + duration) // file.ticks):
            if file.voices:
                frames[i][part] = pitch
            else:
                frames[i].append(pitch)
    return frames


def is_frames(places: Sequence[Path]) -> bool:
    """Whether what `perpetuo data` was given is a file of frames."""
    found = [place for place in places if place.suffix.lower() == SUFFIX]
    if found and len(places) > 1:
        raise DatasetError(f"{found[0]} is a file of frames: prepare it alone")
    return bool(found)
