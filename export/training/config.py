"""The configuration of a training run: one TOML file, checked once, frozen."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from common.errors import ConfigError
from common.files import CONFIGURATION
from common.nesting import shallow
from common.tables import read_toml
from engine.controls.values import shown
from engine.library.models import SUFFIX


@dataclass(frozen=True)
class TrainingConfig:
    """What a run is; the defaults are a good start for some millions of notes on a CPU."""

    data: str = ""  # prepared dataset folder
    out: str = ""  # run folder: checkpoints, log, curves
    name: str = "model"
    start: str = ""  # a model (.onnx, or an embedded one's name) whose weights it begins with
    seed: int = 1

    network: str = "gpt"
    width: int = 256
    layers: int = 6
    heads: int = 4
    inner: int = 672
    window: int = 128
    ring: int = 256
    step_rotations: int = 16
    tick_rotations: int = 16
    dropout: float = 0.0

    steps: int = 4000
    rows: int = 8  # sequences a step
    length: int = 512  # events a sequence
    matrix_rate: float = 0.02  # Muon, on the matrices of the body
    rate: float = 0.003  # AdamW, on everything else
    warmup: float = 0.02  # share of the steps
    cooldown: float = 0.4  # share of the steps, the rate falling to nothing
    weight_decay: float = 0.01
    clip: float = 1.0
    precision: str = "auto"  # auto, bf16, fp32

    transpose: int = 0  # random transposition up to so many semitones, both ways
    octaves: float = 0.1  # share of excerpts moved by an octave
    loudness: float = 0.6  # share of excerpts played louder or softer
    touch: float = 0.2  # share of excerpts played shorter or longer than written
    invented_velocity: float = 0.7  # share of flat excerpts that are given velocities
    misled_velocity: float = 0.25  # share of excerpts that are told other velocities than there are
    conditioning_dropout: float = 0.15  # share of excerpts in which each plan field is open
    plan_dropout: float = 0.1  # share of excerpts in which all of it is open
    style_power: float = 0.5  # sampling weight of a style: its notes to this power

    validate_every: int = 250
    validation_rows: int = 48
    checkpoint_every: int = 100
    threads: int = 0  # 0: as torch sees fit
    workers: int = 0  # processes that draw batches ahead, for a GPU; 0: the trainer itself

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


_POSITIVE = (
    *("width", "layers", "heads", "inner", "window", "steps", "rows", "length"),
    *("validate_every", "validation_rows", "checkpoint_every"),
)
_SHARES = (
    *("dropout", "warmup", "cooldown", "octaves", "loudness", "touch", "invented_velocity"),
    *("misled_velocity", "conditioning_dropout", "plan_dropout"),
)


def load(path: Path) -> TrainingConfig:
    """Read a configuration; paths inside it are relative to the file."""
    raw = read_toml(path, CONFIGURATION)
    config = from_dict(raw, str(path))
    base = path.parent
    places = {"data": str(base / config.data), "out": str(base / config.out)}
    if config.start.endswith(SUFFIX):
        places["start"] = str(base / config.start)
    return from_dict({**raw, **places}, str(path))


def from_dict(raw: dict[str, Any], where: str) -> TrainingConfig:
    types = {f.name: type(f.default) for f in fields(TrainingConfig)}
    for key, value in raw.items():
        if key not in types:
            near = difflib.get_close_matches(key, types, 1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise ConfigError(f"{where}: unknown key '{key}'{hint}")
        wanted = types[key]
        fits = isinstance(value, wanted) or (wanted is float and isinstance(value, int))
        if not fits or (isinstance(value, bool) and wanted is not bool):
            raise ConfigError(f"{where}: {key} must be {_NAMES[wanted]}, not {shown(value)}")
    config = TrainingConfig(**raw)
    _check(config, where)
    return config


_NAMES = {int: "a whole number", float: "a number", str: "a text"}


def _check(config: TrainingConfig, where: str) -> None:
    def need(holds: bool, message: str) -> None:
        if not holds:
            raise ConfigError(f"{where}: {message}")

    need(bool(config.data), "'data' is missing: name the folder that 'perpetuo data' wrote")
    need(bool(config.out), "'out' is missing: name a folder for checkpoints and curves")
    need(config.network in ("gpt", "lstm"), f"network '{config.network}' must be gpt or lstm")
    need(
        config.precision in ("auto", "bf16", "fp32"),
        f"precision '{config.precision}' must be auto, bf16 or fp32",
    )
    for key in _POSITIVE:
        need(getattr(config, key) >= 1, f"{key} must be at least 1")
    for key in _SHARES:
        need(0 <= getattr(config, key) <= 1, f"{key} must be from 0 to 1")
    need(0 <= config.workers <= 64, "workers must be from 0 to 64")
    need(0 <= config.transpose <= 6, "transpose must be from 0 to 6 semitones")
    need(config.warmup + config.cooldown <= 1, "warmup and cooldown together exceed the run")
    if config.network == "gpt":
        need(config.length % config.window == 0, "length must be a multiple of window")
        need(config.ring > config.window, "ring must be larger than window")
        rotations = config.step_rotations + config.tick_rotations
        need(rotations >= 1, "step_rotations and tick_rotations must not both be 0")


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
    return from_dict({**config.as_dict(), **changed}, "--set")
