"""A bar as it was heard, for a control log: where composing does not give it back.

Plain values, read from JSON with care: a log may come from anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.music.bars import Bar, Pedal
from engine.music.controllers import USUAL, Controller
from engine.music.plan import BarPlan
from engine.music.score import PARTS, Note
from engine.music.time import MAX_BAR_TICKS, Metre

MAX_TICK = 2**50
MAX_NOTES = 4096
MAX_TEXT = 40
TEMPOS = (10_000, 30_000_000)  # microseconds a quarter
# Of a note: part from 1, pitch, velocity, tick since the bar line, length, shift, tie.
_SHIFT = 10_000_000
_NOTE = ((1, PARTS), (0, 127), (0, 127), (0, 2**20), (0, 2**20), (-_SHIFT, _SHIFT), (0, 3))
_NAMES = ("bar", "tick", "metre", "tempo", "key", "programs", "notes")
_PEDALS, _CONTROLLERS = "pedals", "controllers"  # left out where there are none
_PEDAL = ((1, PARTS), (0, MAX_BAR_TICKS), (1, MAX_BAR_TICKS))  # part from 1, tick, length
_CONTROLLER = ((1, PARTS), (min(USUAL), max(USUAL)), (0, 127))  # part from 1, number, value


@dataclass(frozen=True, slots=True)
class BarAsHeard:
    """One bar: `tick` of the stream at its bar line, `tempo` in microseconds a quarter, `key` as
    it sounded, seven numbers a note, three a pedal and a controller as on the wire."""

    bar: int
    tick: int
    metre: str
    tempo: int
    key: str
    programs: tuple[int, ...]
    notes: tuple[tuple[int, ...], ...]
    pedals: tuple[tuple[int, ...], ...] = ()
    controllers: tuple[tuple[int, ...], ...] = ()

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        plain: dict[str, Any] = {name: getattr(self, name) for name in _NAMES}
        lists = {_PEDALS: self.pedals, _CONTROLLERS: self.controllers}
        return plain | {
            "programs": list(self.programs),
            "notes": [list(note) for note in self.notes],
            **{name: [list(row) for row in rows] for name, rows in lists.items() if rows},
        }

    @classmethod
    def read(cls, plain: object) -> BarAsHeard:
        """ValueError, with a sentence, if it is none."""
        if not isinstance(plain, dict) or set(plain) - {_PEDALS, _CONTROLLERS} != set(_NAMES):
            raise ValueError(
                f"it must have {', '.join(_NAMES)}, perhaps {_PEDALS} and {_CONTROLLERS},"
                " nothing else"
            )
        programs = plain["programs"]
        if not isinstance(programs, list) or len(programs) != PARTS:
            raise ValueError(f"programs must be a list of {PARTS}")
        controllers = _rows(_CONTROLLERS, plain.get(_CONTROLLERS, []), "controller", _CONTROLLER)
        if any(number not in USUAL for _, number, _ in controllers):
            raise ValueError(f"a controller must be one of {', '.join(map(str, USUAL))}")
        return cls(
            _whole("bar", plain["bar"], 0, MAX_TICK),
            _whole("tick", plain["tick"], 0, MAX_TICK),
            str(Metre.parse(_text("metre", plain["metre"]))),
            _whole("tempo", plain["tempo"], *TEMPOS),
            _text("key", plain["key"]),
            tuple(_whole("a program", program, 0, 127) for program in programs),
            _rows("notes", plain["notes"], "note", _NOTE),
            _rows(_PEDALS, plain.get(_PEDALS, []), "pedal", _PEDAL),
            controllers,
        )

    def as_bar(self, start: int) -> Bar:
        """As the engine has bars, beginning at this tick."""
        notes = tuple(
            Note(start + tick, length, pitch, velocity, part - 1, tie)
            for part, pitch, velocity, tick, length, _, tie in self.notes
        )
        return Bar(
            self.bar,
            0,
            start,
            Metre.parse(self.metre),
            self.tempo,
            notes,
            tuple(note[5] for note in self.notes),
            self.programs,
            BarPlan(),
            "",
            0.0,
            tuple(Pedal(tick, length, part - 1) for part, tick, length in self.pedals),
            controllers=tuple(
                Controller(part - 1, number, value) for part, number, value in self.controllers
            ),
        )


def _rows(
    name: str, rows: object, what: str, ranges: Sequence[tuple[int, int]]
) -> tuple[tuple[int, ...], ...]:
    if not isinstance(rows, list) or len(rows) > MAX_NOTES:
        raise ValueError(f"{name} must be a list of at most {MAX_NOTES}")
    return tuple(_numbers(what, row, ranges) for row in rows)


def _numbers(what: str, values: object, ranges: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    if not isinstance(values, list) or len(values) != len(ranges):
        raise ValueError(f"a {what} is a list of {len(ranges)} numbers")
    return tuple(
        _whole(f"a number of a {what}", value, low, high)
        for value, (low, high) in zip(values, ranges, strict=True)
    )


def _whole(name: str, value: object, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}")
    return value


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT or not value.isprintable():
        raise ValueError(f"{name} must be a text of at most {MAX_TEXT} characters")
    return value
