"""A preset as streams of a house take it: with what a seed chooses, in styles that there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.controls.controls import Controls, control_named
from engine.controls.values import Json
from engine.files.prompt import LENT
from engine.library.presets import Preset


@dataclass(frozen=True, slots=True)
class HousePreset:
    """`styles` are those of the default model, () while it is not known; a preset with a model of
    its own goes by that one."""

    preset: Preset
    styles: tuple[str, ...] = ()

    @property
    def model(self) -> str | None:
        return self.preset.model

    def controls(self, seed: int, *, prompted: bool = False) -> dict[str, Json]:
        """Those of this seed. What a prompt lends the seed leaves to it."""
        found = self.preset.of(seed, without=LENT if prompted else ())
        is_plain = self.model is not None or not self.styles
        return dict(found.controls) if is_plain else found.fitting(self.styles)

    def reseeded(self, controls: Controls, seed: int, other: int) -> Controls:
        """Controls of a stream that has another seed from now on: what was chosen by the old one
        is as the new one chooses, what a hand or a prompt has set stays."""
        return controls.with_values(self._kept(controls, seed, self._chosen(other)))

    def prompted(self, controls: Controls, seed: int) -> Controls:
        """Controls of a stream that has a prompt from now on: what was chosen by the seed and is
        lent by the prompt is open."""
        return controls.with_values(self._kept(controls, seed, dict.fromkeys(LENT)))

    def _kept(self, controls: Controls, seed: int, values: Mapping[str, Json]) -> dict[str, Json]:
        """Of these values those whose controls are as the seed has chosen them."""
        chosen = self._chosen(seed)
        return {
            name: value
            for name, value in values.items()
            if name in chosen and getattr(controls, name) == control_named(name).parse(chosen[name])
        }

    def _chosen(self, seed: int) -> dict[str, Json]:
        controls = self.controls(seed)
        return {name: controls.get(name) for name in self.preset.by_seed.names}
