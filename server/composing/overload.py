"""What is left undone while composing falls behind, so that what is urgent is there.

A stream that had to be pushed back is the sign of it. For a while after the last one, fewer bars
are composed ahead, as a change would only have them composed again; and a change waits until a bar
has been composed under the one before it, so that many changes make few revisions.
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.ensemble.ensemble import Ensemble

LASTS = 10_000_000  # microseconds after the last stream that was behind
SHORT = 2  # bars of lookahead meanwhile


class Overload:
    """Tells whether there is any; times in microseconds. `lookahead` is the usual one."""

    def __init__(self, lookahead: int) -> None:
        self._lookahead = lookahead
        self._until: int | None = None

    @property
    def is_felt(self) -> bool:
        return self._until is not None

    def behind(self, now: int, ensembles: Iterable[Ensemble]) -> None:
        """A stream was found to be behind."""
        if self._until is None:
            for ensemble in ensembles:
                ensemble.look_ahead(min(SHORT, self._lookahead))
        self._until = now + LASTS

    def pass_time(self, now: int, ensembles: Iterable[Ensemble]) -> None:
        """Call about once a second."""
        if self._until is not None and now >= self._until:
            self._until = None
            for ensemble in ensembles:
                ensemble.look_ahead(self._lookahead)
