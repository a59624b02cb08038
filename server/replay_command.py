"""`perpetuo replay`: a logged stream once more."""

from __future__ import annotations

import argparse
from pathlib import Path

from server.compose_command import add_model_arguments, add_output_arguments, count

HELP = "repeat a logged stream into a MIDI file"
EPILOG = """\
examples:
  perpetuo replay calm.log -o again.mid
  perpetuo replay calm.log -o -  > piped.mid
  perpetuo replay endless.log --bars 64 -o beginning.mid

A log names its model. If the file has moved, name it with --model; it must be the very same file.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("log", type=Path, metavar="LOG", help="a control log")
    parser.add_argument("--bars", type=count, metavar="N", help="only the first N bars")
    add_model_arguments(parser)
    add_output_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from engine.control_log import read
    from engine.errors import LogError
    from engine.files import read_bytes, refuse_existing
    from server.console import complain
    from server.offline import Length, open_model, record

    for path in (args.output, args.log_output):
        if path and path != "-":
            refuse_existing(path, force=args.force)
    log = read(read_bytes(args.log, "log"))
    network = open_model(args.model or log.model, args.device, args.threads)
    if network.digest != log.sha256:
        raise LogError(
            f"{args.log} was made with another file than {network.where}: name the model it was "
            f"made with by --model (its SHA-256 begins with {log.sha256[:12]})"
        )
    if log.cut:
        complain(f"{args.log} breaks off in its last line: replaying what stands before it")
    bars = args.bars or log.end or log.bars
    if bars is None:
        raise LogError(f"{args.log} does not say how long the stream was: give --bars N")
    record(network, log, Length(bars), args)
    return 0
