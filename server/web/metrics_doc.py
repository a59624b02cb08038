"""The table of all metrics, derived from their rows.

`python -m server.web.metrics_doc docs/serving.md` writes it into the page, between its marks; a
test holds the page to it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from engine.errors import StreamError
from server.audio.figures import audio_metrics
from server.composing.messages import Change, Changed, Join, Joined, Keep, Kept, Order
from server.house.house import House, HouseRules
from server.osc.audience import Counts
from server.osc.figures import osc_metrics
from server.playing.figures import player_metrics
from server.playing.player import Player
from server.supervising import Chores
from server.supervision_figures import Supervision
from server.web.connections import Connections
from server.web.metrics import Metric, house_metrics, web_metrics
from server.web.sessions import Sessions
from server.web.settings import WebSettings

BEGIN, END = "<!-- metrics: begin -->\n", "<!-- metrics: end -->\n"


class _NoLine:
    """Leads to nobody: the rows are read, nothing is composed."""

    def send(self, order: Order) -> None: ...

    async def request(self, order: Join | Change | Keep) -> Joined | Changed | Kept:
        raise StreamError("nothing is composed here")


def metrics() -> list[Metric]:
    """The rows of a whole server, in the order of its `/metrics`."""
    house = House(_NoLine(), HouseRules(), {})
    return [
        *house_metrics(house),
        *web_metrics(Sessions(house, WebSettings()), lambda: 0, Connections(1, 1, 1.0, float)),
        *player_metrics(Player()),
        *osc_metrics(Counts(), Counts()),
        *audio_metrics(None, ()),
        *Supervision(dict, Chores()).metrics(),
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
