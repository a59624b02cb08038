"""The player's figures as rows of the metrics."""

from __future__ import annotations

from server.base.metrics import COUNTER, GAUGE, Metric
from server.playing.player import Player

PERCENTILES = (50, 99)


def player_metrics(player: Player) -> tuple[Metric, ...]:
    return (
        Metric(
            "perpetuo_dispatch_events_total",
            COUNTER,
            "Events that were played into outputs.",
            lambda: player.lateness.count,
        ),
        Metric(
            "perpetuo_dispatch_lateness_microseconds",
            GAUGE,
            "How late events were played, since the start.",
            lambda: _lateness(player),
            "quantile",
        ),
        Metric(
            "perpetuo_dispatch_missed_notes_total",
            COUNTER,
            "Notes that were not struck because it was too late.",
            lambda: player.missed_notes,
        ),
        Metric(
            "perpetuo_dispatch_ignored_bars_total",
            COUNTER,
            "Bars that came to the player too late.",
            lambda: player.ignored_bars,
        ),
        Metric(
            "perpetuo_dispatch_faults_total",
            COUNTER,
            "Faults that the player survived.",
            lambda: player.faults,
        ),
        Metric(
            "perpetuo_dispatch_real_time",
            GAUGE,
            "Whether the player has real-time priority.",
            lambda: player.real_time,
        ),
        Metric(
            "perpetuo_output_up",
            GAUGE,
            "Whether each output of the stations is there.",
            lambda: {f"{stream} {name}": alive for stream, name, alive in player.outputs()},
            "output",
        ),
    )


def _lateness(player: Player) -> dict[str, float]:
    found: dict[str, float] = {
        f"{percent / 100:g}": player.lateness.percentile(percent) for percent in PERCENTILES
    }
    return {**found, "1": player.lateness.max}
