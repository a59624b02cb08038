"""Whether what a hand turned was heard when it should have been.

Every change carries a tempo that no other has, so that each bar tells under which change it was
composed. No clock, no sockets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

PROMISED = 200_000  # a change made so long before a bar line is heard in that bar


class AcknowledgedChange(NamedTuple):
    """A change, and its acknowledgement: it is heard from `bar` on."""

    at: int
    acknowledged: int
    bar: int


class ArrivedBar(NamedTuple):
    """A bar as it came, `change` being the last one that it was composed under (-1: none)."""

    bar: int
    revision: int
    due: int
    at: int
    change: int


class JudgedChanges(NamedTuple):
    """Times in microseconds. `kept`: it was heard in the first bar whose line is `PROMISED` away
    or more; `told_true`: from the bar of the acknowledgement on, and not before; `margin`: how
    long before its line the first bar under the change came; `to_ear`: from the hand to that
    line."""

    kept: bool
    told_true: bool
    margin: int
    to_ear: int


def heard(arrivals: Sequence[ArrivedBar]) -> dict[int, ArrivedBar]:
    """What sounded of each bar: its latest revision that came before its line."""
    sounded: dict[int, ArrivedBar] = {}
    for one in arrivals:
        held = sounded.get(one.bar)
        if held is None or (one.at <= held.due and one.revision > held.revision):
            sounded[one.bar] = one
    return sounded


def judge(
    number: int, sent: AcknowledgedChange, bars: Mapping[int, ArrivedBar]
) -> JudgedChanges | None:
    """Change `number` against the bars that were heard; None if they end too early."""
    order = sorted(bars)
    promised = next((i for i in order if bars[i].due >= sent.at + PROMISED), None)
    first = next((i for i in order if bars[i].change >= number), None)
    if promised is None or first is None:
        return None
    bar = bars[first]
    return JudgedChanges(first <= promised, first == sent.bar, bar.due - bar.at, bar.due - sent.at)
