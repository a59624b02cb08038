"""Which child a process is, and what is expected of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

HANGS_AFTER = 6.0  # seconds without a word; twice as many while it starts, when disks are slow
START_WITHIN = 180.0  # seconds until it is ready: a large model on a busy machine


@dataclass(frozen=True)
class ChildKind:
    """Times in seconds."""

    name: str  # as logs have it: "the composing process"
    command: tuple[str, ...]  # its line and its argument are added
    environment: Mapping[str, str] = field(default_factory=dict)
    most_waiting: int = 64 * 2**20  # bytes that it may leave unread before it is taken for hanging
    hangs_after: float = HANGS_AFTER
    start_within: float = START_WITHIN
    # Before it is started again: nothing at the first failure, then pauses that double. Failures
    # are forgotten once it has lived for so long.
    first_pause: float = 0.25
    longest_pause: float = 15.0
    lives_after: float = 30.0

    def pause(self, failures: int) -> float:
        """Before it is started again after so many failures in a row."""
        if failures <= 1:
            return 0.0
        return min(self.first_pause * 2.0 ** min(failures - 2, 16), self.longest_pause)
