"""Training batches, drawn statelessly: batch k of a run is a function of (seed, k).

That makes resuming exact without saving any generator, and lets the same excerpts be validated
again and again. Excerpts of pieces are packed into rows of fixed length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.fields import ATTRIBUTE, CONTEXT, PITCH_CLASSES, PLAN_FIELDS
from engine.harmony import CHORD_SHIFT, KEY_SHIFT
from engine.noise import uniforms
from engine.score import PARTS
from export.data.dataset import Dataset
from export.training_config import TrainingConfig

_PURPOSE = 0x7261
_PLAN_GROUPS = tuple(dict.fromkeys(field.group for field in PLAN_FIELDS))
_MIX_GROUPS = ("style", "parts", "pitch_classes")


@dataclass(frozen=True, slots=True)
class Batch:
    """Arrays of [rows, length, …]; see `export.networks.Network.forward`."""

    inputs: NDArray[np.int64]
    mix: NDArray[np.float32]
    segments: NDArray[np.int64]
    ticks: NDArray[np.int64]
    targets: NDArray[np.int64]


class Sampler:
    """Draws excerpts of one split. `augment` off: no transposition, nothing dropped."""

    def __init__(
        self, dataset: Dataset, split: str, config: TrainingConfig, *, augment: bool
    ) -> None:
        self.dataset, self.config, self.augment = dataset, config, augment
        self.pieces = dataset.pieces_of(split)
        self.codec = dataset.codec
        self.weights = np.cumsum(_piece_weights(dataset.pieces[self.pieces], config.style_power))
        self.context_groups = _columns_by_group(dataset.context_names)
        self.styles = len(dataset.style_names)

    def batch(self, index: int, rows: int, length: int, *, open_plan: bool = False) -> Batch:
        shape = (rows, length)
        width = len(self.codec.fields) + len(self.dataset.context_names)
        batch = Batch(
            np.zeros((*shape, width), np.int64),
            np.zeros((*shape, self.styles + PARTS + PITCH_CLASSES), np.float32),
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int64),
            np.zeros((*shape, len(self.codec.fields)), np.int64),
        )
        for row in range(rows):
            draws = iter(uniforms(self.config.seed, index, _PURPOSE, row, 1024).tolist())
            at = segment = 0
            while at < length:
                at = self._fill(batch, row, at, segment, draws, open_plan)
                segment += 1
        return batch

    def _fill(self, batch, row, at, segment, draws, open_plan) -> int:  # type: ignore[no-untyped-def]
        """Put one excerpt into a row from place `at` on; returns the place after it."""
        room = batch.segments.shape[1] - at
        chosen = np.searchsorted(self.weights, next(draws) * self.weights[-1])
        piece = self.dataset.pieces[self.pieces[min(chosen, len(self.pieces) - 1)]]
        count, skip = int(piece["count"]), 0
        if count > room:
            # Mostly from anywhere, now and then from the beginning, which is rare otherwise.
            skip = int(next(draws) * (count - room + 1)) if next(draws) > 0.1 else 0
        taken = min(count - skip, room)
        start = int(piece["start"]) + skip
        source = slice(start, start + taken)
        place = (row, slice(at, at + taken))
        events = self.dataset.events[source].astype(np.int64)
        context = self.dataset.context[source].astype(np.int64)
        mix = self._mix(piece, self.dataset.bars[source])
        before = self.dataset.events[start - 1].astype(np.int64) if skip else 0 * events[0]
        if self.augment:
            self._vary(events, before, context, mix, draws)
            self._drop(context, mix, draws)
        if open_plan:
            self._open(context, mix, (*_PLAN_GROUPS, *_MIX_GROUPS))
        batch.targets[place] = events
        batch.inputs[place] = np.concatenate(
            (np.concatenate((before[None], events[:-1])), context), axis=1
        )
        batch.mix[place] = mix
        batch.segments[place] = segment
        batch.ticks[place] = self.dataset.onsets[source]
        return at + taken

    def _mix(self, piece: np.void, bars: NDArray[np.int32]) -> NDArray[np.float32]:
        mix = np.zeros((len(bars), self.styles + PARTS + PITCH_CLASSES), np.float32)
        mix[:, int(piece["style"])] = 1.0
        present = (int(piece["parts"]) >> np.arange(PARTS)) & 1
        mix[:, self.styles : self.styles + PARTS] = present
        mix[:, self.styles + PARTS :] = self.dataset.pitch_classes[bars] / 255.0
        return mix

    def _vary(self, events, before, context, mix, draws) -> None:  # type: ignore[no-untyped-def]
        """Move the excerpt in pitch and loudness, with everything that speaks of either."""
        config, names = self.config, self.dataset.context_names
        shift = round((2 * next(draws) - 1) * config.transpose)
        if next(draws) < config.octaves:
            shift += 12 if next(draws) < 0.5 else -12
        if shift:
            for column, table in self.codec.pitch_shift(shift).items():
                events[:, column] = table[events[:, column]]
                before[column] = table[before[column]]
            for i, name in enumerate(names):
                context[:, i] = _moved(name, context[:, i], shift)
            classes = mix[:, self.styles + PARTS :]
            classes[:] = np.roll(classes, shift, axis=1)
        if next(draws) < config.loudness:
            # One bucket of dynamics is two steps of velocity.
            way = 1 if next(draws) < 0.5 else -1
            for column, table in self.codec.loudness_shift(2 * way).items():
                events[:, column] = table[events[:, column]]
                before[column] = table[before[column]]
            if "dynamics" in names:
                context[:, names.index("dynamics")] = _stepped(
                    context[:, names.index("dynamics")], way, ATTRIBUTE["dynamics"].buckets
                )

    def _drop(self, context, mix, draws) -> None:  # type: ignore[no-untyped-def]
        groups = (*_PLAN_GROUPS, *_MIX_GROUPS)
        if next(draws) < self.config.plan_dropout:
            self._open(context, mix, groups)
            return
        share = self.config.conditioning_dropout
        self._open(context, mix, tuple(group for group in groups if next(draws) < share))

    def _open(self, context, mix, groups) -> None:  # type: ignore[no-untyped-def]
        """Leave the named groups of conditioning open."""
        spans = {
            "style": slice(0, self.styles),
            "parts": slice(self.styles, self.styles + PARTS),
            "pitch_classes": slice(self.styles + PARTS, None),
        }
        for group in groups:
            if group in spans:
                mix[:, spans[group]] = 0.0
            else:
                context[:, self.context_groups.get(group, [])] = 0


def _piece_weights(pieces: NDArray[np.void], power: float) -> NDArray[np.float64]:
    """Pieces by their notes, with large styles held back."""
    counts = pieces["count"].astype(np.float64)
    totals = np.bincount(pieces["style"], weights=counts)
    weights: NDArray[np.float64] = counts * totals[pieces["style"]] ** (power - 1)
    return weights


def _columns_by_group(names: tuple[str, ...]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        groups.setdefault(CONTEXT[name].group, []).append(i)
    return groups


def _moved(name: str, values: NDArray[np.int64], shift: int) -> NDArray[np.int64]:
    """A context column of music moved by `shift` semitones."""
    if name in ("chord", "next_chord"):
        return CHORD_SHIFT[shift % 12][values].astype(np.int64)
    if name == "key":
        return KEY_SHIFT[shift % 12][values].astype(np.int64)
    if name == "register":
        return _stepped(values, round(shift / 4), ATTRIBUTE["register"].buckets)
    if name == "echo_pitch":
        return shifted_pitches(shift)[values]
    return values


def shifted_pitches(shift: int) -> NDArray[np.int64]:
    """Pitch values (1 + MIDI pitch, then percussion) after a transposition."""
    from engine.codecs.notes import NotesCodec

    (table,) = NotesCodec().pitch_shift(shift).values()
    return table


def _stepped(values: NDArray[np.int64], by: int, top: int) -> NDArray[np.int64]:
    return np.where(values > 0, np.clip(values + by, 1, top), 0)
