"""`perpetuo compose`: music into a MIDI file, faster than it plays."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from engine.library import DEFAULT_MODEL, DEFAULT_SEED, MOST_BARS, MOST_MINUTES

if TYPE_CHECKING:
    from engine.files.control_log import ControlLog
    from engine.network.runtime import Network

HELP = "compose into a MIDI file"
EPILOG = """\
examples:
  perpetuo compose -o first.mid
  perpetuo compose --preset ambient --minutes 5 -o ambient.mid
  perpetuo compose --minutes 3 --seed 7 --set tempo=72 --set density=2 -o calm.mid
  perpetuo compose --set "key=D minor" --set "chords=i VI III VII" --set style=folk -o dance.mid
  perpetuo compose --prompt beginning.mid --bars 16 -o continued.mid
  perpetuo compose --seed random --log a.log -o a.mid    'perpetuo replay a.log' repeats it
  perpetuo compose -o -  > piped.mid

The same arguments give the same file, byte for byte. 'perpetuo controls' lists what --set knows,
'perpetuo presets' the presets; --set goes before a preset, whatever their order. A prompt lends its
key, metre, tempo, parts and instruments wherever neither says anything else. The music closes with
a cadence and a long last bar, which --no-ending leaves out for whoever puts pieces together.
"""
DEFAULT_BARS = 32


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model_arguments(parser)
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--bars", type=count, metavar="N", help=f"bars (default {DEFAULT_BARS})")
    length.add_argument("--minutes", type=_minutes, metavar="M", help="whole bars for M minutes")
    add_music_arguments(parser)
    add_output_arguments(parser)


def add_music_arguments(parser: argparse.ArgumentParser) -> None:
    """What is composed."""
    parser.add_argument(
        "--seed",
        type=_seed,
        default=DEFAULT_SEED,
        metavar="S",
        help=f"which music: a whole number, or 'random' (default {DEFAULT_SEED})",
    )
    parser.add_argument(
        "--preset", metavar="NAME", help="a preset's name, or a preset file (.toml) of your own"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="CONTROL=VALUE",
        help="set a control (may be given again; see 'perpetuo controls')",
    )
    parser.add_argument("--prompt", type=Path, metavar="FILE.mid", help="music to go on from")
    parser.add_argument(
        "--no-ending", action="store_true", help="break off, without a cadence and a long last bar"
    )


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", metavar="MODEL", help="a .onnx file or the name of an embedded model"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="(default cpu)")
    parser.add_argument(
        "--threads", type=count, default=1, metavar="N", help="threads of the network (default 1)"
    )


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE.mid", help="'-' for standard output"
    )
    parser.add_argument("--log", dest="log_output", metavar="FILE", help="also write a control log")
    parser.add_argument("--force", action="store_true", help="overwrite existing files")
    parser.add_argument("--json", action="store_true", help="print what was composed as JSON")


def run(args: argparse.Namespace) -> int:
    from engine.library.bars import Length, closing, composer_of
    from server.commands.offline import record

    refuse_outputs(args)
    network, log = begun(args)
    composer, length = composer_of(network, log), Length(log.bars, args.minutes)
    if not args.no_ending:
        log, length = closing(composer, log, length)
    record(composer, log, length, args)
    return 0


def begun(args: argparse.Namespace) -> tuple[Network, ControlLog]:
    """The stream that the command line describes, before its first bar, and its network."""
    from engine.controls.controls import parse_assignment
    from engine.library.bars import open_model
    from engine.library.beginning import fresh_seed, read_prompt, request
    from server.base.console import complain

    seed = fresh_seed() if args.seed is None else args.seed
    asked = request(args.preset, dict(parse_assignment(text) for text in args.set), seed)
    model = args.model or asked.model or DEFAULT_MODEL
    network = open_model(model, args.device, args.threads)
    prompt = read_prompt(args.prompt, complain) if args.prompt else None
    bars = None if args.minutes else args.bars or DEFAULT_BARS
    return network, asked.log(network, model, bars, prompt, complain)


def refuse_outputs(args: argparse.Namespace) -> None:
    """Raise OutputError before any work is done if its results could not be written."""
    from common.errors import OutputError
    from server.base.console import refuse

    for path in (args.output, args.log_output):
        if path:
            refuse(path, force=args.force)
    if args.log_output and Path(args.log_output).resolve() == Path(args.output).resolve():
        raise OutputError(f"-o and --log both name {args.output}: give the log another name")


def count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_BARS:
        raise argparse.ArgumentTypeError(f"'{text}' must be a whole number from 1 up")
    return int(text)


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes <= MOST_MINUTES:
        raise argparse.ArgumentTypeError(f"'{text}' must be a number of minutes above 0")
    return minutes


def _seed(text: str) -> int | None:
    """None stands for a random one."""
    if text == "random":
        return None
    if not text.isdecimal() or int(text) >= 1 << 63:
        raise argparse.ArgumentTypeError(f"'{text}' must be a whole number below 2^63, or random")
    return int(text)
