"""`perpetuo replay`: a logged stream once more."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from engine.library import MOST_BARS
from server.commands.compose import add_model_arguments, add_output_arguments, count, refuse_outputs

if TYPE_CHECKING:
    from engine.composing.composer import Composer
    from engine.files.control_log import ControlLog

HELP = "repeat a logged stream into a MIDI file"
EPILOG = """\
examples:
  perpetuo replay calm.log -o again.mid
  perpetuo replay calm.log -o -  > piped.mid
  perpetuo replay endless.log --bars 64 -o beginning.mid

A log names its model. If the file has moved, name it with --model; it must be the very same file.
A log that goes on from a snapshot, as the server writes them, needs that file beside it.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("log", type=Path, metavar="LOG", help="a control log")
    parser.add_argument("--bars", type=count, metavar="N", help="only the first N bars")
    add_model_arguments(parser)
    add_output_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from dataclasses import replace

    from common.errors import LogError
    from engine.library.bars import Length
    from engine.library.beginning import loggable
    from server.commands.offline import record

    refuse_outputs(args)
    composer, log = begun(args)
    if log.snapshot and args.log_output:
        raise LogError(
            f"{args.log} goes on from a snapshot: copy it and {log.snapshot} rather than log it "
            "anew"
        )
    if args.model:
        log = replace(log, model=loggable(args.model))
    bars = args.bars or bars_of(log, composer.next_bar, args.log)
    record(composer, log, Length(bars), args)
    return 0


def begun(args: argparse.Namespace) -> tuple[Composer, ControlLog]:
    """A log's composer before its first bar, and the log."""
    from common.errors import LogError, naming
    from common.files import LOG, read_bytes
    from engine.composing.following import asked_in_vain
    from engine.files.control_log import read
    from engine.library.bars import composer_of, open_model
    from server.base.console import complain

    with naming(args.log):
        log = read(read_bytes(args.log, LOG))
    network = open_model(args.model or _model_of(log, args.log), args.device, args.threads)
    if network.digest != log.sha256:
        raise LogError(
            f"{args.log} was made with another file than {network.where}: name the model it was "
            f"made with by --model (its SHA-256 begins with {log.sha256[:12]})"
        )
    vain = asked_in_vain(network.specification, log)
    if vain:
        complain(
            f"{args.log} sets {' and '.join(vain)}, which the model "
            f"'{network.specification.name}' does not follow: it is repeated as it was heard"
        )
    if log.cut:
        complain(f"{args.log} breaks off in its last line: replaying what stands before it")
    return composer_of(network, log, args.log.parent), log


def _model_of(log: ControlLog, path: Path) -> str:
    """The model that a log names; LogError if there is none of that name here."""
    from common.errors import BundleError, LogError
    from engine.library.models import model_file

    try:
        found = model_file(log.model).is_file()
    except BundleError:
        found = False
    if not found:
        raise LogError(
            f"{path} names the model {log.model}, which is not here: name its file by --model"
        )
    return log.model


def bars_of(log: ControlLog, first: int, path: Path) -> int:
    """How many bars a log's stream has; `first` is the index of the first one composed."""
    from common.errors import LogError

    bars = log.bars if log.end is None else log.end - first
    if bars is None:
        raise LogError(f"{path} does not say how long the stream was: give --bars N")
    if bars > MOST_BARS:
        raise LogError(f"{path} says that it has {bars:,} bars: give --bars N for some of them")
    if bars < 1:
        raise LogError(f"{path} ends before its first bar: give --bars N to go on from there")
    return bars
