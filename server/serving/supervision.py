"""The processes and background tasks of a server, in its health and its metrics."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from server.base.metrics import COUNTER, GAUGE, Metric, Value
from server.child.supervised import ENDED, UP, ChildCondition
from server.serving.background import BackgroundTasks


@dataclass(frozen=True)
class Supervision:
    """`conditions` gives those of all processes as they are now."""

    conditions: Callable[[], Mapping[str, ChildCondition]]
    background: BackgroundTasks

    def health(self) -> dict[str, Any]:
        """Plain JSON for a health check; `degraded` if something fails that is tried again."""
        conditions = self.conditions()
        hanging = [name for name, hangs in self.background.hanging.items() if hangs]
        well = all(one.state in (UP, ENDED) for one in conditions.values()) and not hanging
        tasks = self.background.tasks.items()
        return {
            "status": "ok" if well else "degraded",
            "processes": {
                name: {**one._asdict(), "last_failure": without_folders(one.last_failure)}
                for name, one in conditions.items()
            },
            "tasks": {
                "hanging": hanging,
                "faults": {
                    name: without_folders(task.last_fault) for name, task in tasks if task.faults
                },
            },
        }

    def metrics(self) -> tuple[Metric, ...]:
        def of_each(read: Callable[[ChildCondition], float]) -> Callable[[], Value]:
            return lambda: {name: read(one) for name, one in self.conditions().items()}

        up, restarts, failures, faults, hanging = _ROWS
        return (
            Metric(*up, of_each(lambda one: one.state == UP), "process"),
            Metric(*restarts, of_each(lambda one: one.restarts), "process"),
            Metric(*failures, of_each(lambda one: one.failures), "process"),
            Metric(*faults, lambda: self.background.faults, "task"),
            Metric(*hanging, lambda: self.background.hanging, "task"),
        )


def without_folders(text: str) -> str:
    """A health check needs no token: whoever asks need not know where files lie here."""
    return re.sub(r"[^\s'\"(]*/([^\s/]+)", r"\1", text)


_ROWS = (
    ("perpetuo_process_up", GAUGE, "Whether each process of the server is there."),
    (
        "perpetuo_process_restarts_total",
        COUNTER,
        "Times that another one was ready in place of one that had failed.",
    ),
    (
        "perpetuo_process_failures_total",
        COUNTER,
        "Times that one died, hung or could not be started.",
    ),
    ("perpetuo_task_faults_total", COUNTER, "Faults of each background task; it is tried again."),
    ("perpetuo_task_hanging", GAUGE, "Whether a round of the task takes longer than 30 s."),
)
