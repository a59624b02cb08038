"""`perpetuo surface`: all controls as faders and buttons, for Open Stage Control."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "write a control surface for Open Stage Control"
EPILOG = """\
examples:
  perpetuo surface -o perpetuo.json                       of 'perpetuo serve' without configuration
  perpetuo surface configs/radio.toml --station quartet -o quartet.json
  open-stage-control --load perpetuo.json --send 127.0.0.1:8771

The surface shows every control as it is, whoever turns it, and has the presets of the configuration
and the styles of the station's model.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "configuration", nargs="?", type=Path, metavar="CONFIG.toml", help="what is served"
    )
    parser.add_argument("--station", metavar="NAME", help="which of its stations (the first)")
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE.json", help="'-' for standard output"
    )
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")


def run(args: argparse.Namespace) -> int:
    from common.errors import ConfigError
    from common.words import nearest
    from engine.library.bars import open_model
    from engine.library.presets import load_presets
    from server.base.console import deliver, refuse
    from server.configuration.loading import load
    from server.osc.surface import Surface

    refuse(args.output, force=args.force)
    configuration = load(args.configuration)
    stations = {station.name: station for station in configuration.stations}
    name = args.station or configuration.stations[0].name
    if name not in stations:
        raise ConfigError(f"there is no station '{name[:40]}': {nearest(name, stations)}")
    model = stations[name].model or configuration.model
    styles = open_model(model).specification.styles
    surface = Surface(name, tuple(load_presets(configuration.presets)), styles)
    deliver(args.output, surface.text().encode(), force=args.force)
    return 0
