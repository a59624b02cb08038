"""What steers a stream, from whichever door: values of one union, carried out in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.control_prompt import Prompt
from engine.control_values import Json
from server.house.events import Steered


@dataclass(frozen=True, slots=True, kw_only=True)
class Steer:
    """Change controls, or columns of the plan by bar. `if_new`: values that stand so already are
    left out, and told as `Carried.unchanged`."""

    by: str
    controls: Mapping[str, Json] = field(default_factory=dict)
    plan: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    if_new: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UsePreset:
    """Set every control as the preset has it; with another model, if it is made for one."""

    by: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Begin anew from the first bar, with the same seed and the controls as they are."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Pause: what sounds ends at once."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Continue:
    """Go on from the beginning of the bar in which it was stopped."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reseed:
    """Begin anew with another seed."""

    by: str
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Begin anew with another model, by a name of `House.models`."""

    by: str
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GivePrompt:
    """Begin anew with this music before it."""

    by: str
    prompt: Prompt


Request = Steer | UsePreset | Start | Stop | Continue | Reseed | Load | GivePrompt


@dataclass(frozen=True, slots=True)
class Carried:
    """A request was carried out. `steered` tells from where on it is heard, if controls were
    changed. Of those, `unchanged` had the value already, and `superseded` were given another one
    before this one could be carried out."""

    steered: Steered | None = None
    unchanged: frozenset[str] = frozenset()
    superseded: frozenset[str] = frozenset()
    saved: bool | None = None
