"""Laws of grids."""

from __future__ import annotations

from itertools import pairwise

import pytest

from engine.music.grids import FREE, GRIDS, places, widest
from engine.music.time import TICKS_PER_QUARTER

each_grid = pytest.mark.parametrize("grid", [grid for grid in GRIDS if grid != FREE])


def ticks(grid: str) -> list[int]:
    return [tick for tick, is_place in enumerate(places(grid)) if is_place]


def test_nothing_is_told_apart_where_it_is_free() -> None:
    assert places(FREE) == ()
    assert widest(FREE) == 1


@each_grid
def test_the_widest_step_is_the_longest_way_from_place_to_place(grid: str) -> None:
    found = [*ticks(grid), TICKS_PER_QUARTER]
    assert found[0] == 0
    assert max(b - a for a, b in pairwise(found)) == widest(grid)


def test_what_the_names_say() -> None:
    assert ticks("1/4") == [0]
    assert ticks("1/8") == [0, 12]
    assert ticks("1/16") == [0, 6, 8, 12, 16, 18]
    assert ticks("1/32") == [0, 3, 4, 6, 8, 9, 12, 15, 16, 18, 20, 21]
