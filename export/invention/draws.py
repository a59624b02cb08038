"""Random choices that follow from a seed and a place: the same on every machine, in any order."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TypeVar

from engine.music.noise import uniforms

T = TypeVar("T")

_PURPOSE = 1000  # far from those of the engine
_BLOCK = 64


class Draws:
    """Numbers of one place, drawn one after another; `within` opens a place that has its own."""

    def __init__(self, seed: int, *place: str | int) -> None:
        self.seed, self.place = seed, place
        name = "/".join(map(str, place)).encode()
        self._stream = int.from_bytes(hashlib.blake2b(name, digest_size=5).digest(), "big")
        self._left: list[float] = []
        self._block = 0

    def within(self, *place: str | int) -> Draws:
        return Draws(self.seed, *self.place, *place)

    def uniform(self) -> float:
        """From 0 up to, but not, 1."""
        if not self._left:
            found = uniforms(self.seed, self._stream, _PURPOSE, self._block, _BLOCK)
            self._left = found.tolist()[::-1]
            self._block += 1
        return self._left.pop()

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.uniform()

    def whole(self, low: int, high: int) -> int:
        """From `low` to `high`, both included."""
        return low + int(self.uniform() * (high - low + 1))

    def chance(self, share: float) -> bool:
        return self.uniform() < share

    def choice(self, options: Sequence[T]) -> T:
        return options[int(self.uniform() * len(options))]

    def weighted(self, weights: Mapping[T, float]) -> T:
        place = self.uniform() * sum(weights.values())
        for option, weight in weights.items():
            place -= weight
            if place < 0:
                return option
        return option

    def several(self, options: Sequence[T], count: int) -> list[T]:
        """So many different ones, in their order."""
        ranks = [self.uniform() for _ in options]
        kept = set(sorted(range(len(options)), key=ranks.__getitem__)[:count])
        return [option for i, option in enumerate(options) if i in kept]
