"""The styles that are written here, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from engine.music.score import Score
from export.invention import ambient, cinematic, lofi, minimal, study
from export.invention.course import Taste


class Style(NamedTuple):
    """`compose` makes a piece of its seed, of what `taste` likes."""

    compose: Callable[[int], Score]
    taste: Taste


STYLES: dict[str, Style] = {
    "ambient": Style(ambient.compose, ambient.TASTE),
    "minimal": Style(minimal.compose, minimal.TASTE),
    "study": Style(study.compose, study.TASTE),
    "lofi": Style(lofi.compose, lofi.TASTE),
    "cinematic": Style(cinematic.compose, cinematic.TASTE),
}
