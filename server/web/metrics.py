"""The figures of the web door as rows of the metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from server.base.metrics import COUNTER, GAUGE, Metric

if TYPE_CHECKING:
    from server.web.connections import Connections
    from server.web.sessions import Sessions


def web_metrics(
    sessions: Sessions, clients: Callable[[], int], connections: Connections
) -> list[Metric]:
    """The rows of the web door; `clients` tells how many are connected."""
    return [
        Metric("perpetuo_web_clients", GAUGE, "WebSocket clients that are connected.", clients),
        Metric(
            "perpetuo_web_sessions",
            GAUGE,
            "Sessions, those that may be resumed included.",
            lambda: len(sessions),
        ),
        Metric(
            "perpetuo_web_let_go_total",
            COUNTER,
            "Connections that the server closed, by reason.",
            lambda: sessions.ends,
            "reason",
        ),
        Metric(
            "perpetuo_web_connections",
            GAUGE,
            "Connections of HTTP and WebSocket.",
            lambda: len(connections),
        ),
        Metric(
            "perpetuo_web_half_open",
            GAUGE,
            "Connections whose request is not there in full.",
            lambda: connections.asking,
        ),
        Metric(
            "perpetuo_web_cut_total",
            COUNTER,
            "Connections that were cut because they did not ask in time or others needed room.",
            lambda: connections.cuts,
            "reason",
        ),
    ]
