"""A preset: a named setting of the controls, as the house is given it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from engine.controls.values import Json


@dataclass(frozen=True)
class Preset:
    """A named setting: `controls` as plain JSON, valid together; what is left out is default.
    `model` is the one that it is made for, if that is not any."""

    name: str
    title: str
    help: str
    controls: Mapping[str, Json]
    model: str | None = None

    def fitting(self, styles: Collection[str]) -> dict[str, Json]:
        """The controls for a model that has these styles: others are left out of the mix."""
        mix = self.controls.get("style")
        if not isinstance(mix, dict):
            return dict(self.controls)
        kept: dict[str, Json] = {name: mix[name] for name in mix if name in styles}
        fitting = {**self.controls, "style": kept}
        if not kept:
            del fitting["style"]
        return fitting
