"""How a stream begins: from what a user asks for to the log of a stream that has no bar yet."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from common.errors import naming
from common.files import PROMPT, read_bytes
from engine.composing.following import (
    left_out_sentence,
    refuse_unfollowed,
    unfollowed,
    without_unfollowed,
)
from engine.composing.primer import primer_of
from engine.controls.controls import Controls
from engine.controls.values import Json
from engine.files.control_log import MAX_NAME, ControlLog
from engine.files.midi import Smf, read
from engine.files.prompt import Prompt
from engine.network.runtime import Network


@dataclass(frozen=True, slots=True)
class Request:
    """What music is asked for, before there is a model. `chosen` are the names of the controls
    that a preset or a hand has set, those that a preset leaves to the seed not among them,
    `by_hand` of those that a hand has; `model` is what the preset is made for, and `fitting` its
    controls for a model that has these styles, where no hand has set the style."""

    seed: int
    controls: Controls
    chosen: frozenset[str]
    by_hand: frozenset[str]
    model: str | None
    fitting: Callable[[Collection[str]], Mapping[str, Json]] | None

    def log(
        self,
        network: Network,
        model: str,
        bars: int | None,
        prompt: Smf | None,
        tell: Callable[[str], object],
    ) -> ControlLog:
        """The log of a stream that begins so. A prompt lends what was not chosen. ControlError if
        a hand has set what the model does not follow; of a preset it is left out, and `tell` hears
        of it."""
        spec = network.specification
        refuse_unfollowed(spec, network.planner_table, self.controls, self.by_hand)
        controls, left_out = without_unfollowed(spec, self.controls)
        if left_out:
            tell(left_out_sentence(spec, left_out))
        if self.fitting:
            style = self.fitting(network.specification.styles).get("style")
            controls = controls.with_value("style", style)
        played = Prompt.of(network.specification.open_codec().read(prompt)) if prompt else None
        log = ControlLog(
            loggable(model), network.digest, self.seed, bars=bars, controls=controls, prompt=played
        )
        return _lent(network, log, self.chosen)


def request(preset: str | None, by_hand: Mapping[str, object], seed: int) -> Request:
    """Of a preset by its name or file, as this seed has it, and of controls set by hand, which
    win; ConfigError or ControlError if one is wrong."""
    from engine.library.presets import preset_named

    found = preset_named(preset) if preset else None
    setting = found.of(seed) if found else None
    return Request(
        seed=seed,
        controls=Controls().with_values({**(setting.controls if setting else {}), **by_hand}),
        chosen=frozenset((*(found.controls if found else ()), *by_hand)),
        by_hand=frozenset(by_hand),
        model=found.model if found else None,
        fitting=setting.fitting if setting and "style" not in by_hand else None,
    )


def read_prompt(path: str | Path, tell: Callable[[str], object]) -> Smf:
    """The music of a file; `tell` hears what should be known of it."""
    with naming(path):
        smf = read(read_bytes(path, PROMPT))
    if smf.remark:
        tell(f"{path}: {smf.remark}")
    return smf


def fresh_seed() -> int:
    """For music that was never heard: the one thing here that is left to chance."""
    return secrets.randbits(32)


def loggable(model: str) -> str:
    """How a model is named in a log: as it was given, or its file's name where that cannot be."""
    if len(model) <= MAX_NAME and model.isprintable():
        return model
    name = "".join(sign for sign in Path(model).name if sign.isprintable())
    return name[-MAX_NAME:]


def _lent(network: Network, log: ControlLog, chosen: Collection[str]) -> ControlLog:
    """The log with the controls that its prompt lends: those that are not among the `chosen`."""
    if log.prompt is None:
        return log
    _, suggested = primer_of(log.prompt.score(), network.specification)
    taken = {*chosen, *unfollowed(network.specification)}
    free = {name: value for name, value in suggested.items() if name not in taken}
    return replace(log, controls=log.controls.with_values(free))
