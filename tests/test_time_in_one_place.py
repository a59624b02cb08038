"""Ticks become microseconds in `engine.music.time` alone, by one rule. This walks the source and
finds where a tempo is reckoned with elsewhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("engine", "server", "export")
THE_PLACE = "engine/music/time.py"
SCALING = (ast.Mult, ast.Div, ast.FloorDiv, ast.Mod)
# Names that hold a tempo: quarters a minute, or the microseconds of a quarter.
TEMPO = re.compile(r"_?(\w+_)?(tempos?|quarter|bpm)(_of)?|quarters_per_minute", re.IGNORECASE)
NO_TEMPO = re.compile(r"(TICKS|SHIFTS|PARTS)_PER_QUARTER")
TRANSPARENT = {"abs", "float", "int", "max", "min", "round"}

FILE = "ticks of a MIDI file, of which any number makes a quarter"
MAY_SCALE = {
    "engine/composing/tempo_drift.py": "another tempo, by so many percent",
    "engine/composing/performing.py": "swing, a share of a quarter that is never rounded to ticks",
    "engine/files/midi.py": FILE,
    "engine/files/midi_reader.py": FILE,
    "export/invention/form.py": "another tempo, by what a bar presses on or holds back",
    "server/benches/live/steering.py": "which of its tempos it is",
}


def scalings(source: str) -> Iterator[int]:
    """The lines in which a tempo is multiplied or divided, or something else is by the ticks of a
    quarter as only durations are."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.BinOp(left, op, right) | ast.AugAssign(left, op, right):
                found = isinstance(op, SCALING) and (
                    _is_tempo(left) or _is_tempo(right) or _is_by_hand(left, op, right)
                )
            case ast.Call(ast.Name("divmod" | "Fraction"), args):
                found = any(map(_is_tempo, args))
            case _:
                found = False
        if found:
            yield node.lineno


def _is_tempo(node: ast.expr) -> bool:
    """Whether an operand is a tempo, or a sum with one in it."""
    match node:
        case ast.Name(name) | ast.Attribute(attr=name):
            return bool(TEMPO.fullmatch(name)) and not NO_TEMPO.fullmatch(name)
        case ast.BinOp(left, _, right):
            return _is_tempo(left) or _is_tempo(right)
        case ast.UnaryOp(_, operand):
            return _is_tempo(operand)
        case ast.Subscript(value):
            return _is_tempo(value)
        case ast.Call(ast.Name(name), args) if name in TRANSPARENT:
            return any(map(_is_tempo, args))
        case ast.Call(function):
            return _is_tempo(function)
    return False


def _is_by_hand(left: ast.expr, op: ast.operator, right: ast.expr) -> bool:
    """Whether something is divided by 24, or a product by the ticks of a quarter into a whole
    number."""
    if not isinstance(op, ast.Div | ast.FloorDiv):
        return False
    if isinstance(right, ast.Constant) and right.value in (24, 48):
        return True
    products = (
        isinstance(part, ast.BinOp) and isinstance(part.op, ast.Mult) for part in ast.walk(left)
    )
    ticks = ast.unparse(right).endswith("TICKS_PER_QUARTER")
    return isinstance(op, ast.FloorDiv) and ticks and any(products)


def _sources() -> dict[str, Path]:
    paths = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return {path.relative_to(ROOT).as_posix(): path for path in paths}


def test_ticks_become_time_in_one_place() -> None:
    found = {
        f"{name}:{line}"
        for name, path in _sources().items()
        for line in scalings(path.read_text("utf-8"))
        if name not in MAY_SCALE and name != THE_PLACE
    }
    assert not found, "use engine.music.time, or say in MAY_SCALE why not"


def test_what_may_scale_by_itself_does() -> None:
    sources = _sources()
    may = [THE_PLACE, *MAY_SCALE]
    assert [n for n in may if n not in sources or not any(scalings(sources[n].read_text()))] == []


@pytest.mark.parametrize(
    "line",
    [
        "ticks * tempo // 24",
        "due + note.tick * bar.tempo // TICKS_PER_QUARTER + note.shift",
        "bar.metre.ticks * bar.microseconds_per_quarter // 24",
        "round(ticks * self._quarter / TICKS_PER_QUARTER)",
        "(2 * ticks * tempo + 24) // 48",
        "60e6 / quarter_of(change)",
        "MICROSECONDS_PER_MINUTE / score.tempos[-1][1]",
        "round(60_000_000 / float(tempo))",
        "60 / controls.tempo * metre.ticks / TICKS_PER_QUARTER",
        "since / (tempo + 1)",
        "length *= bar.tempo",
        "divmod(time, tempo)",
        "Fraction(tick * planned.tempo, 24)",
        "tick * long // 24",
        "tick * long // time.TICKS_PER_QUARTER",
        "metre.ticks / 24",
    ],
)
def test_a_tempo_that_is_reckoned_with_is_found(line: str) -> None:
    assert set(scalings(f"x = 1\n{line}")) == {2}


@pytest.mark.parametrize(
    "line",
    [
        "duration(note.tick, bar.tempo) + note.shift",
        "controls.tempo or codec.tempo",
        "rate * duration(ticks, tempo)",
        "len(notes) * TICKS_PER_QUARTER / (end - start)",
        "controls.max_rest * TICKS_PER_QUARTER",
        "WRITTEN_DIVISION // TICKS_PER_QUARTER",
        "tick % TICKS_PER_QUARTER",
        "np.diff(bounds) / TICKS_PER_QUARTER",
        "seconds * 1_000_000",
        "self.minutes * MICROSECONDS_PER_MINUTE",
        "path / temporary",
    ],
)
def test_other_reckoning_is_not(line: str) -> None:
    assert list(scalings(line)) == []
