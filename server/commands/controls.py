"""`perpetuo controls`: what can be steered, from the one table."""

from __future__ import annotations

import argparse
import json
import textwrap
from typing import TYPE_CHECKING

from server.base.console import columns, paint

if TYPE_CHECKING:
    from engine.controls.values import Control

HELP = "list what can be steered, or explain one control"
EPILOG = """\
examples:
  perpetuo controls                       every control with its default and range
  perpetuo controls chords                all about one
  perpetuo controls --json                the table for programs
  perpetuo controls --model performance   what this model follows, and what not

A control is set with --set NAME=VALUE where music is composed, and left open with the value auto.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="the control to explain")
    parser.add_argument(
        "--model", metavar="MODEL", help="say what this model follows: a .onnx file or a name"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from engine.controls.controls import control_named
    from engine.controls.reference import describe
    from engine.controls.table import CONTROLS

    chosen = CONTROLS if args.name is None else (control_named(args.name),)
    refused, figures = _follows(args.model) if args.model else ({}, {})
    if args.json:
        rows = describe(chosen)
        for row in rows if args.model else ():
            name = str(row["name"])
            row |= {"follows": name not in refused, "why": refused.get(name, "")}
            row["obedience"] = figures.get(name)
        print(json.dumps(rows if args.name is None else rows[0], ensure_ascii=False, indent=2))
    elif args.name is None:
        print("\n".join(_table(tuple(c for c in chosen if c.name not in refused))))
        if args.model:
            print("\n".join(_refusals(args.model)))
    else:
        print("\n".join(_explanation(chosen[0])))
        if args.model:
            said = _said(chosen[0].name, refused, figures)
            print("\n".join(textwrap.wrap(said, columns() - 2)))
    return 0


def _follows(model: str) -> tuple[dict[str, str], dict[str, float]]:
    """A sentence for each control that a model does not follow; measured obedience of others."""
    from engine.composing.following import sentence, unfollowed
    from engine.library.bars import open_model

    spec = open_model(model).specification
    refused = {name: sentence(spec, name, reason) for name, reason in unfollowed(spec).items()}
    return refused, spec.follows


def _refusals(model: str) -> list[str]:
    """Which controls a model does not follow, and why."""
    from engine.composing.following import unfollowed
    from engine.library.bars import open_model

    spec = open_model(model).specification
    reasons = unfollowed(spec)
    if not reasons:
        return ["", f"the model '{spec.name}' follows all of them"]
    width = max(map(len, reasons)) + 2
    lines = ["", paint(f"not followed by the model '{spec.name}', and refused", "bold")]
    return lines + [f"  {name:<{width}}{reason}" for name, reason in reasons.items()]


def _said(name: str, refused: dict[str, str], figures: dict[str, float]) -> str:
    if name in refused:
        return refused[name]
    measured = f"; measured: {figures[name]:.2f}, where chance is 0" if name in figures else ""
    return f"the model follows {name}{measured}"


def _table(controls: tuple[Control, ...]) -> list[str]:
    """One line a control under the names of the groups; long help goes on below itself."""
    cells = [(c.name, c.spell(c.default), _range(c)) for c in controls]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    indent = " " * (2 + sum(width + 2 for width in widths))
    lines: list[str] = []
    group = ""
    for control, row in zip(controls, cells, strict=True):
        if control.group != group:
            group = control.group
            lines += ["", paint(group, "bold")] if lines else [paint(group, "bold")]
        name, default, span = (f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True))
        text = textwrap.wrap(control.help, max(30, columns() - len(indent)))
        lines.append(f"  {paint(name, 'cyan')}  {default}  {span}  {text[0]}")
        lines += [indent + more for more in text[1:]]
    return lines


def _range(control: Control) -> str:
    """The range of a number, the kind of anything else."""
    from common.words import number_text
    from engine.controls.kinds import INTEGER, NUMBER, PER_FIELD

    if control.kind not in (INTEGER, NUMBER, PER_FIELD):
        return control.kind.name
    return f"{number_text(control.low)} … {number_text(control.high)}"


def _explanation(control: Control) -> list[str]:
    from engine.controls.table import ROLES

    rows = {
        "default": control.spell(control.default),
        "accepts": control.form,
        "role": f"{control.role}: {ROLES[control.role]}",
        "varies by": control.per or "",
    }
    lines = [paint(control.name, "bold"), *textwrap.wrap(control.help, columns() - 2)]
    for name, text in rows.items():
        if text:
            wrapped = textwrap.wrap(text, max(30, columns() - 13))
            lines.append(f"  {name:<9}  {wrapped[0]}")
            lines += [" " * 13 + more for more in wrapped[1:]]
    return lines
