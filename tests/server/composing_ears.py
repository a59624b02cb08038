"""A listener at the server's end of the line, and what it ought to hear."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from engine.composing.composer import Composer
from engine.controls.controls import Controls
from engine.network.runtime import Network
from server.base.wire import WireBar, decode_bar
from server.composing.client import ComposerClient
from server.composing.messages import (
    BarReport,
    ChangeReport,
    ComposerSettings,
    JoinOrder,
    JoinReport,
    LoadReport,
    Report,
    SnapshotReport,
    TroubleReport,
)
from server.composing.reports import wire_bar

PATIENCE = 120.0  # seconds after which a test gives up
# Bars of 0.4 s, so that tests which wait for music are short.
BRISK: dict[str, Any] = {"tempo": 300, "metre": "2/4"}


@dataclass
class Ear:
    """Keeps all reports; `until` waits for what they should tell."""

    bars: dict[int, dict[int, BarReport]] = field(default_factory=dict)
    order: list[tuple[int, int, int]] = field(default_factory=list)  # stream, index, revision
    kept: list[SnapshotReport] = field(default_factory=list)
    loads: list[LoadReport] = field(default_factory=list)
    troubles: list[TroubleReport] = field(default_factory=list)
    others: list[Report] = field(default_factory=list)
    ends: int = 0
    returns: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, report: Report) -> None:
        match report:
            case BarReport():
                held = self.bars.setdefault(report.stream, {}).get(report.index)
                assert held is None or held.revision < report.revision
                self.bars[report.stream][report.index] = report
                self.order.append((report.stream, report.index, report.revision))
            case SnapshotReport():
                self.kept.append(report)
            case LoadReport():
                self.loads.append(report)
            case TroubleReport():
                self.troubles.append(report)
            case _:
                self.others.append(report)
        self._news.set()

    def end(self) -> None:
        self.ends += 1
        self._news.set()

    def ready(self) -> None:
        self.returns += 1
        self._news.set()

    async def until(self, told: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not told():
                self._news.clear()
                await self._news.wait()

    async def until_bar(self, stream: int, index: int) -> None:
        await self.until(lambda: index in self.bars.get(stream, {}))

    def heard(self, stream: int) -> list[WireBar]:
        """The bars of a stream without revisions; checks that one follows the other."""
        held = self.bars[stream]
        indices = sorted(held)
        assert indices == list(range(indices[0], indices[-1] + 1))
        for index in indices[1:]:
            before = held[index - 1]
            assert held[index].due == before.due + before.length
        return [as_heard(decode_bar(held[index].bar)) for index in indices]


@contextlib.asynccontextmanager
async def linked(**settings: Any) -> AsyncIterator[tuple[ComposerClient, Ear]]:
    ear = Ear()
    client = ComposerClient(ComposerSettings(**settings), ear.hear, ear.end, ear.ready)
    try:
        await client.start()
        yield client, ear
    finally:
        await client.close(PATIENCE)


async def join(client: ComposerClient, stream: int, **values: Any) -> JoinReport:
    defaults: dict[str, Any] = {
        "name": f"stream {stream}",
        "model": client.settings.model,
        "seed": 100 + stream,
        "number": stream,
        "controls": BRISK,
    }
    answer = await client.request(JoinOrder(0, stream, **{**defaults, **values}))
    assert isinstance(answer, JoinReport)
    return answer


def expected(
    network: Network,
    stream: int,
    bars: int,
    changes: Sequence[tuple[ChangeReport, dict[str, Any]]] = (),
    controls: dict[str, Any] = BRISK,
) -> list[WireBar]:
    """What a stream that never stops plays: each change made at the bar that was announced."""
    composer = Composer(
        network, network.pool(1), 100 + stream, stream, Controls.from_dict(controls)
    )
    found = []
    for index in range(bars):
        composer.commit(index)
        for changed, values in changes:
            if changed.bar == index:
                composer.change(values)
        bar = composer.compose_bar()
        made = wire_bar(bar, composer.controls.key, composer.lines[-1].transposition)
        found.append(as_heard(made))
    return found


def as_heard(bar: WireBar) -> WireBar:
    return msgspec.structs.replace(bar, revision=0)
