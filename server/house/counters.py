"""What a running server counts; the metrics print these."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """Totals since the start, and the latest figures of the composing process."""

    bars: int = 0  # taken into plans, revisions included
    revised_bars: int = 0
    late_bars: int = 0  # bridged by a fallback
    discarded_bars: int = 0  # came too late, or of an epoch that is over
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
    guards: dict[str, int] = field(default_factory=dict)  # bars in which each was awake
