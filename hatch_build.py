"""What building a package does beside packing it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Presets(BuildHookInterface[Any]):
    """Packs configs/presets where `server.configuration.presets` finds it.

    Not when the package is installed to be worked on: then it is found where it is, and a copy
    would make a second, incomplete `server`.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            presets = str(Path(self.root) / "configs" / "presets")
            build_data["force_include"][presets] = "server/configuration/shipped"
