"""The music that primes a stream, as it stands in a control log."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.controls.values import Json
from engine.music.score import NOTE, PARTS, Score
from engine.music.time import Metre

# The controls that a prompt lends to a stream, where nothing else has set them.
LENT = ("key", "metre", "tempo", "parts", "programs")
MAX_TICK = 2**31 - 1
_NOTE_LIMITS = ((0, MAX_TICK), (1, MAX_TICK), (0, 127), (0, 127), (0, PARTS - 1))


@dataclass(frozen=True, slots=True)
class Prompt:
    """A score as plain tuples: `notes` hold onset, duration, pitch, velocity and part."""

    notes: tuple[tuple[int, ...], ...]
    metres: tuple[tuple[int, str], ...]
    tempos: tuple[tuple[int, int], ...]
    programs: tuple[int, ...]

    @classmethod
    def of(cls, score: Score) -> Prompt:
        return cls(
            tuple(tuple(int(value) for value in note) for note in score.notes.tolist()),
            tuple((int(tick), str(metre)) for tick, metre in score.metres),
            tuple((int(tick), int(tempo)) for tick, tempo in score.tempos),
            tuple(int(program) for program in score.programs),
        )

    def score(self) -> Score:
        return Score(
            np.array(list(self.notes), NOTE),
            tuple((tick, Metre.parse(metre)) for tick, metre in self.metres),
            self.tempos,
            self.programs,
        )

    def plain(self) -> Json:
        return {
            "notes": [list(note) for note in self.notes],
            "metres": [list(change) for change in self.metres],
            "tempos": [list(change) for change in self.tempos],
            "programs": list(self.programs),
        }

    @classmethod
    def read(cls, raw: object) -> Prompt:
        """The inverse of `plain`; ValueError says which part of it is wrong."""
        if not isinstance(raw, dict) or raw.keys() != {"notes", "metres", "tempos", "programs"}:
            raise ValueError("a prompt holds notes, metres, tempos and programs")
        notes = tuple(_row(note, _NOTE_LIMITS, "note") for note in _rows(raw["notes"], "notes"))
        if any(note[0] + note[1] > MAX_TICK for note in notes):
            raise ValueError(f"a note of the prompt ends after tick {MAX_TICK}")
        metres = tuple(_metre_change(change) for change in _rows(raw["metres"], "metres"))
        tempo_limits = ((0, MAX_TICK), (24, MAX_TICK))
        tempos = tuple(
            (row[0], row[1])
            for row in (_row(c, tempo_limits, "tempo") for c in _rows(raw["tempos"], "tempos"))
        )
        for changes in (metres, tempos):
            ticks = [change[0] for change in changes]
            if not ticks or ticks[0] != 0 or sorted(set(ticks)) != ticks:
                raise ValueError("metres and tempos of a prompt begin at tick 0 and rise")
        return cls(notes, metres, tempos, _row(raw["programs"], ((0, 127),) * PARTS, "programs"))


def _rows(raw: object, what: str) -> list[object]:
    if not isinstance(raw, list):
        raise ValueError(f"the {what} of a prompt are a list")
    return raw


def _row(raw: object, limits: tuple[tuple[int, int], ...], what: str) -> tuple[int, ...]:
    if isinstance(raw, list) and len(raw) == len(limits):
        inside = [type(v) is int and a <= v <= b for v, (a, b) in zip(raw, limits, strict=True)]
        if all(inside):
            return tuple(raw)
    ranges = ", ".join(f"{a} to {b}" for a, b in limits)
    raise ValueError(f"a {what} of the prompt is not {len(limits)} whole numbers within {ranges}")


def _metre_change(raw: object) -> tuple[int, str]:
    if not isinstance(raw, list) or len(raw) != 2 or not isinstance(raw[1], str):
        raise ValueError("a metre of the prompt is a tick and a text such as 4/4")
    (tick,) = _row(raw[:1], ((0, MAX_TICK),), "metre")
    if len(raw[1]) > 10:
        raise ValueError("a metre of the prompt is written as 4/4, 3/4, 6/8 …")
    return tick, str(Metre.parse(raw[1]))
