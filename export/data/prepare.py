"""What is done with one file: a quick look at first, the encoding of a piece later.

Both run in worker processes, so they take and return plain values.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from common.errors import PerpetuoError
from common.files import MUSIC, read_bytes
from engine.files.midi import GridError, Smf, grid_error, read_patterns, to_score
from engine.music.analysis import Analysis, analyse
from engine.music.plan import BarPlan
from engine.music.time import Metre
from engine.representations.codec import Codec, Encoded, codec
from export.data.finding import Location, Problem
from export.data.likeness import Fingerprint, fingerprint
from export.data.musicxml import looks_like_xml, read_musicxml
from export.data.sources import Source
from export.data.zipped import read_member

MAX_PATTERNS = 256  # of a file of type 2, which is read again for each of them
FLAT_VELOCITIES = 3  # a file with fewer different velocities tells nothing about loudness
LONGEST = 193
DENSEST = 33


@dataclass(frozen=True, slots=True)
class Scan:
    """A file at first sight."""

    notes: int
    flat: bool
    fingerprint: Fingerprint
    grid: GridError
    repairs: tuple[str, ...]


@dataclass(slots=True)
class SourcePiece:
    """A file on its way into the dataset."""

    source: Source
    scan: Scan
    style: str = ""
    split: str = ""

    @property
    def velocity_known(self) -> bool:
        known = self.source.velocity_known
        return not self.scan.flat if known is None else known


@dataclass(frozen=True, slots=True)
class Loss:
    """What encoding and decoding changed, as sums over notes."""

    notes: int = 0
    moved: int = 0  # onsets that changed
    moved_ticks: float = 0.0
    resized: int = 0  # durations that changed
    resized_ticks: float = 0.0
    missing: int = 0

    def __add__(self, other: Loss) -> Loss:
        return Loss(
            self.notes + other.notes,
            self.moved + other.moved,
            self.moved_ticks + other.moved_ticks,
            self.resized + other.resized,
            self.resized_ticks + other.resized_ticks,
            self.missing + other.missing,
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """A piece ready to be stored, and its part in the statistics."""

    events: NDArray[np.uint16]
    context: NDArray[np.uint8]
    onsets: NDArray[np.int32]
    bars: NDArray[np.int32]
    pitch_classes: NDArray[np.uint8]
    plans: NDArray[np.int16]  # [bars, columns of BarPlan]
    parts: int  # bit mask
    shift: int
    minor: bool
    metre: Metre  # of most of it
    loss: Loss
    pitches: NDArray[np.int64]  # histograms over notes, and over bars
    durations: NDArray[np.int64]
    densities: NDArray[np.int64]


def load(location: Location) -> tuple[Smf, ...]:
    """The pieces of a file of music of either kind; raises PerpetuoError with the reason."""
    if location.member:
        data = read_member(location.path, location.member, MUSIC.most)
    else:
        data = read_bytes(location.path, MUSIC)
    if looks_like_xml(data):
        return (read_musicxml(data),)
    return read_patterns(data)


def scan(task: tuple[Location, str, int]) -> tuple[Scan | Problem, ...]:
    """Read a file (where it lies, name, least number of notes): one answer for each piece in it."""
    location, file, least = task
    try:
        pieces = load(location)
    except PerpetuoError as error:
        return (Problem(file, str(error)),)
    except Exception as error:  # one bad file of thousands must not end the run
        return (Problem(file, f"cannot be read: {type(error).__name__}: {error}"),)
    if len(pieces) > MAX_PATTERNS:
        return (Problem(file, f"a MIDI file of type 2 with more than {MAX_PATTERNS} patterns"),)
    names = [pattern_name(file, i, len(pieces)) for i in range(len(pieces))]
    return tuple(_scanned(smf, name, least) for smf, name in zip(pieces, names, strict=True))


def pattern_name(file: str, pattern: int, patterns: int) -> str:
    """What a piece is called in reports: its file, and which of several in it."""
    return f"{file}#{pattern + 1}" if patterns > 1 else file


def _scanned(smf: Smf, file: str, least: int) -> Scan | Problem:
    try:
        score = to_score(smf)
        if len(score.notes) < max(least, 1):
            return Problem(file, f"too short: {len(score.notes)} notes")
        flat = len(np.unique(score.notes["velocity"])) < FLAT_VELOCITIES
        return Scan(len(score.notes), flat, fingerprint(score), grid_error(smf), smf.repairs)
    except PerpetuoError as error:
        return Problem(file, str(error))
    except Exception as error:  # as above
        return Problem(file, f"cannot be read: {type(error).__name__}: {error}")


def prepare(task: tuple[Location, str, str, bool]) -> Prepared | Problem:
    """Analyse and encode a piece (where it lies, name, representation, whether its velocities
    count)."""
    location, file, representation, velocity_known = task
    try:
        smf = load(location)[location.pattern]
        return prepare_score(codec(representation), smf, velocity_known)
    except PerpetuoError as error:
        return Problem(file, str(error))
    except Exception as error:  # as above
        return Problem(file, f"cannot be encoded: {type(error).__name__}: {error}")


def prepare_score(coder: Codec, smf: Smf, velocity_known: bool) -> Prepared:
    score = coder.read(smf)
    if not velocity_known:
        silent = score.notes.copy()
        silent["velocity"] = 0
        score = replace(score, notes=silent)
    analysis = analyse(score, velocity_known)
    encoded = coder.encode(analysis)
    if not len(encoded.events):
        raise PerpetuoError(f"nothing in it that '{coder.name}' can hold")
    return stored_form(coder, analysis, encoded)


def stored_form(coder: Codec, analysis: Analysis, encoded: Encoded) -> Prepared:
    """What is kept of an encoded piece, with its part in the statistics."""
    notes = analysis.score.notes
    return Prepared(
        events=encoded.events,
        context=encoded.context,
        onsets=encoded.onsets.astype(np.int32),
        bars=encoded.bars.astype(np.int32),
        pitch_classes=analysis.pitch_classes,
        plans=np.stack([analysis.plans[name] for name in BarPlan._fields], axis=1).astype(np.int16),
        parts=sum(1 << part for part in analysis.score.parts),
        shift=-analysis.shift,
        minor=analysis.minor,
        metre=_usual_metre(analysis),
        loss=_loss(coder, encoded, analysis) if _is_sampled(notes) else Loss(),
        pitches=np.bincount(notes["pitch"], minlength=128),
        durations=np.bincount(np.minimum(notes["duration"], LONGEST - 1), minlength=LONGEST),
        densities=_densities(analysis),
    )


def _is_sampled(notes: NDArray[np.void]) -> bool:
    """Whether a piece is decoded again: one of ten, chosen by what is in it."""
    return hashlib.blake2b(notes.tobytes(), digest_size=1).digest()[0] < 26


def _loss(coder: Codec, encoded: Encoded, analysis: Analysis) -> Loss:
    before, after = analysis.score.notes, coder.decode(encoded)
    kept = min(len(before), len(after))
    missing = len(before) - kept
    if missing:  # rows no longer stand beside each other
        return Loss(notes=len(before), missing=missing)
    onset = np.abs(before["onset"].astype(np.int64) - after["onset"])
    length = np.abs(before["duration"].astype(np.int64) - after["duration"])
    return Loss(
        kept,
        int((onset > 0).sum()),
        float(onset.sum()),
        int((length > 0).sum()),
        float(length.sum()),
    )


def _usual_metre(analysis: Analysis) -> Metre:
    ticks: Counter[Metre] = Counter()
    for metre in analysis.grid.metres:
        ticks[metre] += metre.ticks
    return ticks.most_common(1)[0][0]


def _densities(analysis: Analysis) -> NDArray[np.int64]:
    """Bars by notes a quarter, in halves."""
    bars = len(analysis.grid.starts)
    struck = np.bincount(
        analysis.grid.bar_of(analysis.score.notes["onset"].astype(np.int64)), minlength=bars
    )
    quarters = np.array([metre.quarters for metre in analysis.grid.metres])
    return np.bincount(
        np.minimum(np.rint(2 * struck / quarters), DENSEST - 1).astype(np.int64), minlength=DENSEST
    )
