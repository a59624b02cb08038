"""Learning curves as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def draw_curves(rows: list[dict[str, Any]], names: list[str], path: Path) -> None:
    events = [row["events"] / 1e6 for row in rows]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for key, label in (("train", "training"), ("valid", "validation"), ("open", "plan open")):
        left.plot(events, [row[key] for row in rows], label=label)
    for name in names:
        right.plot(events, [row[f"valid_{name}"] for row in rows], label=name)
    for axes, title in ((left, "all fields"), (right, "validation by field")):
        axes.set(title=title, xlabel="million events seen", ylabel="nats an event")
        axes.grid(alpha=0.3)
        axes.legend()
    temporary = path.with_name(path.name + ".part")
    figure.savefig(temporary, dpi=100, format="png")
    plt.close(figure)
    temporary.replace(path)
