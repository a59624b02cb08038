"""`perpetuo data`: make a dataset to train on out of folders of music."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

HELP = "prepare folders of MIDI or MusicXML for training"
EPILOG = """\
examples:
  perpetuo data ~/midi -o mine                      styles are the names of the folders
  perpetuo data ~/midi tunes.mid -o mine --jobs 4
  perpetuo data corpus -o all --manifest list.csv --styles romanticism=romantic
  perpetuo data corpus -o piano --representation performance --exclude groove
  perpetuo data chorales-quarter.json -o chorales   a benchmark of frames, its splits and keys kept

A bad file never ends the run: report.txt in the dataset lists it with its reason. A MANIFEST.csv
in a folder is used by itself; its columns are file (its path below the folder), and any of style,
dataset, title, composer, licence, note, velocity ("flat": not to be learned), split (train, valid,
test) and dup_group (files that belong together).

A .json file of frames ({"train": […], "valid": […], "test": […]}, a piece being a list of lists of
MIDI pitches) is prepared alone and as it is: see "A benchmark" in docs/evaluation.md.
Next: perpetuo train CONFIG.toml with data = "DATASET".
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "places", nargs="+", type=Path, metavar="DIR", help="folders or files of music"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DATASET", help="folder to make"
    )
    parser.add_argument(
        "--representation",
        choices=("notes", "performance"),
        default="notes",
        help="how music becomes events (default: notes)",
    )
    parser.add_argument(
        "--grid",
        choices=("quarter", "8th", "16th"),
        help="note value of one frame in a file of frames (default: as its name says)",
    )
    parser.add_argument("--manifest", type=Path, metavar="CSV", help="what is known of each file")
    parser.add_argument(
        "--styles",
        action="append",
        default=[],
        metavar="MAP",
        help="rename a style: old=new, DATASET/old=new for one dataset, or a TOML file of such "
        "pairs (may be given again)",
    )
    parser.add_argument(
        "--min-style-notes",
        type=_count,
        metavar="N",
        help="styles with fewer notes become 'other' (default: 20000, less in a small set)",
    )
    parser.add_argument(
        "--exclude",
        nargs="+",
        default=[],
        metavar="NAME",
        help="datasets (manifest column, or top folders) to leave out",
    )
    parser.add_argument(
        "--min-notes", type=_count, default=16, metavar="N", help="leave out shorter files (16)"
    )
    parser.add_argument("--seed", type=int, default=0, help="another split of the pieces (0)")
    parser.add_argument(
        "--jobs",
        type=_count,
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes (default: one a core)",
    )
    parser.add_argument("--force", action="store_true", help="replace an existing dataset")
    parser.add_argument("--json", action="store_true", help="print the statistics as JSON")


def run(args: argparse.Namespace) -> int:
    from export.data import report
    from export.data.build import DatasetOptions, build
    from export.data.frames import build_frames, is_frames
    from export.data.styles import read_mapping

    options = DatasetOptions(
        manifest=args.manifest,
        styles=read_mapping(args.styles),
        least_style_notes=args.min_style_notes,
        exclude=tuple(args.exclude),
        representation=args.representation,
        least_notes=args.min_notes,
        seed=args.seed,
        jobs=args.jobs,
        force=args.force,
    )
    if is_frames(args.places):
        figures = build_frames(args.places[0], args.output, args.grid, options)
    else:
        figures = build(args.places, args.output, options)
    if args.json:
        print(json.dumps(figures, ensure_ascii=False))
    else:
        print(report.summary(figures))
        print(f"{args.output}: see report.txt and report.png in it")
        print(f'next: perpetuo train CONFIG.toml with data = "{args.output}"')
    return 0


def _count(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise argparse.ArgumentTypeError(f"'{text}' is no count: give 0 or more")
    return number
