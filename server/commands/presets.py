"""`perpetuo presets`: what music can be asked for by name."""

from __future__ import annotations

import argparse
import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from server.base.console import columns, paint

if TYPE_CHECKING:
    from engine.library.by_seed import BySeed, Choice
    from engine.library.presets import Preset

HELP = "list the presets, or show what one sets"
EPILOG = """\
examples:
  perpetuo presets                        every preset with what it sounds like
  perpetuo presets study                  the controls that one sets
  perpetuo presets mine.toml              the same of a file of your own
  perpetuo presets --folder mine/         those of a folder beside the shipped ones
  perpetuo compose --preset study -o study.mid
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="the preset, or file, to show")
    parser.add_argument("--folder", type=Path, help="also presets of this folder")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from engine.library.presets import load_presets, preset_named

    if args.name is not None:
        preset = preset_named(args.name, args.folder)
        print(_json([preset])[0] if args.json else _page(preset))
        return 0
    presets = list(load_presets(args.folder).values())
    print("[" + ",\n ".join(_json(presets)) + "]" if args.json else _list(presets))
    return 0


def _json(presets: list[Preset]) -> list[str]:
    return [
        json.dumps(
            {
                "name": p.name,
                "title": p.title,
                "help": p.help,
                "model": p.model,
                "controls": dict(p.controls),
                "by_seed": list(p.by_seed.names),
            },
            ensure_ascii=False,
        )
        for p in presets
    ]


def _list(presets: list[Preset]) -> str:
    """One line a preset; long sentences go on below themselves."""
    width = max(len(preset.name) for preset in presets)
    lines: list[str] = []
    for preset in presets:
        first, *more = textwrap.wrap(preset.help, max(30, columns() - width - 2))
        lines.append(f"{paint(f'{preset.name:<{width}}', 'cyan')}  {first}")
        lines += [" " * (width + 2) + line for line in more]
    return "\n".join(lines)


def _page(preset: Preset) -> str:
    from engine.controls.controls import Controls

    setting = Controls.from_dict(preset.controls)
    width = max(map(len, preset.controls), default=0)
    lines = [paint(preset.title, "bold"), *textwrap.wrap(preset.help, columns() - 2), ""]
    if preset.model is not None:
        lines[-1:] = [f"Made for the model {preset.model}.", ""]
    lines += [f"  {name:<{width}}  {setting.spelled(name)}" for name in preset.controls]
    return "\n".join((*lines, *_by_seed(preset.by_seed)))


def _by_seed(chosen: BySeed) -> list[str]:
    """What the seed chooses: a paragraph for each control, and for values that go together."""
    if not chosen.names:
        return []
    lines = ["", f"By seed: {', '.join(chosen.names)}."]
    paragraphs = [f"{name}: {_spelled(name, one)}" for name, one in chosen.alone.items()]
    paragraphs += [
        ", ".join(f"{name} {_spelled(name, one)}" for name, one in together.items())
        for together in chosen.sets
    ]
    for paragraph in paragraphs:
        lines += textwrap.wrap(
            paragraph, columns() - 2, initial_indent="- ", subsequent_indent="  "
        )
    return lines


def _spelled(name: str, choice: Choice) -> str:
    from engine.controls.controls import CONTROL
    from engine.library.by_seed import Between

    spelled = [CONTROL[name].spell(CONTROL[name].parse(value)) for value in choice.ends()]
    return " to ".join(spelled) if isinstance(choice, Between) else " or ".join(spelled)
