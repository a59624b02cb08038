"""What the pieces of a style have in common: keys, metres and parts, by their shares.

Presets leave these to the seed, about as often as their styles have them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from engine.controls.key import LEARNED_MODES, Key
from engine.music.analysis import HOME_TONIC
from engine.music.score import PARTS
from export.data.prepare import Prepared

_SHOWN = 12  # of each, the most frequent


@dataclass(slots=True)
class Traits:
    """Counts of the pieces of one style."""

    keys: Counter[str] = field(default_factory=Counter)
    metres: Counter[str] = field(default_factory=Counter)
    parts: Counter[str] = field(default_factory=Counter)
    minor: int = 0

    def add(self, piece: Prepared) -> None:
        tonic = (HOME_TONIC[piece.minor] + piece.shift) % 12
        self.keys[str(Key(tonic, LEARNED_MODES[piece.minor]))] += 1
        self.metres[str(piece.metre)] += 1
        playing = [str(part + 1) for part in range(PARTS) if piece.parts >> part & 1]
        self.parts[" ".join(playing)] += 1
        self.minor += piece.minor

    def figures(self) -> dict[str, Any]:
        return {
            "minor": round(self.minor / max(self.keys.total(), 1), 3),
            "keys": _shares(self.keys),
            "metres": _shares(self.metres),
            "parts": _shares(self.parts),
        }


def _shares(counts: Counter[str]) -> dict[str, float]:
    total = max(counts.total(), 1)
    return {name: round(count / total, 3) for name, count in counts.most_common(_SHOWN)}


def lines(styles: dict[str, dict[str, Any]]) -> list[str]:
    """A paragraph a style, in percent."""
    found = []
    for style, figures in styles.items():
        found += ["", f"{style}: {figures['minor']:.0%} in minor"]
        for trait in ("keys", "metres", "parts"):
            shares = (f"{name} {share:.0%}" for name, share in figures[trait].items())
            found.append(f"  {trait:<8}{', '.join(shares)}")
    return found
