"""What of a preset the seed chooses: the table `[by_seed]` of its file.

    [by_seed]
    key = ["C major", "D minor"]            one of these, each as likely
    style = { hymn = 3, sacred = 1 }        one of these, by weight; in the form of the command line
    tempo = { from = 60, to = 84 }          a number between these, likelier in the middle

    [[by_seed.sets]]                        values that belong together, by weight
    weight = 3
    metre = "6/8"
    tempo = { from = 100, to = 120 }

A control stands in one place alone, and all sets set the same controls: so every stream of the
preset has a value for each, whichever way its seed decides. What is chosen depends on seed, stream
and the names of the controls, not on their order or on what else the file says.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from common.errors import ControlError
from common.settings import Source
from common.words import listed, shown
from engine.controls.controls import CONTROL, control_named
from engine.controls.kinds import INTEGER, NUMBER
from engine.controls.values import Control, Json, finite
from engine.music.noise import CHOOSING, uniforms

SETS, WEIGHT = "sets", "weight"
_FROM, _TO = "from", "to"
_HUNDREDTHS = 2  # digits after the point of a number in a range


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of some values, by weight."""

    values: tuple[Json, ...]
    weights: tuple[float, ...]

    def chosen(self, seed: int, stream: int, name: str) -> Json:
        return self.values[_place(seed, stream, name, self.weights)]

    def ends(self) -> Iterator[Json]:
        """Values among which the least and the greatest are."""
        yield from self.values


@dataclass(frozen=True, slots=True)
class Between:
    """A number between two, both included: whole if they are, and likelier in the middle."""

    low: float
    high: float
    is_whole: bool

    def chosen(self, seed: int, stream: int, name: str) -> Json:
        one, other = _numbers(seed, stream, name, 2)
        value = self.low + (self.high - self.low) * (one + other) / 2
        rounded = round(value) if self.is_whole else round(value, _HUNDREDTHS)
        return min(max(rounded, self.low), self.high)

    def ends(self) -> Iterator[Json]:
        yield self.low
        yield self.high


Choice = OneOf | Between


@dataclass(frozen=True, slots=True)
class BySeed:
    """See the module. Values are as their controls have them as plain JSON."""

    alone: Mapping[str, Choice]
    sets: tuple[Mapping[str, Choice], ...] = ()
    weights: tuple[float, ...] = ()  # of the sets

    @property
    def names(self) -> tuple[str, ...]:
        """The controls that the seed decides, in the order of the table of controls."""
        known = {*self.alone, *(self.sets[0] if self.sets else ())}
        return tuple(name for name in CONTROL if name in known)

    def chosen(self, seed: int, stream: int = 0) -> dict[str, Json]:
        """A value for each of `names`: what this stream of this seed has."""
        choices = dict(self.alone)
        if self.sets:
            choices |= self.sets[_place(seed, stream, SETS, self.weights)]
        return {name: choices[name].chosen(seed, stream, name) for name in self.names}

    def ends(self) -> Iterator[dict[str, list[Json]]]:
        """For each of the sets, the values of each control among which its extremes are."""
        for one in self.sets or ({},):
            yield {name: list(choice.ends()) for name, choice in {**self.alone, **one}.items()}


NOTHING = BySeed({})


def read_by_seed(source: Source, at: str, table: Mapping[str, Any]) -> BySeed:
    """The table of a file, its values checked one by one; ConfigError names what is wrong."""
    alone = {
        name: _choice(source, f"{at}.{name[:40]}", name, raw)
        for name, raw in table.items()
        if name != SETS
    }
    sets, weights = _sets(source, f"{at}.{SETS}", table.get(SETS, []), alone)
    return BySeed(alone, sets, weights)


def _sets(
    source: Source, at: str, raw: object, alone: Mapping[str, Choice]
) -> tuple[tuple[dict[str, Choice], ...], tuple[float, ...]]:
    if not isinstance(raw, list) or not all(isinstance(one, dict) for one in raw):
        source.refuse(at, f"must be tables, not {shown(raw)}: begin each with [[{at}]]")
    sets, weights = [], []
    for i, table in enumerate(raw):
        weights.append(_weight(source, f"{at}[{i}].{WEIGHT}", table.get(WEIGHT, 1)))
        names = [name for name in table if name != WEIGHT]
        sets.append({n: _choice(source, f"{at}[{i}].{n[:40]}", n, table[n]) for n in names})
        for name in alone.keys() & names:
            source.refuse(f"{at}[{i}].{name}", "stands outside the sets too: keep one of them")
        if missing := sorted(sets[-1].keys() ^ sets[0].keys()):
            named = listed(tuple(missing))
            source.refuse(f"{at}[{i}]", f"and {at}[0] differ in {named}: set the same controls")
    return tuple(sets), tuple(weights)


def _choice(source: Source, at: str, name: str, raw: object) -> Choice:
    """What one control may be: a list, a table of weights, a range, or the one value that a set
    has."""
    try:
        control = control_named(name)
        if isinstance(raw, dict) and raw.keys() & {_FROM, _TO}:
            return _range(source, at, control, raw)
        values, weights = _listed(source, at, raw)
        return OneOf(tuple(control.plain(control.parse(one)) for one in values), weights)
    except ControlError as error:
        source.refuse(at, f"is wrong: {error}")


def _listed(source: Source, at: str, raw: object) -> tuple[Sequence[object], tuple[float, ...]]:
    if raw in ([], {}):
        source.refuse(at, "is empty: give a list of values, values with weights, or from and to")
    if isinstance(raw, dict):
        weights = (_weight(source, f"{at}.{name[:40]!r}", raw[name]) for name in raw)
        return tuple(raw), tuple(weights)
    values = raw if isinstance(raw, list) else [raw]
    return values, (1.0,) * len(values)


def _range(source: Source, at: str, control: Control, raw: Mapping[str, object]) -> Between:
    if raw.keys() != {_FROM, _TO}:
        source.refuse(at, "is half a range or more than one: give from and to alone")
    if control.kind not in (NUMBER, INTEGER) or control.choices:
        source.refuse(at, "has no range between two values: list those that it may have")
    low, high = (control.parse(raw[end]) for end in (_FROM, _TO))
    if low is None or high is None or not low < high:
        source.refuse(at, f"goes from {raw[_FROM]} to {raw[_TO]}: give a smaller number first")
    whole = all(isinstance(raw[end], int) for end in (_FROM, _TO))
    return Between(low, high, whole or control.kind is INTEGER)


def _weight(source: Source, at: str, raw: object) -> float:
    weight = finite(raw)
    if isinstance(raw, str) or weight is None or weight <= 0:
        source.refuse(at, f"cannot be {shown(raw)}: a weight is a number above 0")
    return weight


def _place(seed: int, stream: int, name: str, weights: Sequence[float]) -> int:
    """One of so many, by weight."""
    sums = list(accumulate(weights))
    (drawn,) = _numbers(seed, stream, name, 1)
    return next((i for i, upper in enumerate(sums) if drawn * sums[-1] < upper), len(sums) - 1)


def _numbers(seed: int, stream: int, name: str, count: int) -> list[float]:
    """Looked up by the name, so that another line in the file leaves all others as they were."""
    numbers = uniforms(seed, stream, CHOOSING, zlib.crc32(name.encode()), count)
    return [float(number) for number in numbers]
