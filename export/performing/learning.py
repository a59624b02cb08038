"""Learns `engine/performing/learned.py` from performances.

`python -m export.performing.learning --piano FOLDER --drums FOLDER` measures the MIDI files of the
folders and prints that module. Pianos: pieces whose velocities and tempo a player shaped; drums:
performances to a steady beat.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from common.errors import MidiError
from common.files import MUSIC, read_bytes
from engine.files.midi import Smf, read
from engine.performing.figures import PlayerFigures
from engine.performing.texture import TEXTURES
from export.data.finding import MIDI_SUFFIXES
from export.performing.drums import PLACES, drum_timing
from export.performing.pedal import PedalledHalf, delays, has_pedal, pedalled_halves
from export.performing.pieces import piece_of
from export.performing.tempo import by_close, by_place, depths, rubato
from export.performing.touch import balances, loudness, spreads

SHORTEST = 24  # bars of a piece that tells of phrases and its close
Places = list[list[float]]


def learned(pianos: Sequence[Smf], drums: Sequence[Smf]) -> PlayerFigures:
    """The figures of these performances."""
    pieces = [piece_of(smf) for smf in pianos if len(smf.notes)]
    long = [piece for piece in pieces if piece.bars >= SHORTEST]
    strokes = [found for smf in drums if (found := drum_timing(smf)) is not None]
    together = [spread for smf in drums for spread in spreads(smf)]
    pedalled = [piece for piece in pieces if has_pedal(piece)]
    shape = _centred(_joined(by_place(piece, rubato(piece)) for piece in long))
    return PlayerFigures(
        shape,
        _deciles([depth for piece in long for depth in depths(piece, shape)]),
        _centred(_joined(by_place(piece, loudness(piece)) for piece in long)),
        _medians(by_close(rubato(piece)) for piece in long),
        _medians(by_close(piece.slope) for piece in long),
        _means(balance for piece in pieces for balance in balances(piece)),
        _means(found.places.tolist() for found in strokes),
        _median(together),
        _mean([found.spread for found in strokes]),
        _mean([found.memory for found in strokes]),
        _median([delay for piece in pedalled for delay in delays(piece)]),
        _rests([half for piece in pedalled for half in pedalled_halves(piece)]),
    )


def _rests(halves: Sequence[PedalledHalf]) -> tuple[float, ...]:
    """By texture, how many have no pedal."""
    return tuple(
        _mean([not half.pressed for half in halves if half.texture == texture])
        for texture in range(TEXTURES)
    )


def _joined(pieces: Iterable[Places]) -> Places:
    joined: Places = []
    for places in pieces:
        joined = [a + b for a, b in zip(joined, places, strict=True)] if joined else places
    return joined


def _centred(places: Places) -> tuple[float, ...]:
    means = [_mean(values) for values in places]
    middle = sum(means) / max(1, len(means))
    return tuple(round(mean - middle, 4) for mean in means)


def _means(rows: Iterable[Sequence[float]]) -> tuple[float, ...]:
    return tuple(_mean(column) for column in zip(*rows, strict=True))


def _medians(rows: Iterable[Sequence[float]]) -> tuple[float, ...]:
    return tuple(_median(column) for column in zip(*rows, strict=True))


def _deciles(values: Sequence[float]) -> tuple[float, ...]:
    """From the first to the ninth, nothing below 0."""
    found = np.quantile(values or [1.0], np.arange(1, 10) / 10)
    return tuple(round(max(0.0, float(value)), 4) for value in found)


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return round(float(np.mean(known)), 4) if known else 0.0


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return round(float(np.median(known)), 4) if known else 0.0


def written(figures: PlayerFigures) -> str:
    """The module that holds them."""
    rows = "".join(
        f"    {name}={_spelled(getattr(figures, name))},\n" for name in PlayerFigures.__slots__
    )
    return f"{_HEAD}\nLEARNED = PlayerFigures(\n{rows})\n"


_HEAD = '''"""Figures of players, as export/performing/learning.py measured and wrote them; see
docs/performing.md. Made by a program: it is not edited by hand."""

from __future__ import annotations

from engine.performing.figures import PlayerFigures
'''
_WIDTH = 99


def _spelled(value: float | tuple[float, ...]) -> str:
    """As `ruff format` leaves it."""
    if isinstance(value, float):
        return repr(value)
    line = ", ".join(map(repr, value))
    if len(line) + len("    voice_loudness=(),") < _WIDTH and len(value) < PLACES:
        return f"({line})"
    return "(\n" + "".join(f"        {one!r},\n" for one in value) + "    )"


def _read(folder: Path) -> list[Smf]:
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix in MIDI_SUFFIXES):
        try:
            found.append(read(read_bytes(path, MUSIC)))
        except MidiError as error:
            print(f"{path} is left out: {error}", file=sys.stderr)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m export.performing.learning")
    parser.add_argument("--piano", type=Path, required=True, help="folder of piano performances")
    parser.add_argument("--drums", type=Path, required=True, help="folder of drum performances")
    args = parser.parse_args()
    print(written(learned(_read(args.piano), _read(args.drums))), end="")


if __name__ == "__main__":
    main()
