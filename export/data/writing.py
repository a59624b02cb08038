"""Writing a dataset folder piece by piece, so that memory does not grow with it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from common.errors import OutputError
from common.files import as_text
from engine.music.plan import BarPlan
from engine.representations.codec import Codec
from export.data.dataset import META, PIECE
from export.data.prepare import Prepared


class ArrayFile:
    """A .npy file that grows by rows. Its header has room for the final count."""

    def __init__(self, path: Path, dtype: Any, columns: int | None = None) -> None:
        self.dtype = np.dtype(dtype)
        self.shape = () if columns is None else (columns,)
        self.rows = 0
        self._file: BinaryIO = open(path, "wb")  # noqa: SIM115 (closed in `close`)
        self._write_header()

    def append(self, rows: NDArray[Any]) -> None:
        self._file.write(np.ascontiguousarray(rows, self.dtype).tobytes())
        self.rows += len(rows)

    def close(self) -> None:
        self._file.seek(0)
        self._write_header()
        self._file.close()

    def _write_header(self) -> None:
        # numpy pads the header for any number of rows, so its length stays.
        np.lib.format.write_array_header_1_0(
            self._file,
            {
                "descr": np.lib.format.dtype_to_descr(self.dtype),
                "fortran_order": False,
                "shape": (self.rows, *self.shape),
            },
        )


class DatasetWriter:
    """The arrays of a dataset under construction; a context manager that closes them."""

    def __init__(self, folder: Path, coder: Codec) -> None:
        self.folder = folder
        small = all(field.size <= 256 for field in coder.fields)
        self.files = {
            "events": ArrayFile(
                folder / "events.npy", np.uint8 if small else np.uint16, len(coder.fields)
            ),
            "context": ArrayFile(folder / "context.npy", np.uint8, len(coder.context)),
            "onsets": ArrayFile(folder / "onsets.npy", np.int32),
            "bars": ArrayFile(folder / "bars.npy", np.int32),
            "pitch_classes": ArrayFile(folder / "pitch_classes.npy", np.uint8, 12),
            "plans": ArrayFile(folder / "plans.npy", np.int16, len(BarPlan._fields)),
            "pieces": ArrayFile(folder / "pieces.npy", PIECE),
        }

    def __enter__(self) -> DatasetWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in self.files.values():
            file.close()

    def add(self, piece: Prepared, *, style: int, split: int, velocity: bool) -> None:
        files = self.files
        first_bar = files["plans"].rows
        row = (
            files["events"].rows,
            len(piece.events),
            first_bar,
            len(piece.plans),
            style,
            split,
            piece.parts,
            velocity,
            piece.shift,
            piece.minor,
        )
        files["pieces"].append(np.array([row], PIECE))
        files["events"].append(piece.events)
        files["context"].append(piece.context)
        files["onsets"].append(piece.onsets)
        files["bars"].append(piece.bars + first_bar)
        files["pitch_classes"].append(piece.pitch_classes)
        files["plans"].append(piece.plans)


@contextlib.contextmanager
def new_folder(target: Path, *, force: bool) -> Iterator[Path]:
    """A folder to write in, which takes the name `target` only when all went well."""
    refuse_folder(target, force=force)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if target.exists():
            old = target.with_name(f".{target.name}.{os.getpid()}.old")
            target.rename(old)
            temporary.rename(target)
            shutil.rmtree(old)
        else:
            temporary.rename(target)
    except OSError as error:
        raise OutputError(f"the dataset {target} cannot be written: {error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def refuse_folder(target: Path, *, force: bool) -> None:
    """Raise OutputError now rather than after the work, if `target` cannot be a new dataset."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise OutputError(f"{target} is not a folder: choose another name")
    if not target.is_dir() or not any(target.iterdir()):
        return
    if not (target / META).is_file():
        raise OutputError(f"{target} is a folder of something else: choose another name")
    if not force:
        raise OutputError(f"{target} exists already: choose another name or add --force")


def write_json(path: Path, values: dict[str, Any]) -> None:
    text = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def write_text(path: Path, text: str) -> None:
    """In UTF-8, whatever names of files are in it."""
    path.write_text(as_text(text), encoding="utf-8")
