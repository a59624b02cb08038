"""The styles that are written here, by name."""

from __future__ import annotations

from collections.abc import Callable

from engine.music.score import Score
from export.invention import ambient, cinematic, lofi, minimal, study

# Each makes a piece of its seed.
STYLES: dict[str, Callable[[int], Score]] = {
    "ambient": ambient.compose,
    "minimal": minimal.compose,
    "study": study.compose,
    "lofi": lofi.compose,
    "cinematic": cinematic.compose,
}
