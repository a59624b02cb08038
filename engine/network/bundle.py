"""The specification that a model file carries in its ONNX metadata.

A *bundle* is one `.onnx` file whose graph is a step of a network and whose metadata says how to
use it. Reading the file itself is `engine.network.runtime`'s business; this is the value and its
checks."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from common.errors import BundleError
from common.nesting import shallow
from engine.music.fields import CONTEXT, PITCH_CLASSES
from engine.music.score import PARTS
from engine.representations.codec import Codec, codec

VERSION = 1
METADATA_KEY = "perpetuo"
PLANNER_KEY = "perpetuo.planner"
NETWORKS = ("gpt", "lstm")
PAIRED = "paired"  # the input that biases the second event field by the first; old bundles lack it


@dataclass(frozen=True, slots=True)
class StateTensor:
    """One tensor that goes into the step and comes out of it, `shape` without the row axis.

    A `ring` is written in place at the step's slot; a `carry` is replaced at every step.
    """

    name: str
    shape: tuple[int, ...]
    kind: str  # "ring" or "carry"


@dataclass(frozen=True, slots=True)
class Specification:
    """How to drive a network; everything the composer and the runtime need to know of it."""

    name: str
    network: str
    codec: str
    event: tuple[tuple[str, int], ...]  # field names and sizes, in the order they are drawn
    context: tuple[tuple[str, int], ...]
    styles: tuple[str, ...]
    states: tuple[StateTensor, ...]
    window: int = 0  # steps of attention; 0 for recurrent networks
    ring: int = 0  # slots of the ring buffer, more than `window`
    step_frequencies: tuple[float, ...] = ()  # rotary, radians a step
    tick_frequencies: tuple[float, ...] = ()  # rotary, radians a tick
    bits: int = 32
    parameters: int = 0
    card: dict[str, Any] = field(default_factory=dict)  # data, licence, credits, training, figures
    # How far controls are obeyed, where that was measured: 0 as by chance, 1 at best.
    follows: dict[str, float] = field(default_factory=dict)
    version: int = VERSION

    @property
    def mix_width(self) -> int:
        """Width of the weighted inputs: styles, parts present, pitch classes."""
        return len(self.styles) + PARTS + PITCH_CLASSES

    @property
    def event_width(self) -> int:
        return sum(size for _, size in self.event)

    def open_codec(self) -> Codec:
        return codec(self.codec)

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str, where: str) -> Specification:
        """Read and check a specification; BundleError says what is wrong with the file `where`."""
        try:
            raw = shallow(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise BundleError(f"{where}: its specification is damaged ({error})") from error
        found = raw.get("version") if isinstance(raw, dict) else None
        if found != VERSION:
            raise BundleError(
                f"{where}: written for bundle version {found}, this perpetuo reads version "
                f"{VERSION}; export it again from its checkpoint with 'perpetuo export'"
            )
        try:
            raw["states"] = tuple(
                StateTensor(s["name"], tuple(s["shape"]), s["kind"]) for s in raw["states"]
            )
            for key in ("event", "context"):
                raw[key] = tuple((str(name), int(size)) for name, size in raw[key])
            for key in ("styles", "step_frequencies", "tick_frequencies"):
                raw[key] = tuple(raw[key])
            follows = raw.get("follows", {}).items()
            raw["follows"] = {str(name): float(figure) for name, figure in follows}
            specification = cls(**raw)
            specification._check(where)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BundleError(
                f"{where}: its specification is incomplete ({error}); export it again"
            ) from error
        return specification

    def _check(self, where: str) -> None:
        if self.network not in NETWORKS:
            raise BundleError(
                f"{where}: network '{self.network}' is not known here ({', '.join(NETWORKS)})"
            )
        known = {f.name: f.size for f in self.open_codec().fields}
        _check_sizes(where, "event field", self.event, known)
        if [name for name, _ in self.event] != list(known):
            raise BundleError(f"{where}: its event fields are not those of '{self.codec}'")
        context_sizes = {name: f.size for name, f in CONTEXT.items()}
        _check_sizes(where, "context field", self.context, context_sizes)
        if self.network == "gpt" and not 0 < self.window < self.ring:
            raise BundleError(f"{where}: its ring of {self.ring} does not hold {self.window} steps")


def _check_sizes(
    where: str, what: str, named: tuple[tuple[str, int], ...], known: dict[str, int]
) -> None:
    for name, size in named:
        if name not in known:
            raise BundleError(f"{where}: {what} '{name}' is not known to this perpetuo")
        if size != known[name]:
            raise BundleError(
                f"{where}: {what} '{name}' has {size} values, this perpetuo has {known[name]}; "
                "export it again from data prepared by this version"
            )


def pack(data: bytes) -> str:
    """Bytes as metadata text."""
    return base64.b85encode(data).decode("ascii")


def unpack(text: str, where: str) -> bytes:
    try:
        return base64.b85decode(text)
    except ValueError as error:
        raise BundleError(f"{where}: its planner table is damaged; export it again") from error
