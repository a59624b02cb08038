"""`perpetuo train`: learn a network from a prepared dataset."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "train a network on a prepared dataset"
EPILOG = """\
examples:
  perpetuo train configs/train/small.toml          run it, or resume it where it was
  perpetuo train run.toml --set steps=500          the same with one value changed
  perpetuo train run.toml --restart                begin anew

A run is a folder: best.pt, last.pt, log.csv, curves.png. Interrupt it whenever you like: the same
command goes on from the last checkpoint. Then: perpetuo export RUN/best.pt -o model.onnx
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="CONFIG.toml", help="what to train")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change one value of the configuration (may be given again)",
    )
    parser.add_argument("--restart", action="store_true", help="ignore the run's checkpoints")


def run(args: argparse.Namespace) -> int:
    from export.training.config import load, override

    config = override(load(args.config), args.set)
    print("loading torch …", flush=True)
    from export.training.trainer import train

    best = train(config, restart=args.restart)
    print(f"best checkpoint: {best}\nnext: perpetuo export {best} -o {config.name}.onnx")
    return 0
