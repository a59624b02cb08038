"""The OSC door's figures as rows of the metrics."""

from __future__ import annotations

from collections.abc import Callable

from server.base.metrics import COUNTER, Metric
from server.osc.subscribers import OscCounts

_ROWS = (
    ("received", "OSC datagrams that came in."),
    ("garbage", "Datagrams that were no OSC."),
    ("strangers", "Datagrams of senders that are not allowed."),
    ("flooded", "Messages dropped because their sender sent too many."),
    ("refused", "Messages answered by an error."),
    ("sent", "OSC datagrams that went out."),
    ("unsent", "OSC datagrams that the network did not take."),
)


def osc_metrics(counts: OscCounts, note_counts: OscCounts) -> tuple[Metric, ...]:
    """The rows; what the dispatching thread counted is added to what the event loop did."""
    return tuple(
        Metric(f"perpetuo_osc_{name}_total", COUNTER, help, _sum(name, counts, note_counts))
        for name, help in _ROWS
    )


def _sum(name: str, *parts: OscCounts) -> Callable[[], float]:
    return lambda: float(sum(getattr(part, name) for part in parts))
