"""`perpetuo models`: which models are at hand, and everything that is known of one."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import BundleError, PerpetuoError
from engine.library.models import embedded_models, model_file, models_in
from server.base.console import columns, paint

if TYPE_CHECKING:
    from engine.network.runtime import Network

HELP = "list models, or show everything about one"
EPILOG = """\
examples:
  perpetuo models                         the embedded models
  perpetuo models runs/ more/             those and the ones in two folders
  perpetuo models inspect mine.onnx       everything about one
  perpetuo models inspect mine.onnx --json
"""
LABEL = 16  # columns of the labels in the page about one model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = f"{parser.prog} [FOLDER …] [--json]\n       {parser.prog} inspect MODEL [--json]"
    parser.add_argument(
        "words",
        nargs="*",
        metavar="FOLDER | inspect MODEL",
        help="folders to list beside the embedded models, or the model to show: a file, or the "
        "name of an embedded one",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    if args.words[:1] == ["inspect"]:
        if len(args.words) != 2:
            raise BundleError("inspect shows one model: perpetuo models inspect MODEL")
        return _inspect(model_file(args.words[1]), as_json=args.json)
    paths = embedded_models()
    for folder in args.words:
        paths += models_in(Path(folder))
    if not paths:
        raise BundleError("no model is embedded here: name a folder that has some")
    return _list(paths, as_json=args.json)


# -- the list ----------------------------------------------------------------------------------


def _list(paths: list[Path], *, as_json: bool) -> int:
    rows = [_row(path) for path in paths]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return 0
    for row in rows:
        if "error" in row:
            print(f"{paint(Path(row['file']).stem, 'red')}  {row['error']}")
            continue
        styles = ", ".join(row["styles"]) or "none"
        print(
            f"{paint(row['name'], 'bold')}  {row['network']} × {row['representation']}, "
            f"{row['parameters'] / 1e6:.1f} M parameters in {row['bits']} bits, "
            f"{row['bytes'] / 1e6:.1f} MB"
        )
        for said in filter(None, (row["about"], f"styles: {styles}")):
            print(textwrap.fill(said, columns(), initial_indent="  ", subsequent_indent="  "))
        print(f"  {row['file']}")
    return 0


def _row(path: Path) -> dict[str, Any]:
    """What the list says of a file; a file that is no model is listed with the reason."""
    from engine.library.loading import load_network

    try:
        network = load_network(path)
    except PerpetuoError as error:
        return {"file": str(path), "error": str(error)}
    spec = network.specification
    return {
        "name": spec.name,
        "file": str(path),
        "network": spec.network,
        "representation": spec.codec,
        "parameters": spec.parameters,
        "bits": spec.bits,
        "about": str(spec.card.get("about", "")),
        "styles": list(spec.styles),
        "bytes": network.size,
    }


# -- one model ---------------------------------------------------------------------------------


def _inspect(path: Path, *, as_json: bool) -> int:
    from engine.library.loading import load_network

    network = load_network(path)
    if as_json:
        print(json.dumps(_everything(path, network), ensure_ascii=False, indent=2))
    else:
        print("\n".join(_page(path, network)))
    return 0


def _everything(path: Path, network: Network) -> dict[str, Any]:
    from engine.composing.following import unfollowed

    spec = network.specification
    return {
        "file": str(path),
        "bytes": network.size,
        "sha256": network.digest,
        "sealed": network.is_sealed,
        "planner_bytes": len(network.planner),
        "state_bytes": network.pool(1).state_bytes,
        "controls": _learned_controls(network),
        "unfollowed": unfollowed(spec),
        "vocabularies": {field.name: field.help for field in spec.open_codec().fields},
        **asdict(spec),
    }


def _learned_controls(network: Network) -> list[str]:
    """The controls that this network has learned to follow."""
    from engine.composing.following import unfollowed
    from engine.controls.table import CONDITIONING, CONTROLS

    spec = network.specification
    fields = {name for name, _ in spec.context}
    # Controls whose field goes by another name.
    told = fields | {"chords", "bars_per_chord", "style"}
    told -= unfollowed(spec).keys()
    return [c.name for c in CONTROLS if c.role == CONDITIONING and c.name in told]


def _page(path: Path, network: Network) -> Iterator[str]:
    from engine.composing.following import unfollowed
    from engine.music.fields import CONTEXT

    spec = network.specification
    yield paint(spec.name, "bold")
    yield from _entry("file", f"{path}, {network.size / 1e6:.1f} MB")
    yield from _entry("sha256", network.digest)
    held = "inside, and right" if network.is_sealed else "none inside: exported before there were"
    yield from _entry("checksum", held)
    yield from _entry("bundle version", str(spec.version))
    yield from _entry(
        "network", f"{spec.network}, {spec.parameters:,} parameters in {spec.bits} bits"
    )
    if spec.window:
        yield from _entry("attention", f"window of {spec.window} events, ring of {spec.ring}")
    yield from _entry("planner", f"{len(network.planner)} bytes" if network.planner else "none")
    yield from _entry("styles", ", ".join(spec.styles) or "none")
    followed = (_with_figure(name, spec.follows) for name in _learned_controls(network))
    yield from _entry("follows", ", ".join(followed) or "no control")
    for reason in dict.fromkeys(unfollowed(spec).values()):
        names = [name for name, why in unfollowed(spec).items() if why == reason]
        yield from _entry("refuses", f"{', '.join(names)}: {reason}")
    yield ""
    yield paint(f"one event of '{spec.codec}', fields in the order they are drawn", "bold")
    for field in spec.open_codec().fields:
        yield from _entry(field.name, f"{field.size} values: {field.help}")
    yield ""
    yield paint("told at every step", "bold")
    for name, size in spec.context:
        yield from _entry(name, f"{size} values: {CONTEXT[name].help}")
    yield ""
    yield paint(f"state, {network.pool(1).state_bytes:,} bytes a stream", "bold")
    for state in spec.states:
        yield from _entry(state.name, f"{' × '.join(map(str, state.shape))}, {state.kind}")
    if spec.card:
        yield ""
        yield paint("card", "bold")
        yield from _tree(spec.card, 1)


def _with_figure(name: str, figures: Mapping[str, float]) -> str:
    return f"{name} ({figures[name]:.2f})" if name in figures else name


def _tree(value: dict[str, Any], depth: int) -> Iterator[str]:
    """A nested table, one line a value."""
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield f"{'  ' * depth}{name}"
            yield from _tree(inner, depth + 1)
        elif isinstance(inner, list) and any(isinstance(item, dict) for item in inner):
            yield f"{'  ' * depth}{name}"
            yield from _tree({str(i + 1): item for i, item in enumerate(inner)}, depth + 1)
        else:
            text = ", ".join(map(_spelled, inner)) if isinstance(inner, list) else _spelled(inner)
            yield from _entry(name, text, depth)


def _spelled(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _entry(label: str, text: str, depth: int = 1) -> Iterator[str]:
    indent = 2 * depth + LABEL
    first, *more = textwrap.wrap(text, max(30, columns() - indent)) or [""]
    yield f"{'  ' * depth}{label:<{LABEL - 1}} {first}".rstrip()
    yield from (" " * indent + line for line in more)
