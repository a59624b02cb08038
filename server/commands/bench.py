"""`perpetuo bench`: how fast this machine composes with a model, and what it takes."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from server.base.console import paint
from server.base.distribution import versions
from server.base.machine import machine
from server.commands import bench_live
from server.commands.cli import Parser, add_debug
from server.commands.compose import count

if TYPE_CHECKING:
    from server.benches.endurance import BarCost, BarCosts
    from server.benches.measuring import MeasuredSpeed

HELP = "measure how fast this machine composes"
EPILOG = """\
examples:
  perpetuo bench                             the embedded model, 1, 8, 64 and 256 streams
  perpetuo bench --model mine.onnx --streams 64 --seconds 20
  perpetuo bench --streams 1,64 --threads 1 --json  > figures.json
  perpetuo bench --endurance 100000          does a late bar cost what an early one did?
  perpetuo bench live                        a whole running server, see 'perpetuo bench live -h'

Everything goes through the whole composer: plan, masks, network, bar lines, guards. One stream is
timed from note to note; several are stepped together and share each call's time. 'outside' is the
share of time spent outside onnxruntime. 'floor' is the time a note of the network's matrix products
alone, and the factor how much the whole takes of it. Without --threads one stream gets 1 thread,
several get 2. Nothing else should run on the machine meanwhile: 'load' shows whether something did.
"""
DEFAULT_STREAMS = (1, 8, 64, 256)
DEFAULT_SECONDS = 5.0
MOST_STREAMS = 4096
LEAST_BARS = 40  # of an endurance run: fewer have no early and late parts


class _LiveParser(Parser):
    def __init__(self, prog: str, epilog: str) -> None:
        super().__init__(prog, bench_live.HELP, epilog)
        add_debug(self)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", metavar="MODEL", help="a .onnx file or the name of an embedded model"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="(default cpu)")
    parser.add_argument(
        "--streams",
        type=_streams,
        metavar="N,N…",
        help="how many streams at once, one row of the table each (default 1,8,64,256)",
    )
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=DEFAULT_SECONDS,
        metavar="S",
        help=f"how long each row composes (default {DEFAULT_SECONDS:g})",
    )
    parser.add_argument("--threads", type=count, metavar="N", help="threads of the network")
    parser.add_argument(
        "--endurance",
        type=_bars,
        metavar="BARS",
        help="let one stream compose so many bars and compare its end with its beginning; the "
        "table is left out unless --streams is given too",
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    _add_live(parser)


def _add_live(parser: argparse.ArgumentParser) -> None:
    """`perpetuo bench live …`, which has options of its own."""

    others = parser.add_subparsers(dest="what", metavar="live", parser_class=_LiveParser)
    live = others.add_parser("live", help=bench_live.HELP, epilog=bench_live.EPILOG)
    bench_live.add_arguments(live)


def run(args: argparse.Namespace) -> int:
    if args.what == "live":
        return bench_live.run(args)
    from common.files import MODEL, read_bytes
    from engine.library import DEFAULT_MODEL
    from engine.library.models import model_file
    from engine.network.runtime import Network

    path = model_file(args.model or DEFAULT_MODEL)
    bundle = read_bytes(path, MODEL)
    first = Network(bundle, str(path), args.device, args.threads or 1)
    about = {"model": _model(path, first), "machine": machine()}
    streams = args.streams or (() if args.endurance else DEFAULT_STREAMS)
    rows = _measured(args, bundle, streams)
    endurance = _endured(first, args.endurance) if args.endurance else None
    if args.json:
        figures = {
            **about,
            "versions": _versions(),
            "seconds": args.seconds,
            "rows": [asdict(row) for row in rows],
            "endurance": asdict(endurance) if endurance else None,
        }
        print(json.dumps(figures, ensure_ascii=False, indent=2))
        return 0
    print("\n".join(_heading(about)))
    if rows:
        print("", *_table(rows), sep="\n")
    if endurance:
        print("", *_page(endurance), sep="\n")
    return 0


def _measured(
    args: argparse.Namespace, bundle: bytes, streams: Sequence[int]
) -> list[MeasuredSpeed]:
    from tqdm import tqdm

    from engine.network.runtime import Network
    from server.benches.measuring import measure

    rows = []
    with tqdm(streams, unit="row", disable=None, leave=False) as progress:
        for number in progress:
            progress.set_description(f"{number} streams")
            threads = args.threads or _threads(number)
            # Loaded anew for each row: what one row makes the session hold is not the next one's.
            network = Network(bundle, args.model or "the model", args.device, threads)
            rows.append(measure(network, bundle, number, threads, args.seconds))
            del network
    return rows


def _endured(network: Any, bars: int) -> BarCosts:
    from tqdm import tqdm

    from server.benches.endurance import endure

    with tqdm(total=bars, unit="bar", disable=None, leave=False) as progress:
        return endure(network, bars, progress.update)


def _threads(streams: int) -> int:
    """One stream's products are too small to be shared among threads."""
    return 1 if streams == 1 else min(2, os.cpu_count() or 1)


# -- what was measured on what -----------------------------------------------------------------


def _model(path: Path, network: Any) -> dict[str, Any]:
    spec = network.specification
    return {
        "name": spec.name,
        "file": str(path),
        "sha256": network.digest,
        "bytes": network.size,
        "network": spec.network,
        "representation": spec.codec,
        "parameters": spec.parameters,
        "bits": spec.bits,
        "device": network.device,
    }


def _versions() -> dict[str, str]:
    found = versions(("perpetuo", "numpy", "onnxruntime", "onnxruntime-gpu"))
    installed = {name: version for name, version in found.items() if version is not None}
    return {"python": platform.python_version(), **installed}


# -- for readers -------------------------------------------------------------------------------


def _heading(about: dict[str, Any]) -> Iterator[str]:
    model, machine = about["model"], about["machine"]
    yield (
        f"{paint(model['name'], 'bold')}  {model['network']} × {model['representation']}, "
        f"{model['parameters'] / 1e6:.1f} M parameters in {model['bits']} bits, "
        f"sha256 {model['sha256'][:12]}"
    )
    load = "" if machine["load"] is None else f", load {machine['load']:g} before"
    yield f"{machine['cpu']}, {machine['cores']} cores{load}"
    yield ", ".join(f"{name} {version}" for name, version in _versions().items())


COLUMNS = (
    (
        "streams",
        "threads",
        "notes/s",
        "ms/note",
        "ms/note",
        "outside",
        "floor",
        "",
        "state",
        "grown",
    ),
    ("", "", "", "p50", "p99", "ort", "ms/note", "×", "MB each", "MB each"),
)


def _table(rows: Sequence[MeasuredSpeed]) -> Iterator[str]:
    for line in COLUMNS:
        yield paint(_line(line), "bold")
    for row in rows:
        yield _line(
            (
                f"{row.streams}",
                f"{row.threads}",
                f"{row.notes_per_second:,.0f}",
                f"{row.ms_p50:.3f}",
                f"{row.ms_p99:.3f}",
                f"{row.outside:.0%}",
                "–" if row.floor_ms is None else f"{row.floor_ms:.3f}",
                "–" if row.ratio is None else f"{row.ratio:.2f}",
                f"{row.state_bytes / 1e6:.2f}",
                "–" if row.resident_bytes is None else f"{row.resident_bytes / 1e6:.2f}",
            )
        )
    yield from dict.fromkeys(row.floor_note for row in rows if row.floor_note)


def _line(cells: Sequence[str]) -> str:
    return " ".join(f"{cell:>7}" for cell in cells).rstrip()


def _page(endurance: BarCosts) -> Iterator[str]:
    old, fresh = endurance.beside
    yield (
        f"{endurance.bars:,} bars, {endurance.notes:,} notes in {endurance.seconds:,.0f} s: "
        f"{endurance.music_seconds / 3600:,.1f} hours of music"
    )
    yield paint(f"{'':40} {'ms/note':>9} {'ms/bar line':>12}", "bold")
    yield _paced("bars", endurance.early)
    yield _paced("bars", endurance.late, endurance.early)
    yield "in turns, so that both meet the same machine:"
    yield _paced("a fresh stream, bars", fresh)
    yield _paced("this stream, bars", old, fresh)
    if endurance.resident_early is not None and endurance.resident_late is not None:
        early, late = endurance.resident_early / 1e6, endurance.resident_late / 1e6
        yield (
            f"own resident memory: {early:.1f} MB at bar {endurance.resident_bar:,}, "
            f"{late:.1f} MB at bar {endurance.bars:,}, {late - early:+.2f} MB"
        )


def _paced(what: str, pace: BarCost, before: BarCost | None = None) -> str:
    label = f"  {what} {pace.first:,} to {pace.last:,}"
    line = f"{label:40} {pace.step:9.3f} {pace.bar_line:12.3f}"
    if before is None:
        return line
    changes = [pace.step / before.step - 1, pace.bar_line / before.bar_line - 1]
    return f"{line}   {changes[0]:+.1%}, {changes[1]:+.1%}"


# -- options -----------------------------------------------------------------------------------


def _streams(text: str) -> tuple[int, ...]:
    numbers = text.split(",")
    for number in numbers:
        if not number.isdecimal() or not 1 <= int(number) <= MOST_STREAMS:
            raise argparse.ArgumentTypeError(
                f"'{text}' must be whole numbers from 1 to {MOST_STREAMS}, such as 1,8,64"
            )
    return tuple(map(int, numbers))


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"'{text}' must be a number of seconds above 0")
    return seconds


def _bars(text: str) -> int:
    bars = count(text)
    if bars < LEAST_BARS:
        raise argparse.ArgumentTypeError(f"'{text}' must be {LEAST_BARS} bars or more")
    return bars
