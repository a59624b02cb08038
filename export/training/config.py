"""The configuration of a training run: one TOML file, checked once, frozen."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta
from msgspec.structs import asdict, replace

from common.errors import ConfigError
from common.files import CONFIGURATION
from common.nesting import shallow
from common.settings import Source, Table
from common.tables import read_toml
from engine.library.models import SUFFIX

_Positive = Annotated[int, Meta(ge=1)]
_Share = Annotated[float, Meta(ge=0, le=1)]
_Data = Annotated[str, Meta(min_length=1, title="the folder that 'perpetuo data' wrote")]
_Out = Annotated[str, Meta(min_length=1, title="a folder for checkpoints and curves")]


class TrainingConfig(Table, frozen=True):
    """What a run is; the defaults are a good start for some millions of notes on a CPU."""

    data: Annotated[_Data, "The music."]
    out: Annotated[_Out, "Where the run is kept."]
    name: Annotated[str, "Name of the model."] = "model"
    start: Annotated[
        str, "Model whose weights it begins with: .onnx, or an embedded one's name; nothing: none."
    ] = ""
    seed: Annotated[int, "Which random numbers are drawn."] = 1

    network: Annotated[Literal["gpt", "lstm"], "Attention, or a recurrent network."] = "gpt"
    width: Annotated[_Positive, "Width of the body."] = 256
    layers: Annotated[_Positive, "Layers of the body."] = 6
    heads: Annotated[_Positive, "Query heads of attention, over one key and value head."] = 4
    inner: Annotated[_Positive, "Width of the gated layer between."] = 672
    window: Annotated[_Positive, "Events that attention sees."] = 128
    ring: Annotated[int, "Events that are kept: as far beyond the window a stream can go back."] = (
        256
    )
    step_rotations: Annotated[int, "Rotary pairs that turn with the step."] = 16
    tick_rotations: Annotated[int, "Rotary pairs that turn with musical time."] = 16
    dropout: Annotated[_Share, "Share of what layers give that is dropped while learning."] = 0.0

    steps: Annotated[_Positive, "Length of the run."] = 4000
    rows: Annotated[_Positive, "Sequences a step."] = 8
    length: Annotated[_Positive, "Events a sequence."] = 512
    matrix_rate: Annotated[float, "Learning rate of Muon, on the matrices of the body."] = 0.02
    rate: Annotated[float, "Learning rate of AdamW, on everything else."] = 0.003
    warmup: Annotated[_Share, "Share of the steps in which the rate rises."] = 0.02
    cooldown: Annotated[_Share, "Share of the steps in which the rate falls to nothing."] = 0.4
    weight_decay: Annotated[float, "Of the matrices of the body."] = 0.01
    clip: Annotated[float, "Largest norm of the gradients."] = 1.0
    precision: Annotated[
        Literal["auto", "bf16", "fp32"], "What is computed in; auto: as is faster here."
    ] = "auto"

    transpose: Annotated[
        int, Meta(ge=0, le=6), "Random transposition up to so many semitones, both ways."
    ] = 0
    octaves: Annotated[_Share, "Share of excerpts moved by an octave."] = 0.1
    loudness: Annotated[_Share, "Share of excerpts played louder or softer."] = 0.6
    touch: Annotated[_Share, "Share of excerpts played shorter or longer than written."] = 0.2
    invented_velocity: Annotated[_Share, "Share of flat excerpts that are given velocities."] = 0.7
    misled_velocity: Annotated[
        _Share, "Share of excerpts that are told other velocities than there are."
    ] = 0.25
    conditioning_dropout: Annotated[
        _Share, "Share of excerpts in which each plan field is open."
    ] = 0.15
    plan_dropout: Annotated[_Share, "Share of excerpts in which all of the plan is open."] = 0.1
    style_power: Annotated[float, "Sampling weight of a style: its notes to this power."] = 0.5

    validate_every: Annotated[_Positive, "Steps between two validations."] = 250
    validation_rows: Annotated[_Positive, "Sequences of a validation."] = 48
    checkpoint_every: Annotated[_Positive, "Steps between two checkpoints."] = 100
    threads: Annotated[int, "Threads of torch; 0: as torch sees fit."] = 0
    workers: Annotated[
        int,
        Meta(ge=0, le=64),
        "Processes that draw batches ahead, for a GPU; 0: the trainer itself.",
    ] = 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __post_init__(self) -> None:
        if self.warmup + self.cooldown > 1:
            raise ValueError("warmup and cooldown together exceed the run")
        if self.network != "gpt":
            return
        if self.length % self.window:
            raise ValueError("length must be a multiple of window")
        if self.ring <= self.window:
            raise ValueError("ring must be larger than window")
        if self.step_rotations + self.tick_rotations < 1:
            raise ValueError("step_rotations and tick_rotations must not both be 0")


def load(path: Path) -> TrainingConfig:
    """Read a configuration; paths inside it are relative to the file."""
    base = path.parent
    config = Source(str(path), base).build(TrainingConfig, read_toml(path, CONFIGURATION))
    start = str(base / config.start) if config.start.endswith(SUFFIX) else config.start
    return replace(config, data=str(base / config.data), out=str(base / config.out), start=start)


def override(config: TrainingConfig, assignments: list[str]) -> TrainingConfig:
    """The configuration with "key=value" pairs from the command line put in."""
    changed: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(f"--set {assignment}: write it as key=value, for example steps=500")
        try:
            changed[key] = shallow(tomllib.loads(f"value = {text}")["value"])
        except (ValueError, RecursionError):
            changed[key] = text
    return Source("--set", Path()).build(TrainingConfig, {**config.as_dict(), **changed})
