"""What steers a stream, from whichever door: values of one union, carried out in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.controls.values import Json
from engine.files.prompt import Prompt
from server.house.events import ChangeAnnounced


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRequest:
    """Change controls, or columns of the plan by bar. `if_new`: values that stand so already are
    left out, and told as `RequestDone.unchanged`."""

    by: str
    controls: Mapping[str, Json] = field(default_factory=dict)
    plan: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    if_new: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetRequest:
    """Set every control as the preset has it; with another model, if it is made for one."""

    by: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """Begin anew from the first bar, with the same seed and the controls as they are."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequest:
    """Pause: what sounds ends at once."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinueRequest:
    """Go on from the beginning of the bar in which it was stopped."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedRequest:
    """Begin anew with another seed."""

    by: str
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """Begin anew with another model, by a name of `House.models`."""

    by: str
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRequest:
    """Begin anew with this music before it."""

    by: str
    prompt: Prompt


StreamRequest = (
    ChangeRequest
    | PresetRequest
    | StartRequest
    | StopRequest
    | ContinueRequest
    | SeedRequest
    | ModelRequest
    | PromptRequest
)


@dataclass(frozen=True, slots=True)
class RequestDone:
    """A request was carried out. `steered` tells from where on it is heard, if controls were
    changed. Of those, `unchanged` had the value already, and `superseded` were given another one
    before this one could be carried out."""

    steered: ChangeAnnounced | None = None
    unchanged: frozenset[str] = frozenset()
    superseded: frozenset[str] = frozenset()
    saved: bool | None = None
