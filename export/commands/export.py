"""`perpetuo export`: a checkpoint becomes one .onnx file."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

HELP = "write a checkpoint as one .onnx bundle and prove it"
EPILOG = """\
examples:
  perpetuo export runs/small/best.pt -o small.onnx             8 bits a weight
  perpetuo export runs/small/best.pt -o exact.onnx --bits 32   full precision
  perpetuo export runs/small/best.pt -o mine.onnx --card sources.toml --card mine.toml
  perpetuo export small.onnx --follows report.json -o told.onnx   a bundle, with figures
  perpetuo compose --model small.onnx -o first.mid

The planner's table is learned from the dataset that the run was trained on; name it with --data if
it has moved. Nothing is written unless onnxruntime computes what torch does.

What 'perpetuo evaluate MODEL DATA --json' has printed goes into a bundle with --follows: how far it
follows each control. What it follows hardly better than by chance is then refused, not played.

Licences, credits and sources of a model that a training began with go on to the card, and so do the
licences that the manifest of its music names; a licence that may not follow them is refused.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "checkpoint",
        type=Path,
        metavar="CHECKPOINT",
        help="best.pt of a run; with --follows also a bundle",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.onnx")
    parser.add_argument(
        "--bits", type=int, choices=(8, 4, 32), default=8, help="bits a weight (default 8)"
    )
    parser.add_argument("--data", metavar="DATASET", help="the prepared dataset, if it has moved")
    parser.add_argument(
        "--card",
        type=Path,
        action="append",
        default=[],
        metavar="CARD.toml",
        help="licence, credits and the like, to be shown (again: more, and what is later wins)",
    )
    parser.add_argument(
        "--follows",
        type=Path,
        metavar="REPORT.json",
        help="a report of 'perpetuo evaluate --json', whose figures the bundle is to carry",
    )
    parser.add_argument("--force", action="store_true", help="overwrite FILE.onnx")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run(args: argparse.Namespace) -> int:
    from dataclasses import replace

    from common.files import refuse_existing, write_whole
    from export.data.dataset import Dataset
    from export.data.planner_statistics import learn
    from export.evaluation.following import read_follows
    from export.networks.bundling import prove, read_card, real_music, specification_of
    from export.training.run_folder import load_checkpoint

    refuse_existing(args.output, force=args.force)
    figures_of = read_follows(args.follows) if args.follows else {}
    if figures_of and args.checkpoint.suffix == ".onnx":
        return _tell(args, figures_of)
    card = {key: value for path in args.card for key, value in read_card(path).items()}
    network, saved = load_checkpoint(args.checkpoint)
    dataset = Dataset.open(args.data or saved["config"]["data"])
    specification = specification_of(network, saved, args.bits, card)
    specification = replace(specification, follows=figures_of)
    licence, not_known = (specification.card.get(key) for key in ("licence", "not_known"))
    for what in not_known or ():
        print(f"not known, and so it says on the card: {what}", file=sys.stderr)
    music = real_music(network, dataset)
    data, proof = prove(network, specification, learn(dataset).to_bytes(), music)
    write_whole(args.output, data, force=args.force)
    figures = {
        "file": str(args.output),
        "bytes": len(data),
        "bits": args.bits,
        "parameters": specification.parameters,
        "licence": licence,
        "not_known": not_known or [],
        "proved_steps": proof.steps,
        "largest_deviation": proof.deviation,
        "divergence": proof.divergence,
    }
    if args.json:
        print(json.dumps(figures, ensure_ascii=False))
        return 0
    print(f"{args.output}: {len(data) / 1e6:.1f} MB, {specification.parameters:,} parameters")
    print(f"licence: {licence or 'none named'}; whole card: perpetuo models inspect {args.output}")
    print(f"torch and onnxruntime differ by at most {proof.deviation:.1e} over {proof.steps} steps")
    if proof.divergence:
        by_field = ", ".join(f"{name} {value:.4f}" for name, value in proof.divergence.items())
        print(f"KL divergence from full precision, nats a field: {by_field}")
    return 0


def _tell(args: argparse.Namespace, figures: dict[str, float]) -> int:
    """A bundle once more, with figures of what it follows."""
    from common.files import MODEL, read_bytes, write_whole
    from export.networks.bundling import with_follows

    data = with_follows(read_bytes(args.checkpoint, MODEL), figures, str(args.checkpoint))
    write_whole(args.output, data, force=args.force)
    told = {"file": str(args.output), "bytes": len(data), "follows": figures}
    if args.json:
        print(json.dumps(told, ensure_ascii=False))
    else:
        said = ", ".join(f"{name} {figure:.2f}" for name, figure in figures.items())
        print(f"{args.output}: {len(data) / 1e6:.1f} MB; follows: {said}")
    return 0
