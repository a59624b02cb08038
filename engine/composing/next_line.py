"""The bar line that is drawn when a bar is done."""

from __future__ import annotations

from engine.composing.bar_line import BarLine
from engine.composing.bar_outline import BarOutline
from engine.composing.bar_under_way import BarUnderWay
from engine.composing.finishing import heard_values, summary_of
from engine.composing.setting import Setting
from engine.composing.step_context import HeardBar
from engine.music.heard_chords import Harmony
from engine.music.score import Note
from engine.network.runtime import Checkpoint
from engine.planning.correction import corrected, told
from engine.planning.guards import observe
from engine.planning.part_patience import after_bar


def next_line(
    line: BarLine,
    outline: BarOutline,
    under_way: BarUnderWay,
    notes: tuple[Note, ...],
    source: HeardBar[int] | None,
    harmony: Harmony,
    mark: Checkpoint,
) -> BarLine:
    """The line after the bar that began at `line` and has these notes; `source` are those of the
    bar that it echoes, `harmony` what was heard last, `mark` where the row stands."""
    setting, planned = outline.conditions.setting, outline.planned
    ended = max((note.onset + note.duration for note in notes), default=line.silent_from)
    silent_from = max(ended, line.silent_from)
    values = heard_values(notes, under_way.span, line.cursor.carried)
    wanted = _wanted(line, outline)
    silence = under_way.end - silent_from - setting.limits.max_rest
    summary = summary_of(
        *(notes, under_way.span, values, wanted, planned.plan, under_way.mean_surprise, silence),
        copied=bool(under_way.told) and under_way.told == source,
    )
    return BarLine(
        line.bar + 1,
        under_way.end,
        under_way.cursor.copy(),
        tuple(under_way.event),
        mark,
        planned.form,
        planned.planner,
        observe(line.guards, summary),
        outline.conditions.anchor,
        setting.progression,
        silent_from,
        setting.limits.transposition,
        under_way.lines.state(),
        corrected(line.trims, _meant(setting, wanted), values),
        told=line.told,
        harmony=harmony,
        patience=after_bar(line.patience, _asked_parts(setting), {n.part for n in notes}),
    )


def _wanted(line: BarLine, outline: BarOutline) -> tuple[float, ...]:
    """The levels that were meant, not those that it took to get there: the guards hold the music
    to them."""
    asked, levels = outline.conditions.setting.positions, outline.planned.plan.levels
    return tuple(
        level - trim if level and position is not None else level
        for level, trim, position in zip(levels, told(line.trims, asked), asked, strict=True)
    )


def _meant(setting: Setting, wanted: tuple[float, ...]) -> list[float | None]:
    """Those of them that a control asks for and the bar has; None: no other is corrected."""
    return [
        level if position is not None and level else None
        for position, level in zip(setting.positions, wanted, strict=True)
    ]


def _asked_parts(setting: Setting) -> tuple[int, ...]:
    """The parts that are asked for by number, from 0, and that this composer plays itself."""
    on = setting.limits.parts_on
    return tuple(p for p, it in enumerate(on) if it) if setting.controls.parts else ()
