"""The table of all metrics, derived from their rows.

`python -m server.serving.metrics_doc docs/serving.md` writes it into the page, between its marks; a
test holds the page to it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from common.errors import StreamError
from server.audio.metrics import audio_metrics
from server.base.metrics import Metric
from server.composing.messages import (
    ChangeOrder,
    ChangeReport,
    JoinOrder,
    JoinReport,
    Order,
    SnapshotOrder,
    SnapshotReport,
)
from server.house.house import House, HouseRules
from server.house.metrics import house_metrics
from server.osc.metrics import osc_metrics
from server.osc.subscribers import OscCounts
from server.playing.metrics import player_metrics
from server.playing.player import Player
from server.serving.background import BackgroundTasks
from server.serving.supervision import Supervision
from server.web.connections import Connections
from server.web.metrics import web_metrics
from server.web.sessions import Sessions
from server.web.settings import WebSettings

BEGIN, END = "<!-- metrics: begin -->\n", "<!-- metrics: end -->\n"


class _NoLine:
    """Leads to nobody: the rows are read, nothing is composed."""

    def send(self, order: Order) -> None: ...

    async def request(
        self, order: JoinOrder | ChangeOrder | SnapshotOrder
    ) -> JoinReport | ChangeReport | SnapshotReport:
        raise StreamError("nothing is composed here")


def metrics() -> list[Metric]:
    """The rows of a whole server, in the order of its `/metrics`."""
    house = House(_NoLine(), HouseRules(), {})
    return [
        *house_metrics(house),
        *web_metrics(Sessions(house, WebSettings()), lambda: 0, Connections(1, 1, 1.0, float)),
        *player_metrics(Player()),
        *osc_metrics(OscCounts(), OscCounts()),
        *audio_metrics(None, ()),
        *Supervision(dict, BackgroundTasks()).metrics(),
    ]


def table() -> str:
    rows = ["| metric | kind | by | what it is |\n|---|---|---|---|\n"]
    rows += [f"| `{m.name}` | {m.kind} | {m.label} | {m.help} |\n" for m in metrics()]
    return "".join(rows)


def written_into(page: str) -> str:
    """The page with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(written_into(target.read_text("utf-8")), "utf-8")
