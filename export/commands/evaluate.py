"""`perpetuo evaluate`: how good a model is, in figures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.network.runtime import Network
    from export.evaluation.composing import SettingOf

HELP = "measure a model against real music"
EPILOG = """\
examples:
  perpetuo evaluate model.onnx DATASET --quick             a first look, in a minute
  perpetuo evaluate model.onnx DATASET --baselines --png figures.png
  perpetuo evaluate model.onnx ~/midi --train DATASET      real music from files
  perpetuo evaluate model.onnx DATASET --bars 0 --json     likelihood alone
  perpetuo evaluate model.onnx DATASET --bars 0 --notes 0 --endurance 10000
  perpetuo evaluate default --presets configs/presets/*.toml --endurance 20000 --seeds 5
  perpetuo evaluate default --against DATASET --seeds 10     all presets, told from real music?
  perpetuo evaluate default --against DATASET --minutes 30 --seeds 3

DATA is a set prepared by 'perpetuo data' or a folder of MIDI or MusicXML. What the figures mean
stands in docs/evaluation.md. Lower nats and higher overlaps are better; no overlap can be expected
to be much above its "real–real", which real music reaches against other real music. A warning says
where figures rest on too little music to mean anything; in JSON it stands under "warnings".
"""

# Notes, bars for each style, styles.
FULL, QUICK = (50_000, 256, 8), (10_000, 64, 3)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _add_music(parser)
    _add_figures(parser)
    _add_presets(parser)
    _add_output(parser)


def _add_music(parser: argparse.ArgumentParser) -> None:
    """What is measured, and against what."""
    parser.add_argument(
        "model", metavar="MODEL", help="a .onnx file or the name of an embedded model"
    )
    parser.add_argument(
        "data",
        type=Path,
        metavar="DATA",
        nargs="?",
        help="a prepared dataset, or a folder of music; not with --presets",
    )
    parser.add_argument(
        "--split",
        choices=("train", "valid", "test"),
        default="test",
        help="which pieces of a prepared dataset (default: test)",
    )
    parser.add_argument(
        "--train",
        type=Path,
        metavar="DATASET",
        help="training set, for copies and baselines (default: that of a prepared DATA)",
    )


def _add_figures(parser: argparse.ArgumentParser) -> None:
    """How much of everything."""
    parser.add_argument(
        "--notes",
        type=_count_or_all,
        metavar="N",
        help="notes to take the likelihood of, or 'all' (default: 50000; 0: leave it out)",
    )
    parser.add_argument(
        "--bars",
        type=_count,
        metavar="N",
        help="bars to compose for each style (default: 256; 0: compose nothing)",
    )
    parser.add_argument(
        "--styles", type=_count, metavar="N", help="most styles to compose in (default: 8)"
    )
    parser.add_argument(
        "--baselines", action="store_true", help="the unigram and a Markov model beside it"
    )
    parser.add_argument(
        "--endurance", type=_count, default=0, metavar="BARS", help="follow one stream so long"
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer notes, bars and styles, no search for copies"
    )


def _add_presets(parser: argparse.ArgumentParser) -> None:
    """Presets instead of the rest."""
    parser.add_argument(
        "--presets",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="instead of the rest, follow each of these presets for --endurance bars; with"
        " --against, the presets that are compared (default: those that come with perpetuo)",
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="DATA",
        help="instead of the rest, hold presets against this music: whether a learner tells them"
        " apart and by what, part-writing, form, variety; --bars of each of --seeds streams (64)",
    )
    parser.add_argument(
        "--prompts",
        type=_count,
        default=32,
        metavar="N",
        help="with --against: real beginnings to go on from (32)",
    )
    parser.add_argument(
        "--modes",
        type=_count,
        default=4,
        metavar="N",
        help="with --against: streams in each of four church modes (4)",
    )
    parser.add_argument(
        "--minutes",
        type=_count,
        default=0,
        metavar="N",
        help="with --against, instead of the rest of it: whether so many minutes of each of --seeds"
        " streams develop, and whether their voices stay apart",
    )
    parser.add_argument(
        "--seeds", type=_count, default=5, metavar="N", help="streams of each preset (5)"
    )
    parser.add_argument("--seed", type=_count, default=0, help="another choice of everything (0)")


def _add_output(parser: argparse.ArgumentParser) -> None:
    """What is told, and what computes."""
    parser.add_argument("--png", type=Path, metavar="OUT.png", help="draw the figures")
    parser.add_argument("--force", action="store_true", help="replace an existing picture")
    parser.add_argument("--json", action="store_true", help="print the whole report as JSON")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    parser.add_argument(
        "--threads", type=_count, default=2, metavar="N", help="threads of the network (2)"
    )


def run(args: argparse.Namespace) -> int:
    from common.errors import ConfigError
    from common.files import refuse_existing, write_whole
    from engine.library.models import model_file
    from export.data.dataset import META
    from export.evaluation.whole import EvaluationOptions, evaluate

    if args.png is not None:
        refuse_existing(args.png, force=args.force)
    if args.against is not None:
        return _against(args)
    if args.minutes:
        raise ConfigError("--minutes are held against real music: name it with --against DATA")
    if args.presets:
        return _follow(args)
    if args.data is None:
        raise ConfigError("there is nothing to compare with: name DATA, or --presets to follow")
    notes, bars, styles = QUICK if args.quick else FULL
    split = args.split if (args.data / META).is_file() else "test"
    options = EvaluationOptions(
        model=model_file(args.model),
        data=args.data,
        split=split,
        notes=notes if args.notes is None else args.notes,
        bars=bars if args.bars is None else args.bars,
        styles=styles if args.styles is None else args.styles,
        train=args.train,
        copies=not args.quick or args.train is not None,
        baselines=args.baselines,
        endurance=args.endurance,
        seed=args.seed,
        device=args.device,
        threads=args.threads,
    )
    if options.baselines and options.training is None:
        raise ConfigError("--baselines need a training set: name one with --train DATASET")
    report = evaluate(options)
    print(report.to_json() if args.json else report)
    for warning in report.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if args.png is not None:
        from export.evaluation.pictures import picture

        write_whole(args.png, picture(report), force=args.force)
    return 0


def _against(args: argparse.Namespace) -> int:
    """Presets against real music, and nothing else."""
    from common.errors import ConfigError
    from export.evaluation.against.running import run_against

    if args.data is not None:
        raise ConfigError("music is named once: leave out DATA, or --against")
    network, presets = _presets(args)
    return run_against(args, network, presets)


def _presets(args: argparse.Namespace) -> tuple[Network, dict[str, SettingOf]]:
    """The model, and the presets that are asked for and made for it."""
    from common.errors import ConfigError
    from engine.library.loading import load_network
    from engine.library.models import model_file
    from engine.library.presets import load_presets, read_preset

    network = load_network(model_file(args.model), args.device, args.threads)
    named = args.presets or ()
    read = {path.stem: read_preset(path) for path in named} or load_presets()
    presets: dict[str, SettingOf] = {
        name: preset.setting for name, preset in read.items() if preset.model in (None, args.model)
    }
    for name in read.keys() - presets.keys():
        print(f"{name} is left out: it is made for the model {read[name].model}", file=sys.stderr)
    if not presets:
        raise ConfigError(f"none of these presets is made for {args.model}: name others")
    return network, presets


def _follow(args: argparse.Namespace) -> int:
    """Presets over many bars, and nothing else."""
    import json

    from common.errors import ConfigError
    from common.files import write_whole
    from export.evaluation.lasting import last, text
    from export.evaluation.whole import showing

    if args.data is not None:
        raise ConfigError("--presets are compared with nothing: leave out DATA")
    if not (args.endurance and args.seeds):
        raise ConfigError("--presets are followed: say how long with --endurance BARS")
    network, presets = _presets(args)
    seeds = range(args.seed, args.seed + args.seeds)
    with showing("presets", args.endurance * len(seeds) * len(presets), "bars") as progress:
        rows = last(network, presets, seeds, args.endurance, progress)
    plain = [row.plain() for row in rows]
    print(json.dumps(plain, indent=1, ensure_ascii=False) if args.json else text(rows))
    if args.png is not None:
        from export.evaluation.pictures import lasting_picture

        write_whole(args.png, lasting_picture(rows), force=args.force)
    return 0


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is no count: give 0 or more")
    return int(text)


def _count_or_all(text: str) -> int:
    return -1 if text == "all" else _count(text)
