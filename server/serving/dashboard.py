"""A Grafana dashboard of all metrics, derived from one table of panels.

`python -m server.serving.dashboard deploy/grafana.json` writes it; a test holds the file to it, and
every metric that is named here to the rows of `/metrics`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]

# Of the Prometheus job, chosen at the top of the dashboard; all servers of it are told apart.
WHERE = '{job="$job"}'
RATE = "$__rate_interval"
WIDTH, STAT, GRAPH = 24, (4, 4), (8, 8)  # of the grid; width and height of a panel
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
SCHEMA = 39


@dataclass(frozen=True, slots=True)
class Panel:
    """`queries` are pairs of an expression and what its lines are called. A number (`stat`) is
    red from `alarm` on, or below it."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    alarm: float | None = None
    below: bool = False
    stat: bool = False
    help: str = ""


def _is(name: str, title: str, by: str = "instance") -> Panel:
    """A gauge that should be 1, as one number for each server or whatever its label names."""
    queries = ((f"{name}{WHERE}", f"{{{{{by}}}}}"),)
    return Panel(title, "none", queries, alarm=1, below=True, stat=True)


def _grown(name: str, title: str, span: str, help: str = "") -> Panel:
    """By how much a counter has grown, which should be nothing."""
    query = f"sum by (instance) (increase({name}{WHERE}[{span}]))"
    return Panel(title, "short", ((query, "{{instance}}"),), alarm=0.5, stat=True, help=help)


def _rate(name: str, legend: str) -> tuple[str, str]:
    return f"rate({name}{WHERE}[{RATE}])", legend


ROWS = (
    (
        "Is all well",
        (
            _is("perpetuo_output_up", "Outputs that are there", "output"),
            _grown(
                "perpetuo_bars_late_total", "Late bars, last hour", "1h", "Bridged by a fallback."
            ),
            _grown("perpetuo_dispatch_missed_notes_total", "Missed notes, last hour", "1h"),
            _grown("perpetuo_composer_restarts_total", "Composer restarts, last day", "1d"),
            _grown("perpetuo_troubles_total", "Troubles, last day", "1d", "See the log."),
            _is("perpetuo_dispatch_real_time", "Real-time priority"),
        ),
    ),
    (
        "Listeners",
        (
            Panel(
                "Listeners of stations",
                "short",
                ((f"perpetuo_station_listeners{WHERE}", "{{station}}"),),
                help="Over the WebSocket, doors included.",
            ),
            Panel(
                "Listeners of sound",
                "short",
                ((f"perpetuo_audio_listeners{WHERE}", "{{stream}}"),),
                help="Over HTTP; those of HLS and Icecast are not among them.",
            ),
            Panel(
                "Clients and streams",
                "short",
                (
                    (f"perpetuo_web_clients{WHERE}", "clients"),
                    (f"perpetuo_web_sessions{WHERE}", "sessions"),
                    (f"perpetuo_streams{WHERE}", "{{kind}} streams"),
                ),
            ),
            Panel(
                "Opened and closed streams, let go clients",
                "ops",
                (
                    _rate("perpetuo_streams_opened_total", "opened"),
                    _rate("perpetuo_streams_closed_total", "closed"),
                    _rate("perpetuo_web_let_go_total", "let go: {{reason}}"),
                ),
            ),
        ),
    ),
    (
        "Composing",
        (
            Panel(
                "Busy",
                "percentunit",
                ((f"perpetuo_composer_busy_ratio{WHERE}", "{{instance}}"),),
                alarm=0.9,
                help="Share of the last second; above 0.9 for long, bars will come late.",
            ),
            Panel(
                "Notes a second",
                "short",
                (
                    (f"perpetuo_composer_notes_per_second{WHERE}", "can be composed"),
                    (f"perpetuo_composer_demand_per_second{WHERE}", "are needed"),
                    _rate("perpetuo_composer_notes_total", "composed"),
                ),
            ),
            Panel(
                "Bars",
                "ops",
                (
                    _rate("perpetuo_bars_total", "planned"),
                    _rate("perpetuo_bars_revised_total", "revised"),
                    _rate("perpetuo_bars_late_total", "late"),
                    _rate("perpetuo_bars_discarded_total", "too late to be used"),
                ),
            ),
            Panel(
                "Guards",
                "ops",
                (_rate("perpetuo_guarded_bars_total", "{{guard}}"),),
                help="Bars in which a guard was awake.",
            ),
            Panel(
                "Changes",
                "ops",
                (
                    _rate("perpetuo_changes_total", "made"),
                    _rate("perpetuo_refusals_total", "refused"),
                ),
            ),
            Panel(
                "Memory",
                "bytes",
                (
                    (f"perpetuo_composer_memory_bytes{WHERE}", "composing"),
                    (f"perpetuo_audio_memory_bytes{WHERE}", "sound"),
                ),
                help="It must not grow over weeks.",
            ),
        ),
    ),
    (
        "On time",
        (
            Panel(
                "Lateness of events",
                "µs",
                ((f"perpetuo_dispatch_lateness_microseconds{WHERE}", "{{quantile}}"),),
                help="Since the start; 1 is the latest of all.",
            ),
            Panel("Events", "ops", (_rate("perpetuo_dispatch_events_total", "played"),)),
            Panel("Outputs", "short", ((f"perpetuo_output_up{WHERE}", "{{output}}"),)),
        ),
    ),
    (
        "Sound",
        (
            Panel(
                "Busy with sound",
                "percentunit",
                ((f"perpetuo_audio_busy_ratio{WHERE}", "{{instance}}"),),
                help="Share of a core.",
            ),
            Panel(
                "Loudness",
                "none",
                ((f"perpetuo_audio_loudness_lufs{WHERE}", "{{station}}"),),
                help="LUFS, of the last half minute.",
            ),
            Panel(
                "Sent",
                "binBps",
                (_rate("perpetuo_audio_sent_bytes_total", "{{stream}}"),),
            ),
            Panel(
                "Icecast",
                "short",
                ((f"perpetuo_icecast_up{WHERE}", "{{mount}}"),),
                help="Whether each is connected.",
            ),
            Panel(
                "Trouble with sound",
                "ops",
                (
                    _rate("perpetuo_audio_underruns_total", "late: {{station}}"),
                    _rate("perpetuo_audio_restarts_total", "restarts"),
                    _rate("perpetuo_audio_let_go_total", "let go: {{stream}}"),
                ),
            ),
        ),
    ),
    (
        "OSC",
        (
            Panel(
                "Datagrams",
                "ops",
                (
                    _rate("perpetuo_osc_received_total", "in"),
                    _rate("perpetuo_osc_sent_total", "out"),
                    _rate("perpetuo_osc_unsent_total", "not taken by the network"),
                ),
            ),
            Panel(
                "Not obeyed",
                "ops",
                (
                    _rate("perpetuo_osc_refused_total", "answered by an error"),
                    _rate("perpetuo_osc_garbage_total", "no OSC"),
                    _rate("perpetuo_osc_strangers_total", "not allowed"),
                    _rate("perpetuo_osc_flooded_total", "too many"),
                ),
            ),
        ),
    ),
)


def dashboard() -> Json:
    return {
        "title": "perpetuo",
        "uid": "perpetuo",
        "tags": ["perpetuo"],
        "editable": True,
        "schemaVersion": SCHEMA,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": _choices()},
        "panels": _panels(),
    }


def text() -> str:
    """The file."""
    return json.dumps(dashboard(), ensure_ascii=False, indent=1) + "\n"


def _choices() -> list[Json]:
    """What is chosen at the top: where the figures are kept, and the job that collects them."""
    source = {"name": "datasource", "label": "Prometheus", "type": "datasource"}
    jobs = "label_values(perpetuo_bars_total, job)"
    job = {"name": "job", "label": "Job", "type": "query", "datasource": SOURCE, "refresh": 1}
    return [
        {**source, "query": "prometheus"},
        {**job, "definition": jobs, "query": {"query": jobs, "refId": "job"}},
    ]


def _panels() -> list[Json]:
    """Rows of panels, laid from left to right and wrapped."""
    found: list[Json] = []
    top = 0
    for title, panels in ROWS:
        place = {"x": 0, "y": top, "w": WIDTH, "h": 1}
        found.append({"id": len(found) + 1, "type": "row", "title": title, "gridPos": place})
        top, left = top + 1, 0
        width, height = STAT if panels[0].stat else GRAPH
        for panel in panels:
            if left + width > WIDTH:
                top, left = top + height, 0
            place = {"x": left, "y": top, "w": width, "h": height}
            found.append({"id": len(found) + 1, **_panel(panel), "gridPos": place})
            left += width
        top += height
    return found


def _panel(panel: Panel) -> Json:
    targets = [
        {"refId": chr(ord("A") + i), "datasource": SOURCE, "expr": expr, "legendFormat": legend}
        for i, (expr, legend) in enumerate(panel.queries)
    ]
    defaults: Json = {"unit": panel.unit, "min": 0}
    if panel.unit == "none":
        del defaults["min"]  # loudness is below 0
    if panel.alarm is not None:
        first, second = ("red", "green") if panel.below else ("green", "red")
        steps = [{"color": first, "value": None}, {"color": second, "value": panel.alarm}]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    options: Json = {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}}
    if panel.stat:
        options = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "background"}
    return {
        "type": "stat" if panel.stat else "timeseries",
        "title": panel.title,
        "description": panel.help,
        "datasource": SOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), "utf-8")
