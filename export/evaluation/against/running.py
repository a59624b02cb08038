"""Runs what `perpetuo evaluate MODEL --against DATA` asks for, and tells it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

from common.files import write_whole
from engine.network.runtime import Network
from export.data.dataset import META
from export.evaluation.against import minutes
from export.evaluation.against.comparing import RealSide, against, to_json
from export.evaluation.against.modes import MODES, modes
from export.evaluation.against.prompts import AFTER, prompted
from export.evaluation.against.text import minutes_text, text
from export.evaluation.composing import SettingOf
from export.evaluation.music import opened, read_music
from export.evaluation.pictures import against_picture, minutes_picture
from export.evaluation.whole import showing

BARS = 64  # of each stream, unless others are asked for


def run_against(
    args: argparse.Namespace, network: Network, presets: Mapping[str, SettingOf]
) -> int:
    real = _real_side(args, network)
    if args.minutes:
        return _over_minutes(args, network, presets, real)
    bars, seeds = args.bars or BARS, range(args.seed, args.seed + args.seeds)
    total = bars * (len(seeds) * len(presets) + args.modes * len(MODES)) + AFTER * args.prompts
    with showing("presets", total, "bars") as progress:
        rows = against(network, presets, real, seeds, bars, progress)
        in_modes = modes(network, range(args.seed, args.seed + args.modes), bars, progress)
        found = prompted(network, real.scores(), args.prompts, args.seed, progress)
    print(to_json(rows, found, in_modes) if args.json else text(rows, found, in_modes))
    _draw(args, lambda: against_picture(rows))
    return 0


def _over_minutes(
    args: argparse.Namespace, network: Network, presets: Mapping[str, SettingOf], real: RealSide
) -> int:
    seeds = range(args.seed, args.seed + args.seeds)
    with showing("presets", args.minutes * len(seeds) * len(presets), "minutes") as progress:
        rows = minutes.over_minutes(network, presets, real, seeds, args.minutes, progress)
    print(minutes.to_json(rows) if args.json else minutes_text(rows))
    _draw(args, lambda: minutes_picture(rows))
    return 0


def _real_side(args: argparse.Namespace, network: Network) -> RealSide:
    split = args.split if (args.against / META).is_file() else "test"
    with opened(args.against, network.specification.codec) as dataset:
        return RealSide(read_music(dataset, split, dataset.codec, 0, args.seed))


def _draw(args: argparse.Namespace, picture: Callable[[], bytes]) -> None:
    if args.png is not None:
        write_whole(args.png, picture(), force=args.force)
