"""A prepared dataset: a folder of memory-mapped arrays and what they mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import DatasetError, PerpetuoError
from common.files import DATASET, DATASET_META, look_at
from common.tables import read_json
from engine.music.plan import BarPlan
from engine.representations.codec import Codec, codec
from export.data.sources import SPLITS

VERSION = 1
META = "meta.json"

PIECE = np.dtype(
    [
        ("start", "<i8"),  # first row in events, context, onsets and bars
        ("count", "<i4"),
        ("first_bar", "<i4"),  # first row in pitch_classes and plans
        ("bar_count", "<i4"),
        ("style", "<i2"),
        ("split", "u1"),  # index in SPLITS
        ("parts", "u1"),  # bit mask
        ("velocity", "u1"),  # 1: the velocities mean something
        ("transposed", "i1"),  # semitones from the stored music to the original
        ("minor", "u1"),
    ]
)


class Dataset:
    """The arrays of a dataset, memory-mapped and read-only.

    `events` [N, event fields], `context` [N, `context_names`], `onsets` [N] in ticks within the
    piece, `bars` [N] as rows of `pitch_classes` [bars, 12] and `plans` [bars, `BarPlan` columns];
    `pieces` says where each piece lies (see `PIECE`). Columns of `events` are the fields of
    `codec`. `card` tells where the music comes from, for the bundles trained on it. `frames`: of a
    set made from a file of frames, its grid and counts (see `export.data.frames`).
    """

    def __init__(self, folder: Path, meta: dict[str, Any]) -> None:
        self.folder = folder
        self.codec: Codec = codec(meta["representation"])
        self.context_names: tuple[str, ...] = tuple(meta["context"])
        self.style_names: tuple[str, ...] = tuple(meta["styles"])
        self.card: dict[str, Any] = meta["card"]
        self.frames: dict[str, Any] | None = meta.get("frames")
        self.events: NDArray[Any] = self._array("events", len(self.codec.fields))
        self.context: NDArray[np.uint8] = self._array("context", len(self.context_names))
        self.onsets: NDArray[np.int32] = self._array("onsets")
        self.bars: NDArray[np.int32] = self._array("bars")
        self.pitch_classes: NDArray[np.uint8] = self._array("pitch_classes", 12)
        self.plans: NDArray[np.int16] = self._array("plans", len(BarPlan._fields))
        self.pieces: NDArray[np.void] = self._array("pieces")

    @classmethod
    def open(cls, folder: str | Path) -> Dataset:
        """Raises DatasetError naming what is wrong with the folder."""
        folder = Path(folder)
        if not (folder / META).is_file():
            raise DatasetError(
                f"{folder} is no prepared dataset (it has no {META}): make one with "
                f"'perpetuo data DIR -o {folder}'"
            )
        try:
            meta = read_json(folder / META, DATASET_META)
            version = meta["version"]
            if version != VERSION:
                raise DatasetError(
                    f"the dataset {folder} has version {version}, this program reads {VERSION}: "
                    "prepare it again with 'perpetuo data'"
                )
            dataset = cls(folder, meta)
            dataset._check(meta)
        except DatasetError:
            raise
        except KeyError as error:
            raise _damaged(folder, f"{META} lacks {error}") from None
        except (OSError, ValueError, TypeError, PerpetuoError) as error:
            raise _damaged(folder, str(error)) from None
        return dataset

    def pieces_of(self, split: str) -> NDArray[np.int64]:
        """Indices of the pieces of "train", "valid" or "test"."""
        return np.flatnonzero(self.pieces["split"] == SPLITS.index(split))

    def _array(self, name: str, columns: int | None = None) -> NDArray[Any]:
        path = self.folder / f"{name}.npy"
        look_at(path, DATASET)
        array: NDArray[Any] = np.load(path, mmap_mode="r") if path.stat().st_size else np.zeros(0)
        shape = array.shape[1:]
        if shape != (() if columns is None else (columns,)):
            raise _damaged(self.folder, f"{name}.npy has rows of {shape}")
        return array

    def _check(self, meta: dict[str, Any]) -> None:
        if self.pieces.dtype != PIECE:
            raise _damaged(self.folder, "pieces.npy has other columns")
        sizes = {field.name: field.size for field in self.codec.fields}
        if meta["fields"] != sizes or self.context_names != self.codec.context:
            raise DatasetError(
                f"the dataset {self.folder} was made with other fields than this program has: "
                "prepare it again with 'perpetuo data'"
            )
        rows = len(self.events)
        for name, length, expected in (
            ("context", len(self.context), rows),
            ("onsets", len(self.onsets), rows),
            ("bars", len(self.bars), rows),
            ("plans", len(self.plans), len(self.pitch_classes)),
            ("pieces", int(self.pieces["count"].sum()), rows),
            ("pieces (bars)", int(self.pieces["bar_count"].sum()), len(self.plans)),
        ):
            if length != expected:
                raise _damaged(self.folder, f"{name} has {length} rows, not {expected}")


def _damaged(folder: Path, what: str) -> DatasetError:
    return DatasetError(
        f"the dataset {folder} is damaged ({what}): prepare it again with 'perpetuo data'"
    )
