"""What `/metrics` says, in Prometheus' text format: rows, and how they are written.

Parts that have figures of their own have a `metrics.py` with their rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

COUNTER, GAUGE = "counter", "gauge"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Value = float | Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Metric:
    """One row: `read` gives a number, or numbers by the value of `label`."""

    name: str
    kind: str
    help: str
    read: Callable[[], Value]
    label: str = ""

    def lines(self) -> Iterable[str]:
        yield f"# HELP {self.name} {_escaped(self.help)}"
        yield f"# TYPE {self.name} {self.kind}"
        value = self.read()
        if isinstance(value, Mapping):
            for key, number in value.items():
                yield f'{self.name}{{{self.label}="{_label(key)}"}} {_number(number)}'
        else:
            yield f"{self.name} {_number(value)}"


def exposition(metrics: Iterable[Metric]) -> str:
    return "".join(f"{line}\n" for metric in metrics for line in metric.lines())


def _number(value: float) -> str:
    return str(int(value)) if value % 1 == 0 else repr(float(value))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _label(text: str) -> str:
    return _escaped(text).replace('"', '\\"')
