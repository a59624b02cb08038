"""What a running server counts; the metrics print these."""

from __future__ import annotations

from dataclasses import dataclass, field

from server.house.promises import PromiseCounts


@dataclass(slots=True)
class Counters:
    """Totals since the start, and the latest figures of the composing process."""

    bars: int = 0  # taken into plans, revisions included
    revised_bars: int = 0
    late_bars: int = 0  # bridged by a fallback
    discarded_bars: int = 0  # came too late, or of an epoch that is over
    outdated_bars: int = 0  # heard as they were before a change that was to reach them
    leaps: int = 0  # composing fell behind, and its music was pushed back
    changes: int = 0
    refusals: int = 0
    streams_opened: int = 0
    streams_closed: int = 0
    composer_restarts: int = 0
    troubles: int = 0  # full disks and the like
    composers: int = 0  # processes
    composer_speed: float = 0.0  # notes a second that it can compose
    composer_demand: float = 0.0  # notes a second that the streams take
    composer_busy: float = 0.0  # share of the last second
    composer_memory: int = 0  # bytes
    composer_notes: int = 0
    promises: PromiseCounts = field(default_factory=PromiseCounts)
    unsaved: int = 0  # acknowledged changes that were not on disk in time
    guards: dict[str, int] = field(default_factory=dict)  # bars in which each was awake
