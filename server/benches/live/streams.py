"""How many own streams are served at once, each with a client of its own that steers it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from server.base.machine import cores
from server.benches.live.client_processes import VisitorsProcess
from server.benches.live.processes import composers
from server.benches.live.served import Served, Setup
from server.benches.live.visitors import OpenedCounts, VisitCounts, VisitPlan

RATE = 10.0  # streams that are opened in a second
SETTLED = 10.0  # seconds after the last opening until the counting begins
NEAR = 0.05  # of the number of streams: the search ends when it knows it so well
FULL = 0.9  # share of a core from which on a thread that needs it is at its limit
FAULTS = ("gaps", "doubles", "late", "tight", "bridged")

Tell = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of a core, 1 being one core all the time."""

    serving: float
    composing: float
    clients: float
    waited: float  # for which serving and composing could have run, but had no core

    @property
    def total(self) -> float:
        return self.serving + self.composing + self.clients


@dataclass(frozen=True, slots=True)
class StreamsFigures:
    """So many streams for so many seconds. Rates a second, memory in bytes; `late_bars` as the
    server counted them, `counted` what the clients saw."""

    streams: int
    seconds: float
    opened: OpenedCounts
    counted: VisitCounts
    late_bars: int
    bars_per_second: float
    notes_per_second: float
    speed: float  # notes a second that the server believes to be able to compose
    demand: float
    shares: Shares
    serving_bytes: int
    composing_bytes: int
    composers: int  # processes, as it ends
    complaints: list[str] = field(default_factory=list)

    @property
    def faults(self) -> dict[str, int]:
        """What should not have been, by name; nothing if the streams were held."""
        found = {name: self.counted.found.get(name, 0) for name in FAULTS}
        found |= {
            "not let in": self.streams - self.opened.streams,
            "fallen silent": self.counted.silent,
            "late by the server's count": self.late_bars,
            "errors": sum(self.counted.errors.values()),
        }
        return {name: count for name, count in found.items() if count}

    @property
    def holds(self) -> bool:
        return not self.faults

    @property
    def limit(self) -> str:
        """What is scarce, in words."""
        return limit_of(self.faults, self.opened.reason, self.shares, cores(), self.composers)


def limit_of(
    faults: dict[str, int], refusal: str, shares: Shares, cores: int, composers: int = 1
) -> str:
    """What kept more streams from being held, as the shares of the cores tell it."""
    if not faults:
        return "none reached"
    if "not let in" in faults:
        return f"admission: {refusal}"
    if shares.clients >= FULL:
        return "the bench's own clients, which are one thread"
    if shares.composing >= FULL * composers:
        return "composing, which has no more of its cores to use"
    if shares.serving >= FULL:
        return "the event loop of the server, which is one thread of Python"
    if shares.total >= FULL * cores:
        return f"the machine: its {cores} cores are busy"
    if shares.total + shares.waited >= FULL * cores:
        return f"other work on the machine: {shares.waited:.0%} of a core was not to be had"
    return "none of the processes: all of them had time to spare"


def measure_streams(
    setup: Setup, streams: int, seconds: float, tell: Tell, rate: float = RATE
) -> StreamsFigures:
    """Serve so many streams for so long, on a server of their own."""
    tell(f"{streams} streams: opening")
    with Served(setup) as server, VisitorsProcess(server.socket, VisitPlan(streams, rate)) as crowd:
        opened = crowd.opened()
        tell(f"{streams} streams: settling")
        time.sleep(min(SETTLED, seconds))
        before, used = server.metrics(), _used(server, crowd)
        begun = time.monotonic()
        crowd.count()
        tell(f"{streams} streams: counting for {seconds:g} s")
        time.sleep(seconds)
        used_after, after = _used(server, crowd), server.metrics()
        elapsed = time.monotonic() - begun
        (serving, composing), count = server.memory(), len(composers(server.pid))
        counted = crowd.end()
        complaints = server.complaints()

    def grown(name: str) -> float:
        return after[name] - before[name]

    shares = Shares(*((a - b) / elapsed for a, b in zip(used_after, used, strict=True)))
    return StreamsFigures(
        streams,
        elapsed,
        opened,
        counted,
        round(grown("perpetuo_bars_late_total")),
        grown("perpetuo_bars_total") / elapsed,
        grown("perpetuo_composer_notes_total") / elapsed,
        after["perpetuo_composer_notes_per_second"],
        after["perpetuo_composer_demand_per_second"],
        shares,
        serving.resident,
        composing.resident,
        count,
        complaints[-5:],
    )


def _used(server: Served, crowd: VisitorsProcess) -> tuple[float, float, float, float]:
    """Seconds so far, in the order of `Shares`."""
    return *server.cpu(), crowd.cpu(), server.waited()


def search(holds: Callable[[int], bool], first: int, most: int) -> int:
    """The largest number that holds, known to within `NEAR`: doubled until one does not, then
    halved between; 0 if not even a single stream does."""
    good, bad = 0, most + 1
    trying = min(first, most)
    while good < most and bad - good > max(1, round(NEAR * good)):
        if holds(trying):
            good = trying
        else:
            bad = trying
        trying = min(2 * good, most) if bad > most else (good + bad) // 2
    return good
