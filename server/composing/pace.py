"""How fast a network composes, measured when it is loaded and again while it works.

The time of a step is taken to be a fixed part and one that grows with the rows it computes. While
the work goes on, what steps took is compared with that, so that a few rows alone say as much of
the machine as many together.
"""

from __future__ import annotations

from statistics import median
from time import perf_counter

from engine.composing.composer import Composer
from engine.network.runtime import Network

# Streams that are stepped together: few, so that a hand is answered soon and a bar that is needed
# at once does not wait for others, unless many together are worth it (weights of 32 bits).
FEW, MANY = 16, 32
WORTH = 1.25  # times as fast
MEASURING = 0.08  # seconds of each of three measurements
_LEAST_STEPS = 3
_WARM_UP = 2
_ENOUGH = 0.25  # seconds of work that are compared at once


class NetworkPace:
    """Seconds of a step for so many rows, and how they change. `rows` is how many streams are to
    be stepped together."""

    def __init__(self, fixed: float, per_row: float, rows: int) -> None:
        self.fixed, self.per_row, self.rows = fixed, per_row, rows
        self._taken = self._expected = 0.0

    @property
    def speed(self) -> float:
        """Steps a second with all rows of a pool at work."""
        return self.rows / self.seconds(self.rows)

    def seconds(self, rows: int) -> float:
        return self.fixed + self.per_row * rows

    def took(self, seconds: float, rows: int) -> float | None:
        """Tell what a step of so many rows took; sometimes the speed, as seen lately."""
        self._taken += seconds
        self._expected += self.seconds(rows)
        if self._taken < _ENOUGH:
            return None
        speed = self.speed * self._expected / self._taken
        self._taken = self._expected = 0.0
        return speed


def measure(network: Network, rows: int = 0) -> NetworkPace:
    """Compose on a few rows for a moment; `rows` a pool, 0: as they turn out best."""
    alone = seconds_of(network, 1)
    sizes = [rows] if rows else [FEW, MANY]
    taken = {size: seconds_of(network, max(size, 2)) for size in sizes}
    return pace_of(alone, {max(size, 2): seconds for size, seconds in taken.items()})


def pace_of(alone: float, together: dict[int, float]) -> NetworkPace:
    """From the seconds of a step of one stream, and of so many, smallest first."""
    chosen, *others = together
    for size in others:
        if size / together[size] > WORTH * chosen / together[chosen]:
            chosen = size
    per_row = max(together[chosen] - alone, alone / 100) / (chosen - 1)
    return NetworkPace(max(alone - per_row, 0.0), per_row, chosen)


def seconds_of(network: Network, rows: int) -> float:
    """What a step of so many streams takes, all that belongs to it included."""
    pool = network.pool(rows)
    composers = [Composer(network, pool, seed) for seed in range(rows)]
    taken: list[float] = []
    end = perf_counter() + MEASURING
    while len(taken) < _WARM_UP + _LEAST_STEPS or perf_counter() < end:
        start = perf_counter()
        for composer in composers:
            while composer.finished() is not None:
                composer.commit(composer.next_bar)
            composer.prepare()
        pool.run([composer.row for composer in composers])
        for composer in composers:
            composer.absorb()
        taken.append(perf_counter() - start)
    return median(taken[_WARM_UP:])
