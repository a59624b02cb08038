"""A stream's place in a pool: a row while it computes, its state put aside while it waits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.network.runtime import Checkpoint, Pool, SavedRow


class _PutAside(NamedTuple):
    """What a stream without a row goes on from: at `mark`, which may be behind what was saved."""

    saved: SavedRow
    mark: Checkpoint


class RowLease:
    """`row` is that of the pool, while it is taken. Everything else works without one too."""

    def __init__(self, pool: Pool) -> None:
        """Takes a row; CapacityError if there is none."""
        self.pool = pool
        self.row = pool.acquire()
        self._aside: _PutAside | None = None
        self._memory: SavedRow | None = None  # where the state was put last: it serves again

    @property
    def is_aside(self) -> bool:
        return self._aside is not None

    def give_up_row(self) -> None:
        """Put the state aside and leave the row to others. What was written to the row for its
        next step is lost: only between bars."""
        assert self._aside is None, "only who has a row can give it up"
        self._memory = self.pool.save(self.row, self._memory)
        self._aside = _PutAside(self._memory, self.mark())
        self.pool.release(self.row)

    def take_row(self) -> None:
        """Go on, on any row; CapacityError if there is none."""
        assert self._aside is not None, "only who has none can take one"
        self.row = self.pool.acquire()
        self.pool.load(self.row, self._aside.saved)
        self.pool.rewind(self.row, self._aside.mark)
        self._aside = None

    def close(self) -> None:
        """Give up the place for good."""
        if self._aside is None:
            self.pool.release(self.row)

    # -- where the stream stands -----------------------------------------------------------------

    @property
    def step(self) -> int:
        return self.mark().step if self._aside else int(self.pool.steps[self.row, 0])

    def mark(self) -> Checkpoint:
        return self._aside.mark if self._aside else self.pool.mark(self.row)

    def can_rewind(self, mark: Checkpoint) -> bool:
        if self._aside is None:
            return self.pool.can_rewind(self.row, mark)
        return self._aside.saved.furthest - mark.step <= self.pool.margin

    def rewind(self, mark: Checkpoint) -> None:
        """Go back to a mark of this stream, at most the pool's margin behind its furthest step."""
        if self._aside is None:
            self.pool.rewind(self.row, mark)
        else:
            assert self.can_rewind(mark), "the ring has been overwritten"
            self._aside = self._aside._replace(mark=mark)

    def states(self) -> dict[str, NDArray[np.float32]]:
        """A copy of every tensor of its state; those that are carried as they were last computed,
        not as they are at `mark`."""
        if self._aside is None:
            return self.pool.save(self.row).states
        return {name: array.copy() for name, array in self._aside.saved.states.items()}
