"""`perpetuo serve`: streams that play on time, until it is told to stop."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import PerpetuoError

if TYPE_CHECKING:
    from server.configuration.settings import Configuration
    from server.serving.server import OpenedServer

HELP = "Play without end: into MIDI, OSC and browsers."
EPILOG = """\
examples:
  perpetuo serve                        one station, the page at http://127.0.0.1:8770
  perpetuo serve --preset ambient       with another preset, see 'perpetuo presets'
  perpetuo serve configs/radio.toml     several stations
  perpetuo serve --port 8780            a second server beside the first
  perpetuo serve --check my.toml        only say whether a configuration is right

Ctrl-C ends it; started again it goes on at the bar where it was. SIGHUP reads the presets again.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "configuration", nargs="?", type=Path, metavar="CONFIG.toml", help="what to serve"
    )
    parser.add_argument(
        "--check", action="store_true", help="say whether the configuration is right, and end"
    )
    parser.add_argument("--port", type=int, help="of the page and the WebSocket; 0: any")
    parser.add_argument("--osc-port", type=int, metavar="PORT", help="of OSC; 0: any")
    parser.add_argument("--preset", help="that the first station begins with")
    parser.add_argument("--seed", type=int, help="of the first station: which music")
    parser.add_argument("--model", help="a model by name, or an .onnx file")
    parser.add_argument(
        "--soundfont",
        type=Path,
        metavar="NAME",
        help="instruments: a name as in 'perpetuo sounds', or a file",
    )
    parser.add_argument("--max-streams", type=int, metavar="N", help="most own streams at once")
    parser.add_argument(
        "--state", type=Path, metavar="FOLDER", help="where snapshots, seeds and logs are kept"
    )
    parser.add_argument(
        "--speed",
        type=_speed,
        default=1.0,
        metavar="TIMES",
        help="as fast as time everything runs, 1 to 100; for soak tests",
    )


def run(args: argparse.Namespace) -> int:
    import asyncio

    from msgspec.structs import replace

    from server.serving.logs import set_up

    configuration = configured(args)
    if args.port and configuration.state is None:
        configuration = replace(configuration, state=_memory(configuration.state_folder, args.port))
    if args.check:
        names = [station.name for station in configuration.stations]
        print(f"{args.configuration or 'the default configuration'} is right: {_told(names)}")
        return 0
    if sys.platform == "win32":
        raise PerpetuoError(
            "perpetuo serve does not run on Windows itself yet: run it in WSL, where this command "
            "is the same"
        )
    set_up(configuration.log_level, configuration.log_format)
    return asyncio.run(_serve(configuration, args.speed))


def configured(args: argparse.Namespace) -> Configuration:
    """The configuration of the file, with what the command line says in its place."""
    from msgspec.structs import replace

    from server.configuration.loading import checked, load

    configuration = load(args.configuration)
    first, *others = configuration.stations
    if args.preset is not None:
        first = replace(first, preset=args.preset, title="")
    if args.seed is not None:
        first = replace(first, seed=args.seed)
    changes = {
        "stations": (first, *others),
        "model": args.model,
        "max_streams": args.max_streams,
        "state": args.state,
    }
    changed = replace(configuration, **{k: v for k, v in changes.items() if v is not None})
    if args.port is not None:
        changed = replace(changed, web=replace(changed.web, port=args.port))
    if args.osc_port is not None:
        changed = replace(changed, osc=replace(changed.osc, port=args.osc_port))
    if args.soundfont is not None:
        changed = replace(changed, audio=replace(changed.audio, soundfont=args.soundfont))
    return checked(changed, "command line")


def _memory(usual: Path, port: int) -> Path:
    """The folder of a server that was given a port and no folder: the usual one, or one of its own
    if another server has that."""
    from common.folder_lock import FolderLock

    try:
        with FolderLock(usual, "server", "give this one another"):
            return usual
    except PerpetuoError:
        return usual / f"port-{port}"
    except OSError:  # it is not there, or of no use, which will be told
        return usual


async def _serve(configuration: Configuration, speed: float) -> int:
    import asyncio
    import gc
    import signal

    from server.serving.server import Server

    server = Server(configuration, speed)
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in ("SIGINT", "SIGTERM"):
        loop.add_signal_handler(getattr(signal, name), told.set)
    loop.add_signal_handler(signal.SIGHUP, server.reload_or_say)
    opened = await server.open()
    try:
        print(_greeting(opened, configuration), flush=True)
        # What is there by now stays. To look through all of it would take so long that notes are
        # late.
        gc.freeze()
        await told.wait()
        print("ending: every note is let go, every station saved", flush=True)
    finally:  # whoever read what is printed may be gone
        await server.close()
    return 0


def _greeting(opened: OpenedServer, configuration: Configuration) -> str:
    state = configuration.state_folder
    lines = [
        f"perpetuo plays {_told(opened.stations)}",
        f"  page      {opened.page}",
        *(f"            {other} for other machines" for other in opened.others),
        *(f"  MIDI      {line}" for line in opened.midi),
        f"  OSC       {opened.osc}",
        f"  sound     {opened.sound}",
        f"  model     {opened.model}: {opened.speed:,.0f} notes a second",
        f"  memory    {state}",
        *([f"  warning   {opened.openness}"] if opened.openness else []),
        "Ctrl-C ends it.",
    ]
    return "\n".join(lines)


def _told(stations: Sequence[str]) -> str:
    return f"{len(stations)} station{'s' if len(stations) > 1 else ''}: {', '.join(stations)}"


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 1 <= speed <= 100:
        raise argparse.ArgumentTypeError(f"'{text}' must be a number from 1 to 100")
    return speed
