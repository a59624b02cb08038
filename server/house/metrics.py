"""What a house counts, and its figures as rows of the metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from server.base.metrics import COUNTER, GAUGE, Metric

if TYPE_CHECKING:
    from server.house.house import House
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


# Counters of the house: attribute, name, kind, help.
_COUNTERS = (
    ("bars", "bars_total", COUNTER, "Bars taken into plans, revisions included."),
    ("revised_bars", "bars_revised_total", COUNTER, "Bars composed anew after a change."),
    ("late_bars", "bars_late_total", COUNTER, "Bars bridged by a fallback: not there in time."),
    ("discarded_bars", "bars_discarded_total", COUNTER, "Composed bars that came too late."),
    ("outdated_bars", "bars_outdated_total", COUNTER, "Bars heard as before a change for them."),
    ("leaps", "leaps_total", COUNTER, "Times that composing was pushed back, being behind."),
    ("unsaved", "unsaved_total", COUNTER, "Acknowledgements of what was not on disk yet."),
    ("changes", "changes_total", COUNTER, "Changes of controls and plans."),
    ("refusals", "refusals_total", COUNTER, "Orders that the composing process refused."),
    ("streams_opened", "streams_opened_total", COUNTER, "Own streams that were begun."),
    ("streams_closed", "streams_closed_total", COUNTER, "Streams that have ended."),
    ("composer_restarts", "composer_restarts_total", COUNTER, "Restarts of composing."),
    ("troubles", "troubles_total", COUNTER, "Troubles that ended nothing, such as a full disk."),
    ("composers", "composer_processes", GAUGE, "Composing processes."),
    ("composer_speed", "composer_notes_per_second", GAUGE, "Notes a second it can compose."),
    ("composer_demand", "composer_demand_per_second", GAUGE, "Notes a second streams take."),
    ("composer_busy", "composer_busy_ratio", GAUGE, "Share of the last second spent composing."),
    ("composer_memory", "composer_memory_bytes", GAUGE, "Resident memory of composing."),
    ("composer_notes", "composer_notes_total", COUNTER, "Notes composed since the start."),
)


def house_metrics(house: House) -> list[Metric]:
    """The rows of a house: its counters and its streams."""
    counters = house.counters
    rows = [
        Metric(f"perpetuo_{name}", kind, help, _reader(counters, attribute))
        for attribute, name, kind, help in _COUNTERS
    ]
    promises = counters.promises
    return [
        *rows,
        Metric(
            "perpetuo_promises_total",
            COUNTER,
            "Changes that were promised a bar: made; kept there; postponed, a time each; void.",
            lambda: {
                name: getattr(promises, name) for name in ("made", "kept", "postponed", "void")
            },
            "became",
        ),
        Metric(
            "perpetuo_promises_open",
            GAUGE,
            "Promised changes that are yet to be heard.",
            lambda: promises.open,
        ),
        Metric(
            "perpetuo_guarded_bars_total",
            COUNTER,
            "Bars in which a guard was awake.",
            lambda: counters.guards,
            "guard",
        ),
        Metric(
            "perpetuo_streams",
            GAUGE,
            "Streams that exist.",
            lambda: {
                "station": len(house.stations),
                "own": len(house.streams) - len(house.stations),
            },
            "kind",
        ),
        Metric(
            "perpetuo_station_listeners",
            GAUGE,
            "Listeners of each station, doors included.",
            lambda: {name: len(one.listeners) for name, one in house.stations.items()},
            "station",
        ),
        Metric(
            "perpetuo_station_late_bars_total",
            COUNTER,
            "Bars of each station that were bridged by a fallback.",
            lambda: {name: one.late_bars for name, one in house.stations.items()},
            "station",
        ),
    ]


def _reader(counters: object, attribute: str) -> Callable[[], float]:
    return lambda: float(getattr(counters, attribute))
