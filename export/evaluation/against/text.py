"""What was found, as tables to be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple

from export.evaluation.against.collapse import WHAT
from export.evaluation.against.comparing import Against
from export.evaluation.against.form import LAGS, Form
from export.evaluation.against.minutes import Minutes
from export.evaluation.against.modes import Mode
from export.evaluation.against.prompts import Prompted
from export.evaluation.against.two_sample import TwoSample
from export.evaluation.report import table

TOLD = 3  # features by which a preset is known


def text(rows: Sequence[Against], prompted: Prompted | None, modes: Sequence[Mode] = ()) -> str:
    blocks = [
        _tests(rows),
        _pairs(rows, "part-writing", lambda row: row.part_writing),
        _pairs(rows, "closes", lambda row: row.closes),
        _form(rows),
    ]
    if modes:
        blocks.append(_modes(modes))
    if prompted is not None:
        blocks.append(_prompts(prompted))
    return "\n\n".join(blocks)


def _tests(rows: Sequence[Against]) -> str:
    head = ("told from real", "AUC", "95 %", "real–real", "streams", "pieces", "styles", "by")
    return table(head, [(row.preset, *_test(row.test), *_basis(row)) for row in rows])


def _test(test: TwoSample | None) -> tuple[str, str, str]:
    if test is None:
        return "–", "–", "–"
    return f"{test.auc:.2f}", f"{test.low:.2f}–{test.high:.2f}", f"{test.control:.2f}"


def _basis(row: Against) -> tuple[str, str, str, str]:
    by = ", ".join(name for name, _ in row.test.by[:TOLD]) if row.test else "too little music"
    return str(row.streams), str(row.real_pieces), ", ".join(row.styles), by


def _pairs(
    rows: Sequence[Against],
    title: str,
    of: Callable[[Against], tuple[dict[str, float | None], dict[str, float | None]]],
) -> str:
    """A line a figure, composed and real beside each other for every preset."""
    if not rows:
        return ""
    head = [f"{title}, composed|real", *(row.preset for row in rows)]
    found = [of(row) for row in rows]
    names = list(found[0][0])
    lines = [
        [name, *(f"{_number(ours[name])}|{_number(theirs[name])}" for ours, theirs in found)]
        for name in names
    ]
    return table(head, lines)


def _form(rows: Sequence[Against]) -> str:
    pairs = _pairs(rows, "form", lambda row: (_flat(row.form[0]), _flat(row.form[1])))
    head = ["variety of streams", *(row.preset for row in rows)]
    lines = [
        ["spread, of real pieces'", *(_number(row.variety.spread) for row in rows)],
        ["keys", *(str(row.variety.keys) for row in rows)],
        ["tempos", *(str(row.variety.tempos) for row in rows)],
        ["metres", *(str(row.variety.metres) for row in rows)],
    ]
    return f"{pairs}\n\n{table(head, lines)}"


def _flat(form: Form) -> dict[str, float | None]:
    found = {f"alike after {lag}": form.similarity[lag] for lag in LAGS}
    return {**found, "in runs of like bars": form.runs, "variation of density": form.breath}


def _prompts(found: Prompted) -> str:
    head = (f"after {found.prompts} prompts", "motifs", "register", "density", "parts")
    sides = (("composed", found.composed), ("true", found.true))
    return table(head, [(name, *map(_number, astuple(side))) for name, side in sides])


def _modes(found: Sequence[Mode]) -> str:
    head = ("mode, its tonic in the bass", "sections", "phrases on it", "all", "commonest bass")
    lines = [
        (mode.key, *map(_number, (mode.sections, mode.phrases, mode.tonic)), mode.bass)
        for mode in found
    ]
    return table(head, lines)


def minutes_text(rows: Sequence[Minutes]) -> str:
    """What becomes of presets over many minutes."""
    head = ["blocks of three minutes|real", *(row.preset for row in rows)]
    lines = []
    for name in rows[0].blocks if rows else ():
        spreads = [f"{_fine(row.blocks[name])}|{_fine(row.real[name])}" for row in rows]
        lines.append([f"spread of {name}", *spreads])
        lines.append(["  as a share", *(_number(row.share[name]) for row in rows)])
    return f"{table(head, lines)}\n\n{_faults(rows)}"


def _faults(rows: Sequence[Minutes]) -> str:
    head = ["collapse", "streams", "minutes", "real pieces"]
    head += [f"{what}: streams" for what in WHAT] + [
        f"{what}: bars, composed|real" for what in WHAT
    ]
    head += ["seed: bars from bar, first of each"]
    return table(head, [(row.preset, *_faulty(row)) for row in rows])


def _faulty(row: Minutes) -> list[str]:
    seeds = [{one.seed for one in row.faults if one.fault.what == what} for what in WHAT]
    first = {(one.seed, one.fault.what): one.fault for one in reversed(row.faults)}
    where = [
        f"{seed}: {fault.bars} from {fault.bar} {what}"
        for (seed, what), fault in sorted(first.items())
    ]
    return [
        str(row.streams),
        f"{row.minutes:.0f}",
        str(row.real_pieces),
        *(str(len(some)) for some in seeds),
        *(f"{row.affected[what]:.1%}|{row.real_affected[what]:.1%}" for what in WHAT),
        ", ".join(where) or "–",
    ]


def _fine(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, int):
        return str(value)
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
