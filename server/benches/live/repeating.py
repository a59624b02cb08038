"""Whether the logs of a server give back what a client heard: as `perpetuo replay` does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import astuple

from common.errors import PerpetuoError
from common.files import LOG, read_bytes
from engine.files.control_log import ControlLog, read
from engine.library.bars import Length, composer_of
from engine.network.runtime import Network
from server.base.wire import WireBar
from server.benches.live.change_accounts import BarPlace
from server.composing.heard_bars import heard_again
from server.composing.reports import wire_bar
from server.house.log_writer import logs_of

MUSIC = ("tick", "ticks", "metre", "tempo", "programs", "notes", "pedals")  # what is heard of a bar


class Compared(NamedTuple):
    """Bars that were heard and that the logs tell of; the first thing that differs, "": none."""

    bars: int
    difference: str


class WrittenLog(NamedTuple):
    """A log, the epoch of its stream, and the bar with which the next segment of that begins."""

    path: Path
    log: ControlLog
    epoch: int
    end: int | None


def compare(heard: Mapping[BarPlace, WireBar], again: Mapping[BarPlace, WireBar]) -> Compared:
    """Every bar that was heard against what was repeated in its place."""
    for place in sorted(heard):
        bar, repeated = heard[place], again.get(place)
        where = f"bar {place.bar} of epoch {place.epoch}"
        if repeated is None:
            return Compared(len(heard), f"{where} is not repeated")
        for name in MUSIC:
            was, now = _value(bar, name), _value(repeated, name)
            if was != now:
                what = f"{where}: {name} {_short(was)} was heard, {_short(now)} is repeated"
                return Compared(len(heard), what)
    return Compared(len(heard), "")


def repeated(
    folder: Path, name: str, heard: Mapping[BarPlace, WireBar], network: Network
) -> dict[BarPlace, WireBar]:
    """All that was heard of a stream, composed again from its logs; a PerpetuoError if one of
    them cannot be."""
    found: dict[BarPlace, WireBar] = {}
    logs = [(path, read(read_bytes(path, LOG))) for path in logs_of(folder, name)]
    for written in segments(logs):
        last = max((bar for epoch, bar in heard if epoch == written.epoch), default=None)
        if last is None:
            continue
        end = last + 1 if written.end is None else min(last + 1, written.end)
        for bar in _composed(written, end, network):
            found[BarPlace(written.epoch, bar.index)] = bar
    return found


def compared(
    folder: Path, name: str, heard: Mapping[BarPlace, WireBar], network: Network
) -> Compared:
    """What was heard of a stream against its logs."""
    try:
        return compare(heard, repeated(folder, name, heard, network))
    except PerpetuoError as error:
        return Compared(len(heard), f"the log of {name} cannot be repeated: {error}")


def segments(logs: Sequence[tuple[Path, ControlLog]]) -> Iterator[WrittenLog]:
    """Of one stream in one run of a server, oldest first: a log without a snapshot begins another
    epoch, and one with a snapshot goes on where the one before it ends."""
    epoch = -1
    for place, (path, log) in enumerate(logs):
        epoch += log.snapshot is None
        following = logs[place + 1][1] if place + 1 < len(logs) else None
        goes_on = following is not None and following.snapshot is not None
        yield WrittenLog(path, log, epoch, following.first if following and goes_on else None)


def _composed(written: WrittenLog, end: int, network: Network) -> Iterator[WireBar]:
    composer = composer_of(network, written.log, written.path.parent)
    length = end - composer.next_bar
    if length > 0:
        for bar in Length(length).of(heard_again(composer, written.log)):
            yield wire_bar(bar, composer.controls.key, 0)  # names of keys are not compared


def _value(bar: WireBar, name: str) -> object:
    """The order in which notes of one moment stand is not heard."""
    return sorted(map(astuple, bar.notes)) if name == "notes" else getattr(bar, name)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
