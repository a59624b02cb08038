"""What the composing process reports, made of what it has."""

from __future__ import annotations

import os
from collections.abc import Iterable

from engine.composing.composer import Composer
from engine.controls.controls import Controls
from engine.music.bars import Bar
from engine.planning.guards import report as guard_report
from server.base.wire import encode_bar
from server.composing.load_meter import LoadMeter
from server.composing.messages import (
    BarReport,
    ChangeOrder,
    ChangeReport,
    ComposerReady,
    JoinOrder,
    JoinReport,
    LoadReport,
)
from server.composing.models import LoadedModel
from server.composing.wire_bars import wire_bar


def ready(model: str, loaded_model: LoadedModel) -> ComposerReady:
    network = loaded_model.network
    styles = network.specification.styles
    return ComposerReady(model, network.digest, styles, loaded_model.pace.speed, os.getpid())


def joined(order: JoinOrder, loaded_model: LoadedModel, controls: Controls) -> JoinReport:
    member = loaded_model.ensemble.members[order.stream]
    return JoinReport(
        order.request,
        order.stream,
        loaded_model.network.digest,
        order.model,
        controls.complete(),
        member.first,
        member.dues[member.first],
        loaded_model.network.specification.styles,
    )


def changed(order: ChangeOrder, loaded_model: LoadedModel, bar: int) -> ChangeReport:
    """`bar` is the first one composed under the change."""
    stream, ensemble = order.stream, loaded_model.ensemble
    controls = ensemble.members[stream].composer.controls
    values = {name: controls.plain(name) for name in order.set}
    return ChangeReport(order.request, stream, bar, ensemble.due_of(stream, bar), values)


def composed(stream: int, bar: Bar, due: int, composer: Composer, change: int) -> BarReport:
    """`change` is the number of the last one that the bar is composed under."""
    # The bar line after it knows how it sounded.
    transposition = composer.lines[-1].transposition
    wired = wire_bar(bar, composer.controls.key, transposition)
    encoded = encode_bar(wired)
    return BarReport(stream, bar.index, bar.revision, due, wired.length, encoded, change)


def load(
    meter: LoadMeter, now: int, loaded_models: Iterable[LoadedModel], speed: float
) -> LoadReport:
    loaded_models = list(loaded_models)
    members = [
        member
        for loaded_model in loaded_models
        for member in loaded_model.ensemble.members.values()
    ]
    demand = sum(loaded_model.ensemble.demand for loaded_model in loaded_models)
    guards = (guard_report(member.composer.lines[-1].guards) for member in members)
    return meter.load(now, len(members), speed, demand, guards)
