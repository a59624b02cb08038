"""A whole stream as bytes: what another process needs to go on with it, note for note.

A NumPy archive of the network's state and one JSON text with all the rest. The model itself is not
inside, only its digest.
"""

from __future__ import annotations

import io
import json
import zipfile
from array import array
from typing import Any, NamedTuple

import numpy as np

from common.errors import PerpetuoError, SnapshotError
from common.nesting import shallow
from engine.composing.bar_line import BarLine
from engine.composing.composer import Composer
from engine.composing.counterpoint import NOWHERE, Standing
from engine.composing.percussion import DRAWN_APART
from engine.controls.controls import Controls
from engine.files.plain_values import from_plain, to_plain
from engine.music.heard_chords import Harmony
from engine.network.runtime import Checkpoint, Network, Pool, SavedRow
from engine.planning.form import FormState
from engine.planning.guards import GuardState
from engine.planning.part_patience import FRESH
from engine.planning.scene import PlannerState

VERSION = 4
_TEXT, _DRUMS = "stream", "drums"
# Fields of a bar line that JSON holds, with their types; the others need more care.
_LINE = {
    "bar": int,
    "start": int,
    "event": tuple[int, ...],
    "form": FormState,
    "planner": PlannerState,
    "guards": GuardState,
    "anchor": int,
    "chords": tuple[tuple[int, ...], float] | None,
    "silent_from": int,
    "transposition": int,
    "lines": Standing,
    "trims": tuple[float, ...],
    "told": int,
    "meant": int,
    "patience": tuple[int, ...],
    "harmony": Harmony,
}
# What snapshots of the same version had not at first, as JSON has it.
_SINCE: dict[str, Any] = {
    "told": 0,
    "meant": -1,
    "lines": to_plain(NOWHERE),
    "patience": list(FRESH),
    "harmony": [0, []],
}


def save(composer: Composer) -> bytes:
    """The stream at `first_open`, the first bar that a change could still reach: from there the
    restored stream composes what this one will. Not in the middle of a bar that is too long to
    be taken back (`first_open` is then past `next_bar`)."""
    opening = composer.first_open
    assert opening <= composer.next_bar, "finish the bar first"
    text, arrays = _written(composer, opening)
    text |= {"version": VERSION, "model": composer.network.digest}
    if composer.percussion.line(opening) is not None:
        assert composer.percussion.composer is not None, "its line is there"
        text[_DRUMS], drummed = _written(composer.percussion.composer, opening)
        arrays |= {f"{_DRUMS}.{name}": array for name, array in drummed.items()}
    arrays[_TEXT] = np.frombuffer(json.dumps(text, sort_keys=True).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _written(composer: Composer, opening: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """One composer at a bar line: its text, and the arrays of its network."""
    line = next(line for line in composer.lines if line.bar == opening)
    arrays: dict[str, Any] = dict(composer.lease.states())
    carried = [state.name for state in composer.spec.states if state.kind == "carry"]
    arrays |= dict(zip(carried, line.mark.carried, strict=True))
    text = {
        "seed": composer.seed,
        "stream": composer.stream,
        "controls": composer.controls.complete(),
        "step": line.mark.step,
        "cursor": line.cursor.state(),
        "line": {name: to_plain(getattr(line, name)) for name in _LINE},
        "hand": {str(bar): dict(columns) for bar, columns in composer.overrides.items()},
        "heard": {str(bar): list(told) for bar, told in composer.heard.items() if bar < line.bar},
        "last": composer.last,
        "revisions": {str(b): n for b, n in composer.revisions.items() if b >= line.bar},
    }
    return text, arrays


def restore(data: bytes, network: Network, pool: Pool) -> Composer:
    """A stream that was saved, on a row of this pool; SnapshotError if it is not of this model or
    not whole, and no row is taken."""
    text, arrays = _opened(data)
    if text.get("model") != network.digest:
        raise SnapshotError(
            f"the snapshot was made with another model than {network.where}: restore it with the "
            "very same file"
        )
    try:
        saved = _read(text, arrays, network)
        drums = _read(text[_DRUMS], arrays, network, f"{_DRUMS}.") if _DRUMS in text else None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, PerpetuoError) as error:
        raise _damaged(str(error)) from error
    composer = saved.on(network, pool)
    if drums is not None:
        composer.percussion.take_up(lambda: drums.on(network, pool, DRAWN_APART))
    return composer


class _Saved(NamedTuple):
    """One composer as it was saved, read and checked. `line` has no mark yet."""

    seed: int
    stream: int
    controls: Controls
    row: SavedRow
    line: dict[str, Any]
    told: tuple[dict[int, dict[str, int]], dict[int, array[int]], dict[int, int]]
    last: int | None

    def on(self, network: Network, pool: Pool, apart: int = 0) -> Composer:
        """It, on a row of this pool."""
        composer = Composer(network, pool, self.seed, self.stream, self.controls, apart=apart)
        pool.load(composer.row, self.row)
        carried = pool.mark(composer.row).carried
        composer.overrides, composer.heard, composer.revisions = self.told
        composer.last = self.last
        composer.begin_at(BarLine(mark=Checkpoint(self.row.step, carried), **self.line))
        return composer


def _read(
    text: dict[str, Any], arrays: dict[str, Any], network: Network, prefix: str = ""
) -> _Saved:
    raw = {**_SINCE, **text["line"]}
    values = {name: from_plain(kind, raw[name]) for name, kind in _LINE.items()}
    cursor = network.specification.open_codec().cursor(values["start"])
    cursor.resume(text["cursor"])
    step = int(text["step"])
    states = network.specification.states
    tensors = {s.name: arrays[prefix + s.name].reshape(s.shape) for s in states}
    return _Saved(
        int(text["seed"]),
        int(text["stream"]),
        Controls.from_dict(text["controls"]),
        SavedRow(step, step, tensors),
        {**values, "cursor": cursor},
        (
            {int(bar): dict(columns) for bar, columns in text["hand"].items()},
            {int(bar): array("i", told) for bar, told in text["heard"].items()},
            {int(bar): int(n) for bar, n in text["revisions"].items()},
        ),
        None if text.get("last") is None else int(text["last"]),
    )


class SnapshotSummary(NamedTuple):
    """What a snapshot tells without a model: `model` is its digest."""

    model: str
    seed: int
    bar: int
    controls: Controls


def summary_of(data: bytes) -> SnapshotSummary:
    """What is known of a saved stream; SnapshotError if it is not whole."""
    text, _ = _opened(data)
    try:
        controls = Controls.from_dict(text["controls"])
        return SnapshotSummary(
            str(text["model"]), int(text["seed"]), int(text["line"]["bar"]), controls
        )
    except (KeyError, TypeError, ValueError, PerpetuoError) as error:
        raise _damaged(str(error)) from error


def _opened(data: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        text = shallow(json.loads(bytes(arrays.pop(_TEXT))))
        version = text["version"]
    except (
        OSError,
        EOFError,
        ValueError,
        KeyError,
        TypeError,
        zipfile.BadZipFile,
        RecursionError,
    ) as error:
        raise _damaged(str(error)) from error
    if version != VERSION:
        raise SnapshotError(
            f"the snapshot has version {version}, this perpetuo reads {VERSION}: begin the stream "
            "anew, or replay its control log"
        )
    return text, arrays


def _damaged(reason: str) -> SnapshotError:
    return SnapshotError(
        f"the snapshot is damaged ({reason}): restore an older one, or replay the control log"
    )
