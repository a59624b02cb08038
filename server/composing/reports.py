"""What the composing process reports: composed bars as they travel, with names instead of numbers
and everything as it sounds; what it is asked and how hard it works; and faults, once until they are
over."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable

from common.errors import PerpetuoError, StreamError
from engine.composing.composer import Composer
from engine.composing.following import sentence, unfollowed
from engine.controls.controls import Controls
from engine.controls.key import Key
from engine.music.bars import Bar
from engine.music.fields import FIRST_CHORD
from engine.music.harmony import KEY_SHIFT, chord_name, key_id, key_name
from engine.planning.guards import report as guard_report
from server.base.wire import WireBar, WireController, WireNote, WirePedal, encode_bar
from server.composing.load_meter import LoadMeter
from server.composing.messages import (
    BarReport,
    ChangeOrder,
    ChangeReport,
    ComposerReady,
    JoinOrder,
    JoinReport,
    LoadReport,
    TroubleReport,
)
from server.composing.models import LoadedModel
from server.composing.server_connection import ServerConnection


def wire_bar(bar: Bar, key: Key, transposition: int) -> WireBar:
    """The bar for listeners. `key` is what the controls ask for, `transposition` by how many
    semitones the bar sounds above what was composed."""
    plan = bar.plan
    return WireBar(
        index=bar.index,
        revision=bar.revision,
        tick=bar.start,
        ticks=bar.metre.ticks,
        metre=str(bar.metre),
        tempo=bar.microseconds_per_quarter,
        key=sounding_key(plan.key, key, transposition),
        chords=(_chord(bar.chords[0]), _chord(bar.chords[1])),
        section=bar.section,
        echo=plan.source,
        programs=bar.programs,
        notes=tuple(
            WireNote(
                note.part + 1,
                note.pitch,
                note.velocity,
                note.onset - bar.start,
                note.duration,
                shift,
                note.tie,
            )
            for note, shift in zip(bar.notes, bar.shifts, strict=True)
        ),
        pedals=tuple(WirePedal(part + 1, tick, length) for tick, length, part in bar.pedals),
        controllers=tuple(
            WireController(part + 1, number, value) for part, number, value in bar.controllers
        ),
    )


def sounding_key(planned: int, key: Key, transposition: int) -> str:
    """The planned key as it sounds; at home, or where none is planned, the one asked for, whose
    mode may be any."""
    if planned in (0, key_id(key.home_tonic, key.minor)):
        return str(Key((key.tonic + transposition - key.shift) % 12, key.mode))
    return key_name(int(KEY_SHIFT[transposition % 12][planned]))


def _chord(chord: int) -> str:
    return chord_name(chord) if chord >= FIRST_CHORD else ""


def ready(model: str, loaded_model: LoadedModel) -> ComposerReady:
    network = loaded_model.network
    styles = network.specification.styles
    return ComposerReady(model, network.digest, styles, loaded_model.pace.speed, os.getpid())


def joined(
    order: JoinOrder, loaded_model: LoadedModel, controls: Controls, left_out: tuple[str, ...]
) -> JoinReport:
    member = loaded_model.ensemble.members[order.stream]
    spec = loaded_model.network.specification
    return JoinReport(
        order.request,
        order.stream,
        loaded_model.network.digest,
        order.model,
        controls.complete(),
        member.first,
        member.dues[member.first],
        spec.styles,
        {name: sentence(spec, name, reason) for name, reason in unfollowed(spec).items()},
        left_out,
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


log = logging.getLogger("perpetuo.composing")


class FaultReports:
    """Does what belongs to no single stream."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self._broken: set[str] = set()

    def do(self, name: str, work: Callable[[], None]) -> bool:
        """Whether it went well."""
        try:
            work()
        except Exception as error:
            if name not in self._broken:
                self._broken.add(name)
                log.exception("%s went wrong; the music goes on", name)
                self._connection.report(TroubleReport(0, f"{name} went wrong: {spoken(error)}"))
            return False
        self._broken.discard(name)
        return True


def spoken(error: Exception) -> PerpetuoError:
    """An error as a user is told it."""
    if isinstance(error, PerpetuoError):
        return error
    return StreamError(f"a fault of ours: {error!r}; see the server's log")
