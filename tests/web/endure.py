"""Ten minutes of the page, with its sound on: is a note late, does memory grow?

    python -m tests.web.endure --minutes 10

Prints a line every ten seconds and the verdict at the end; its exit code is 1 if a note came late
or memory grew. It is no part of the test suite, for its length; a short run of it is.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from playwright.sync_api import CDPSession

from tests.server.served import serving
from tests.web.browsing import Visit, browsers
from tests.web.building import build_page

EVERY = 10.0  # seconds between two looks
GROWTH = 12.0  # MB of heap that ten minutes of bars, which the page keeps, may take
# Nodes of the document that may come: a row of the mixer for each part, the list of what happened.
ELEMENTS = 3500
CONFIGURATION = """
[[station]]
name = "study"
preset = "quartet"
seed = 7
[osc]
enabled = false
[midi]
enabled = false
"""


class Look(NamedTuple):
    seconds: float  # since the beginning
    notes: int
    missed: int
    lateness: float  # milliseconds of the latest note
    heap: float  # MB in use after rubbish was collected
    nodes: int  # of the document

    def __str__(self) -> str:
        return (
            f"{self.seconds:6.0f} s  {self.notes:6d} notes  {self.missed:3d} missed"
            f"  latest {self.lateness:5.1f} ms  heap {self.heap:6.2f} MB  {self.nodes:6d} nodes"
        )


def looks(visit: Visit, seconds: float, every: float = EVERY) -> Iterator[Look]:
    """Looks at a page that plays, for so long."""
    begun = monotonic()
    tools = visit.page.context.new_cdp_session(visit.page)
    tools.send("Performance.enable")
    while (passed := monotonic() - begun) < seconds + every:
        yield _look(visit, tools, passed)
        visit.page.wait_for_timeout(1000 * every)


def _look(visit: Visit, tools: CDPSession, passed: float) -> Look:
    tools.send("HeapProfiler.collectGarbage")
    metrics = {row["name"]: row["value"] for row in tools.send("Performance.getMetrics")["metrics"]}
    figures = visit.ask("perpetuo.sound.figures()")
    return Look(
        passed,
        figures["notes"],
        figures["missed"],
        figures["worstLateness"] / 1000,
        metrics["JSHeapUsedSize"] / 1e6,
        int(metrics["Nodes"]),
    )


def faults(found: list[Look]) -> list[str]:
    """What is wrong with how it went; the first fifth is for warming up."""
    begun, last = found[len(found) // 5], found[-1]
    wrong = []
    if last.missed:
        wrong.append(f"{last.missed} notes came too late")
    if last.notes <= begun.notes:
        wrong.append("no notes were played")
    if last.heap - begun.heap > GROWTH:
        wrong.append(f"memory grew from {begun.heap:.1f} to {last.heap:.1f} MB")
    if last.nodes - begun.nodes > ELEMENTS:
        wrong.append(f"the document grew from {begun.nodes} to {last.nodes} nodes")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.web.endure", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    minutes = parser.parse_args().minutes
    build_page()
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "endure.toml"
        configuration.write_text(CONFIGURATION, "utf-8")
        with (
            serving(configuration, "--port", 0, "--state", folder) as served,
            browsers() as making,
            making.opened() as browser,
        ):
            visit = Visit(browser, served.page)
            visit.play()
            found = []
            for look in looks(visit, 60 * minutes):
                print(look, flush=True)
                found.append(look)
            wrong = faults(found) + visit.faults
            print("\n".join(wrong) or "Nothing was late, nothing grew.")
            visit.close()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
