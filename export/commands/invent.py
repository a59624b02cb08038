"""`perpetuo invent`: music by rules of our own, to train on."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "write calm music by rules, to train on"
EPILOG = """\
examples:
  perpetuo invent -o invented --pieces 400
  perpetuo invent -o quiet --pieces 50 --styles ambient study --seed 1000
  perpetuo data invented music/ -o mine          both together, ready to train on

The styles are ambient, minimal, study, lofi and cinematic. A piece follows from its style and its
seed: the first has --seed, the next ones those that follow, and STYLE/SEED.mid is always the same
music. The folder has a MANIFEST.csv with styles, licence (CC0) and splits: of twenty seeds in a
row one is for validation and one for test.
"""
MOST_PIECES = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="folder to make"
    )
    parser.add_argument(
        "--pieces", type=int, default=100, metavar="N", help="pieces of each style (default 100)"
    )
    parser.add_argument(
        "--styles", nargs="+", default=[], metavar="NAME", help="which styles (default: all)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of the first piece (default 0)"
    )


def run(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from common.errors import ConfigError
    from common.words import nearest, shown
    from export.invention.styles import STYLES
    from export.invention.writing import invent

    for name in args.styles:
        if name not in STYLES:
            raise ConfigError(f"there is no style {shown(name)} to invent: {nearest(name, STYLES)}")
    if not 1 <= args.pieces <= MOST_PIECES:
        raise ConfigError(f"--pieces {args.pieces}: give 1 to {MOST_PIECES:,}")
    if not 0 <= args.seed < 1 << 62:
        raise ConfigError(f"--seed {args.seed}: give 0 or more, below 2^62")
    styles = [name for name in STYLES if name in args.styles or not args.styles]
    total = args.pieces * len(styles)
    with tqdm(total=total, desc="writing", unit=" pieces", disable=None) as bar:
        invent(args.output, styles, args.pieces, args.seed, bar.update)
    print(f"{args.output}: {total} pieces in {', '.join(styles)}")
    print(f"next: perpetuo data {args.output} -o DATASET")
    return 0
