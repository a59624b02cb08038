"""Composing into files: what `compose` and `replay` have in common."""

from __future__ import annotations

import argparse
import json
import sys
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from common.errors import LogError
from common.files import SNAPSHOT, read_bytes
from engine.composing.composer import Composer
from engine.composing.primer import primer_of
from engine.composing.snapshot import restore
from engine.files.control_log import ControlLog, header_line
from engine.files.control_log import write as write_log
from engine.files.midi import write
from engine.files.recording import program_changes, score_of
from engine.library.loading import load_network
from engine.library.models import model_file
from engine.music.bars import Bar
from engine.music.score import TIED_FROM
from engine.music.time import MICROSECONDS_PER_MINUTE
from engine.network.runtime import Network
from server.commands.console import deliver
from server.commands.heard_bars import HeardBars

DEFAULT_MODEL = "default"


@dataclass(frozen=True, slots=True)
class Length:
    """How much to compose: a number of bars, or whole bars until so many minutes are full; of
    both, what comes first."""

    bars: int | None = None
    minutes: float | None = None

    def is_reached(self, bars: int, microseconds: int) -> bool:
        enough_bars = self.bars is not None and bars >= self.bars
        return enough_bars or (
            self.minutes is not None and microseconds >= self.minutes * MICROSECONDS_PER_MINUTE
        )


def open_model(name: str, device: str, threads: int) -> Network:
    """The network of a model by name or path."""
    return load_network(model_file(name), device, threads)


def lent(network: Network, log: ControlLog, chosen: Collection[str]) -> ControlLog:
    """The log with the controls that its prompt lends: those that are not among the `chosen`."""
    if log.prompt is None:
        return log
    _, suggested = primer_of(log.prompt.score(), network.specification)
    free = {name: value for name, value in suggested.items() if name not in chosen}
    return replace(log, controls=log.controls.with_values(free))


def composer_of(network: Network, log: ControlLog, folder: Path | None = None) -> Composer:
    """The composer of a log's stream, at its beginning; `folder` is where a segment's snapshot
    lies."""
    if log.snapshot is not None:
        return _restored(network, log, (folder or Path()) / log.snapshot)
    primer = None
    if log.prompt is not None:
        primer, _ = primer_of(log.prompt.score(), network.specification)
    return Composer(network, network.pool(1), log.seed, log.stream, log.controls, primer)


def _restored(network: Network, log: ControlLog, snapshot: Path) -> Composer:
    composer = restore(read_bytes(snapshot, SNAPSHOT), network, network.pool(1))
    if composer.next_bar != log.first:
        raise LogError(
            f"the log goes on from bar {log.first} and {snapshot} from bar {composer.next_bar}: "
            "put the snapshot that was kept with the log beside it"
        )
    return composer


def record(composer: Composer, log: ControlLog, length: Length, args: argparse.Namespace) -> None:
    """Compose a log's stream into the files that the command line names, and say so."""
    if args.log_output:
        header_line(log)  # a prompt that is too long for it is said before the work is done
    first = composer.next_bar
    bars = compose(composer, length, log)
    end = first + len(bars)
    late = tuple(bar for bar in log.late if bar < end)
    heard = tuple(one for one in log.heard if one.bar < end)
    ended = replace(log, bars=len(bars), end=end, cut=False, late=late, heard=heard)
    changes = tuple(change for change in log.changes if change.bar < end)
    deliver(args.output, midi_bytes(bars), force=args.force)
    if args.log_output:
        deliver(args.log_output, write_log(replace(ended, changes=changes)), force=args.force)
    figures = summary(args, log, bars) | {"guards": composer.guard_report}
    is_piped = "-" in (args.output, args.log_output)
    if args.json:
        print(json.dumps(figures, ensure_ascii=False), file=sys.stderr if is_piped else sys.stdout)
    elif not is_piped:
        minutes, seconds = divmod(round(figures["seconds"]), 60)
        print(
            f"{args.output}: {len(bars)} bars, {figures['notes']} notes, {minutes}:{seconds:02d}, "
            f"seed {log.seed}"
        )
        print("open it in any MIDI player or DAW; 'perpetuo controls' lists what --set can steer")


def summary(args: argparse.Namespace, log: ControlLog, bars: Sequence[Bar]) -> dict[str, Any]:
    return {
        "file": args.output,
        "model": log.model,
        "seed": log.seed,
        "bars": len(bars),
        "notes": sum(map(notes_of, bars)),
        "seconds": sum(bar.length for bar in bars) / 1e6,
    }


def notes_of(bar: Bar) -> int:
    """How many notes begin in a bar; what is tied into it began before."""
    return sum(not note.tie & TIED_FROM for note in bar.notes)


def compose(composer: Composer, length: Length, log: ControlLog) -> list[Bar]:
    """Bars from where the composer stands, each change made at its bar, and as they were heard
    those that were not heard as they are composed."""
    heard = HeardBars(log.late, log.heard, composer.next_bar)
    pending = deque(sorted(log.changes, key=lambda change: change.bar))
    bars: list[Bar] = []
    time = 0
    with tqdm(total=length.bars, unit="bar", disable=None, leave=False) as progress:
        while not length.is_reached(len(bars), time):
            while pending and pending[0].bar <= composer.next_bar:
                composer.make(pending.popleft())
            found = heard.of(composer.compose_bar(), composer)
            composer.commit(composer.next_bar)
            for bar in found:
                if length.is_reached(len(bars), time):
                    break
                bars.append(bar)
                time += bar.length
                progress.update()
    return bars


def midi_bytes(bars: Sequence[Bar]) -> bytes:
    """The bars as a MIDI file."""
    score, shifts = score_of(bars)
    return write(score, shifts=shifts, program_changes=program_changes(bars))
