"""What a server has and can, as it tells in its welcome."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar, cast

from perpetuo_client import protocol

T = TypeVar("T")
USUAL_HORIZON = 150_000  # microseconds; of servers that do not tell it


@dataclass(frozen=True, slots=True)
class Control:
    """A control, by which streams are steered."""

    name: str
    kind: str
    role: str
    group: str
    default: Any
    open: bool  # whether None leaves it to the model or the plan
    low: float | None
    high: float | None
    unit: str
    choices: tuple[Any, ...]
    per: str | None  # may be given by model field, part or style
    accepts: str  # what may be given, in words
    help: str


@dataclass(frozen=True, slots=True)
class Station:
    """A stream that all share, as it was at the time of the welcome."""

    name: str
    state: str
    preset: str | None
    seed: int
    model: str
    listeners: int


@dataclass(frozen=True, slots=True)
class Preset:
    """Values of controls under a name; those it does not hold stand at their default, but for those
    that the seed of a stream chooses."""

    name: str
    title: str
    help: str
    controls: Mapping[str, Any]
    by_seed: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """`raw` holds all that the server told, what this version does not know included."""

    controls: Mapping[str, Control]
    stations: Mapping[str, Station]
    presets: Mapping[str, Preset]
    models: tuple[str, ...]
    styles: tuple[str, ...]
    may_steer_stations: bool
    horizon: int  # microseconds before its bar line from which on a bar is not changed any more
    raw: Mapping[str, Any]


def capabilities_from(plain: protocol.Capabilities) -> Capabilities:
    return Capabilities(
        controls=_rows(Control, plain.get("controls", ())),
        stations=_rows(Station, plain.get("stations", ())),
        presets=_rows(Preset, plain.get("presets", ())),
        models=tuple(plain.get("models", ())),
        styles=tuple(plain.get("styles", ())),
        may_steer_stations=bool(plain.get("may_steer_stations", True)),
        horizon=int(plain.get("horizon", USUAL_HORIZON)),
        raw=plain,
    )


def _rows(kind: type[T], rows: Iterable[Mapping[str, Any]]) -> Mapping[str, T]:
    """By name, in the server's order; what the server does not tell is None."""
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return {row["name"]: kind(**{name: row.get(name) for name in names}) for row in rows}


NOTHING_TOLD = capabilities_from(cast(protocol.Capabilities, {}))
