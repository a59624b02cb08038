"""What the composing process reports, made of what it has."""

from __future__ import annotations

import os
from collections.abc import Iterable

from engine.bars import Bar
from engine.composer import Composer
from engine.controls import Controls
from engine.guards import report as guard_report
from server.composing.messages import Change, Changed, Composed, Join, Joined, Load, Ready
from server.composing.meter import Meter
from server.composing.shelf import Choir
from server.composing.spelling import wire_bar
from server.wire import encode_bar


def ready(model: str, choir: Choir) -> Ready:
    network = choir.network
    styles = network.specification.styles
    return Ready(model, network.digest, styles, choir.pace.speed, os.getpid())


def joined(order: Join, choir: Choir, controls: Controls) -> Joined:
    member = choir.ensemble.members[order.stream]
    return Joined(
        order.request,
        order.stream,
        choir.network.digest,
        order.model,
        controls.complete(),
        member.first,
        member.dues[member.first],
        choir.network.specification.styles,
    )


def changed(order: Change, choir: Choir, bar: int) -> Changed:
    """`bar` is the first one composed under the change."""
    stream, ensemble = order.stream, choir.ensemble
    controls = ensemble.members[stream].composer.controls
    values = {name: controls.plain(name) for name in order.set}
    return Changed(order.request, stream, bar, ensemble.due_of(stream, bar), values)


def composed(stream: int, bar: Bar, due: int, composer: Composer, change: int) -> Composed:
    """`change` is the number of the last one that the bar is composed under."""
    # The bar line after it knows how it sounded.
    transposition = composer.lines[-1].transposition
    wired = wire_bar(bar, composer.controls.key, transposition)
    encoded = encode_bar(wired)
    return Composed(stream, bar.index, bar.revision, due, wired.length, encoded, change)


def load(meter: Meter, now: int, choirs: Iterable[Choir], speed: float) -> Load:
    choirs = list(choirs)
    members = [member for choir in choirs for member in choir.ensemble.members.values()]
    demand = sum(choir.ensemble.demand for choir in choirs)
    guards = (guard_report(member.composer.lines[-1].guards) for member in members)
    return meter.load(now, len(members), speed, demand, guards)
