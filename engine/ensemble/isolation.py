"""A step of many rows in which one that cannot be computed does not stop the others."""

from __future__ import annotations

from typing import NamedTuple

from engine.ensemble.stream_clock import StreamClock
from engine.network.runtime import Pool


class Failure(NamedTuple):
    """A stream that could not be composed on, as it was, and why."""

    member: StreamClock
    error: Exception


def stepped(pool: Pool, rows: list[int]) -> tuple[int, dict[int, Exception]]:
    """One step of these rows: how many were computed together (see `Pool.run`), and the rows that
    were refused, with why. Whatever fails for all of several is raised: it is no row's fault."""
    try:
        return pool.run(rows), {}
    except Exception as error:
        if len(rows) == 1:
            return 0, {rows[0]: error}
    return 0, _stepped_apart(pool, rows)


def _stepped_apart(pool: Pool, rows: list[int]) -> dict[int, Exception]:
    """A row's results do not depend on others, so those that are not refused have drawn what they
    would have drawn together."""
    refused: dict[int, Exception] = {}
    inputs, drawn, likelihood = pool.inputs[rows], pool.event[rows], pool.likelihood[rows]
    # Rows that sit out are computed and drawn for all the same: what is there must be sound, and
    # what comes out for them must not stay.
    pool.inputs[rows] = 0
    for place, row in enumerate(rows):
        pool.inputs[row] = inputs[place]
        try:
            pool.run([row])
        except Exception as error:
            refused[row] = error
        pool.inputs[row] = 0
        drawn[place], likelihood[place] = pool.event[row], pool.likelihood[row]
    if len(refused) == len(rows):
        raise refused[rows[-1]]
    pool.event[rows], pool.likelihood[rows] = drawn, likelihood
    return refused
