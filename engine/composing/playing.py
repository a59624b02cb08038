"""How a bar that is composed is played."""

from __future__ import annotations

from engine.composing.articulation import articulated
from engine.composing.bar_line import BarLine
from engine.composing.bar_outline import BarOutline
from engine.composing.bar_under_way import BarUnderWay
from engine.composing.performing import performed
from engine.controls.controls import Controls
from engine.music.bars import Bar
from engine.music.heard_chords import Harmony, heard_chords
from engine.music.score import Note
from engine.performing.pedal import is_pressed, pedals_of
from engine.performing.played_bar import PlayedBar
from engine.performing.rendering import rendered


def played(
    notes: tuple[Note, ...],
    line: BarLine,
    outline: BarOutline,
    under_way: BarUnderWay,
    quarter: int,
    key: tuple[int, int],
) -> tuple[Bar, Harmony]:
    """The bar after a bar line with its notes, which stand where they sound, as they are played,
    and the harmony that it leaves in the ear; the tempo is `quarter` microseconds a quarter, `key`
    is (seed, stream)."""
    setting, section = outline.conditions.setting, outline.planned.section
    plan, place = outline.planned.plan, (*key, line.bar)
    bar = PlayedBar(
        *(line.start, setting.metre, quarter, section.phrase, section.ending),
        *((plan.chord, plan.half_chord), setting.programs, place),
    )
    touched = articulated(notes, max(under_way.end, under_way.cursor.tick), _touch(line, outline))
    heard, shifts = _as_played(touched, bar, setting.controls)
    pressed = is_pressed(setting.controls.pedal, setting.controls.expression)
    chords, harmony = heard_chords(line.harmony, heard, line.start, setting.metre)
    made = Bar(
        line.bar,
        0,
        line.start,
        setting.metre,
        quarter,
        heard,
        shifts,
        setting.programs,
        plan,
        section.name,
        under_way.mean_surprise,
        pedals_of(heard, bar) if pressed else (),
        chords,
        setting.controllers,
    )
    return made, harmony


def _touch(line: BarLine, outline: BarOutline) -> float | None:
    """The articulation that is asked for; the last chord of a piece is held."""
    is_last = line.bar == outline.conditions.last
    return None if is_last else outline.conditions.setting.controls.articulation


def _as_played(
    notes: tuple[Note, ...], bar: PlayedBar, controls: Controls
) -> tuple[tuple[Note, ...], tuple[int, ...]]:
    """The notes with the times and velocities that swing, chance and a player give them."""
    swung, shifts = performed(
        notes,
        bar.start,
        bar.microseconds_per_quarter,
        controls.swing,
        controls.humanise_time,
        controls.humanise_velocity,
        bar.key,
    )
    return rendered(swung, shifts, bar, controls.expression)
