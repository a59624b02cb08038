"""The figures of a house as rows of the metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from server.base.metrics import COUNTER, GAUGE, Metric

if TYPE_CHECKING:
    from server.house.house import House

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
