"""The command line of `perpetuo bench live`: which parts, how long, and what is printed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from server.benches.live.figures import Figures
from server.commands.compose import count

if TYPE_CHECKING:
    from server.benches.live.served import Setup
    from server.benches.live.streams import StreamsFigures

HELP = "measure a live server: real processes, driven from outside"
EPILOG = """\
parts:
  streams    own streams, each with a client that steers it once a minute: are all bars in time?
  hand       control changes at random moments: when are they answered and heard? With --loaded
             beside busy loops: are all heard where the server said, and replayed so?
  dispatch   lateness of notes beside 64 streams, alone and with every core loaded; over JACK
             too if jackd is installed
  start      from the start of the server to its first note; memory with one stream
  soak       one stream at 20 times the speed: does memory grow?
  audio      one station as MP3 to many listeners: what it takes, are there dropouts?

examples:
  perpetuo bench live                                       every part, some minutes
  perpetuo bench live streams --streams 200 --seconds 600
  perpetuo bench live streams --find --json  > figures.json
  perpetuo bench live hand --changes 1000
  perpetuo bench live hand --loaded
  perpetuo bench live soak --seconds 3600
  perpetuo bench live audio --listeners 500 --seconds 600

Clients and servers share this machine and its clock. Nothing else should run meanwhile.
"""
PARTS = ("streams", "hand", "dispatch", "start", "soak", "audio")
SECONDS = 60.0
STREAMS, FIRST, MOST = 50, 50, 4000
CHANGES = 1000
LISTENERS = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; none: all of them"
    )
    parser.add_argument("--model", default="default", help="a model by name, or an .onnx file")
    parser.add_argument(
        "--threads", type=count, default=1, metavar="N", help="threads of the network (default 1)"
    )
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=SECONDS,
        metavar="S",
        help=f"how long streams, dispatch, soak and audio last, each time (default {SECONDS:g})",
    )
    parser.add_argument(
        "--streams",
        type=count,
        metavar="N",
        help=f"own streams of the part streams (default {STREAMS}); where --find begins",
    )
    parser.add_argument(
        "--find", action="store_true", help="search for the largest number of streams that holds"
    )
    parser.add_argument(
        "--changes",
        type=_changes,
        default=CHANGES,
        metavar="N",
        help=f"changes of the part hand (default {CHANGES})",
    )
    parser.add_argument(
        "--loaded",
        action="store_true",
        help="the part hand beside three busy loops, with stations as configs/daw.toml has them;"
        " exit code 1 if a change is not heard where it was announced, or replayed otherwise",
    )
    parser.add_argument(
        "--listeners",
        type=count,
        default=LISTENERS,
        metavar="N",
        help=f"of the part audio (default {LISTENERS})",
    )
    parser.add_argument("--seed", type=int, default=1, help="of what hands turn (default 1)")
    # The parser before this one has the same option: left out here, it does not undo that one.
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")


def run(args: argparse.Namespace) -> int:
    from common.errors import StreamError
    from server.base.machine import machine
    from server.benches.live.pages import page
    from server.benches.live.processes import can_tell
    from server.benches.live.served import Setup

    if not can_tell():
        raise StreamError("live servers can be measured on Linux alone: it tells what they take")
    parts = _parts(args.parts)
    setup = Setup(model=_model(args.model), threads=args.threads)
    about = machine()
    figures = _measured(args, parts, setup)
    if args.json:
        whole = {"machine": about, "model": args.model, "threads": setup.threads}
        print(json.dumps({**whole, **figures.plain()}, ensure_ascii=False, indent=2))
    else:
        print("\n".join(page(about, figures)))
    return 0 if figures.loaded is None or figures.loaded.holds else 1


def _measured(args: argparse.Namespace, parts: tuple[str, ...], setup: Setup) -> Figures:
    from server.benches.live.dispatch import measure_dispatch
    from server.benches.live.listening import measure_audio
    from server.benches.live.starting import measure_soak, measure_start
    from server.benches.live.steering import measure_steering
    from server.benches.live.under_load import measure_under_load

    figures = Figures()
    with _telling() as tell:
        if "streams" in parts:
            _measure_streams(args, setup, tell, figures)
        if "hand" in parts and args.loaded:
            figures.loaded = measure_under_load(setup, args.changes, args.seed, tell)
        elif "hand" in parts:
            figures.hand = measure_steering(setup, args.changes, args.seed, tell)
        if "dispatch" in parts:
            figures.dispatch = [
                measure_dispatch(setup, args.seconds, loaded, tell) for loaded in (False, True)
            ]
        if "start" in parts:
            figures.start = measure_start(setup, tell)
        if "soak" in parts:
            figures.soak = measure_soak(setup, args.seconds, tell)
        if "audio" in parts:
            figures.audio = measure_audio(setup, args.listeners, args.seconds, tell)
    return figures


def _measure_streams(
    args: argparse.Namespace, setup: Setup, tell: Callable[[str], object], figures: Figures
) -> None:
    from server.benches.live.streams import measure_streams, search

    def tried(streams: int) -> StreamsFigures:
        found = measure_streams(setup, streams, args.seconds, tell)
        figures.streams.append(found)
        return found

    if args.find:
        figures.most = search(lambda n: tried(n).holds, args.streams or FIRST, MOST)
    else:
        tried(args.streams or STREAMS)


@contextmanager
def _telling() -> Iterator[Callable[[str], object]]:
    """Something to tell on a terminal what is being done."""
    from tqdm import tqdm

    with tqdm(bar_format="{desc} ({elapsed})", disable=None, leave=False) as progress:
        yield progress.set_description_str


# -- options -----------------------------------------------------------------------------------


def _parts(words: list[str]) -> tuple[str, ...]:
    from common.errors import ConfigError
    from common.words import nearest

    for word in words:
        if word not in PARTS:
            raise ConfigError(f"there is no part '{word}' of this bench: {nearest(word, PARTS)}")
    return tuple(part for part in PARTS if part in words) or PARTS


def _model(name: str) -> str:
    """The whole path of a model; a PerpetuoError if there is none."""
    from common.files import MODEL, look_at
    from engine.library.models import model_file

    path = model_file(name)
    look_at(path, MODEL)
    return str(path.absolute())


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"'{text}' must be a number of seconds, 1 or more")
    return seconds


def _changes(text: str) -> int:
    from server.benches.live.steering import MOST_CHANGES

    changes = count(text)
    if changes > MOST_CHANGES:
        raise argparse.ArgumentTypeError(f"'{text}' must be {MOST_CHANGES} at most")
    return changes
