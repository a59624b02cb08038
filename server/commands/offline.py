"""Composing into files: what `compose` and `replay` have in common."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tqdm import tqdm

from engine.composing.composer import Composer
from engine.files.control_log import ControlLog, header_line
from engine.files.control_log import write as write_log
from engine.library.bars import Length, midi_bytes, notes_of
from engine.music.bars import Bar
from server.base.console import deliver
from server.composing.heard_bars import heard_again


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


def compose(composer: Composer, length: Length, log: ControlLog) -> list[Bar]:
    """So many bars of `heard_again`, while their progress is shown."""
    bars: list[Bar] = []
    with tqdm(total=length.bars, unit="bar", disable=None, leave=False) as progress:
        for bar in length.of(heard_again(composer, log)):
            bars.append(bar)
            progress.update()
    return bars
