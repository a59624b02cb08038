"""`perpetuo roll`: a MIDI file as a picture."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HELP = "draw a MIDI file as a piano roll"
EPILOG = """\
examples:
  perpetuo roll composed.mid                     writes composed.png beside it
  perpetuo roll composed.mid -o roll.png --bars 8

Parts are in colours, soft notes paler; a thin line a bar, a heavier one every four.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("midi", type=Path, metavar="FILE.mid")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE.png", help="(default: beside the MIDI file)"
    )
    parser.add_argument(
        "--bars", type=int, default=16, metavar="N", help="bars in a line of the page (default 16)"
    )
    parser.add_argument("--title", default="", metavar="WORDS", help="a line above it")
    parser.add_argument("--force", action="store_true", help="replace an existing picture")


def run(args: argparse.Namespace) -> int:
    from common.errors import ConfigError, MidiError
    from common.files import MUSIC, as_text, read_bytes, refuse_existing, write_whole
    from engine.files.midi import read, to_score
    from export.evaluation.roll import roll

    if not 1 <= args.bars <= 256:
        raise ConfigError(f"{args.bars} bars do not fit in a line: give 1 to 256")
    output: Path = args.output or args.midi.with_suffix(".png")
    refuse_existing(output, force=args.force)
    try:
        smf = read(read_bytes(args.midi, MUSIC))
        score = to_score(smf)
        picture = roll(score, args.bars, as_text(args.title))
    except MidiError as error:
        raise MidiError(f"{args.midi}: {error}") from error
    if smf.remark:
        print(f"{args.midi}: {smf.remark}", file=sys.stderr)
    write_whole(output, picture, force=args.force)
    print(f"{output}: {len(score.notes)} notes")
    return 0
