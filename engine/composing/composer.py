"""One endless stream of bars.

A composer draws notes until the next onset falls past the bar line; then the bar is done. At each
bar line it keeps all it would need to begin there again. A control changed at any moment rewinds
the stream to the first bar that is not committed, which is then composed anew under the new
controls: lookahead may be deep and what is turned is heard at the next bar line all the same.

Whoever drives it either calls `compose_bar`, or, for many composers over one pool, repeats
`prepare`, `Pool.run`, `absorb` (see `engine.ensemble.ensemble`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from common.errors import PlanError
from engine.composing.bar_line import BarLine, first_line, out_of_reach
from engine.composing.bar_outline import (
    BarOutline,
    conditions_at,
    context_at,
    limits_at,
    overdue_at,
    paired_bias_at,
)
from engine.composing.bar_under_way import begun_at
from engine.composing.closing import closed
from engine.composing.finishing import sounding
from engine.composing.next_line import next_line
from engine.composing.percussion import DRAWN_APART, Percussion
from engine.composing.planning_ahead import PlanAhead, numbered, until
from engine.composing.playing import played
from engine.composing.primer import NOTHING, Primer
from engine.composing.setting import Setting, setting_of
from engine.composing.step_context import NOTHING_HEARD, HeardBar
from engine.composing.step_noise import StepNoise
from engine.composing.tempo_drift import TempoDrift
from engine.controls.controls import Controls
from engine.controls.values import Json
from engine.files.control_log import LoggedChange
from engine.music.bars import Bar, moved
from engine.music.heard_chords import Harmony
from engine.music.noise import ENSEMBLE, uniforms
from engine.music.score import Note
from engine.music.time import duration
from engine.network.row_lease import RowLease
from engine.network.runtime import Network, Pool
from engine.performing.rubato import pace
from engine.planning.guards import report, retuned
from engine.planning.part_patience import urge

PlanOverrides = Mapping[int, Mapping[str, int]]  # plan columns set by bar


class Composer:
    """One stream, on one row of a pool while it computes."""

    def __init__(
        self,
        network: Network,
        pool: Pool,
        seed: int,
        stream: int = 0,
        controls: Controls | None = None,
        primer: Primer | None = None,
        apart: int = 0,
    ) -> None:
        """Take a row of the pool. With a primer the stream goes on from its music: its bars come
        first, and the first one composed has their number as its index. `apart` is added to the
        stream's number where notes are drawn, not where they are planned."""
        self.network, self.pool = network, pool
        self.spec = network.specification
        self.codec = self.spec.open_codec()
        self.names = tuple(name for name, _ in self.spec.context)
        self.table = network.planner_table
        self.seed, self.stream = seed, stream
        self.plan_ahead = PlanAhead(self.table, seed, stream)
        self.tempo_drift = TempoDrift(seed, stream)
        self.controls = controls or Controls()
        self._ensemble_draw = float(uniforms(seed, stream, ENSEMBLE, 0, 1)[0])
        self.setting = self._setting_of(self.controls)
        self.lease = RowLease(pool)
        self.percussion = Percussion(self.lease, self._percussionist)
        self.overrides: dict[int, dict[str, int]] = {}
        self.revisions: dict[int, int] = {}
        self.heard: dict[int, HeardBar[int]] = {}
        self.lines: list[BarLine] = [self._first_line(primer or NOTHING)]
        self.committed = self.lines[0].bar
        self._noise = StepNoise(seed, stream + apart, self.spec.event_width)
        self._retune = False  # the guards find their references anew at the next bar line
        self.last: int | None = None  # the bar with which a piece closes, None: it is endless
        self._begin()

    def _first_line(self, primer: Primer) -> BarLine:
        event = (0,) * len(self.spec.event)
        if primer.events:
            self.pool.mix[self.row] = self.setting.mix
            self.pool.prefill(self.row, primer.inputs, primer.ticks)
            event = primer.events
        self.heard.update(primer.heard)
        cursor = self.codec.cursor(primer.end)
        transposition = self.setting.limits.transposition
        return first_line(primer, cursor, event, self.lease.mark(), transposition)

    def _percussionist(self, bar: int, tick: int, controls: Controls) -> Composer:
        """A composer of drums from a bar on."""
        primer = Primer(bars=bar, end=tick)
        row = self.network, self.pool, self.seed, self.stream
        composer = Composer(*row, controls, primer, apart=DRAWN_APART)
        composer.last = self.last
        return composer

    def _setting_of(self, controls: Controls) -> Setting:
        return setting_of(controls, self.spec, self.table, self._ensemble_draw)

    @property
    def row(self) -> int:
        """The row of the pool that it computes on."""
        if self.percussion.is_drawing:
            return self.percussion.row
        assert not self.lease.is_aside, "only who sits has a row"
        return self.lease.row

    # -- what is asked from outside --------------------------------------------------------------

    @property
    def next_bar(self) -> int:
        """Index of the bar under way: all before it are composed."""
        return self.lines[-1].bar

    @property
    def length(self) -> int:
        """Microseconds of the bar under way."""
        return self.length_of(self.next_bar)

    def length_of(self, bar: int) -> int:
        """Microseconds of a bar that is composed under the setting of the one under way."""
        return duration(self._in_force.metre.ticks, self._quarter(bar))

    def _quarter(self, bar: int) -> int:
        """Microseconds a quarter of a bar, as its tempo drifts and, if it is under way, the player
        goes."""
        setting = self._in_force
        drifted = self.tempo_drift.drifted(
            setting.microseconds_per_quarter, setting.controls.tempo_drift, bar
        )
        return round(drifted * self._pace) if bar == self.next_bar else drifted

    @property
    def first_open(self) -> int:
        """The first bar that a change can still reach."""
        for line in self.lines:
            if line.bar >= self.committed and self._can_rewind(line):
                return line.bar
        return self.next_bar + 1

    def _can_rewind(self, line: BarLine) -> bool:
        return self.lease.can_rewind(line.mark) and self.percussion.can_rewind(line.bar)

    @property
    def guard_report(self) -> dict[str, int | float]:
        """What the guards did up to the last bar line; see `engine.planning.guards.report`."""
        return report(self.lines[-1].guards)

    def commit(self, bar: int) -> None:
        """Bars before `bar` sound or are about to: they will not be composed again."""
        self.committed = max(self.committed, min(bar, self.next_bar))
        while self.lines[0].bar < self.committed:
            del self.lines[0]
        self.revisions = {b: n for b, n in self.revisions.items() if b >= self.committed}
        meant = self.lines[0].planned_as
        for old in [b for b in self.overrides if b < self.committed]:
            if old not in (meant, meant + 1):
                del self.overrides[old]
        self.percussion.commit(self.committed)

    def change(
        self, controls: Mapping[str, Json] | None = None, plan: PlanOverrides | None = None
    ) -> int:
        """Change controls, or set columns of the plan by hand; returns the first bar that is
        composed under the change. ControlError or PlanError, and nothing changed, if it is bad."""
        changed = self.controls.with_values(controls or {})
        setting = self._setting_of(changed)
        first = self.first_open
        for bar, columns in (plan or {}).items():
            if bar < first:
                raise PlanError(
                    f"bar {bar} cannot be planned any more: the first that is open is {first}"
                )
            setting.asked(0, tuple(columns.items()))
        self.controls, self.setting = changed, setting
        for bar, columns in (plan or {}).items():
            self.overrides[bar] = {**self.overrides.get(bar, {}), **columns}
        if first <= self.next_bar:
            self.rewind(first)
            self.retune()
        self._retune = first > self.next_bar
        return first

    def retune(self) -> None:
        """What was normal before the bar under way says nothing of what is asked now."""
        self.lines[-1] = self.lines[-1]._replace(guards=retuned(self.lines[-1].guards))
        self.percussion.retune(self.next_bar)

    def set_out(self, controls: Controls) -> None:
        """Go on under other controls from the bar under way, of which nothing is composed yet."""
        self.controls, self.setting = controls, self._setting_of(controls)
        self._begin()

    def make(self, change: LoggedChange) -> None:
        """Make a change of a log at its bar."""
        if change.to is None:
            self.change(change.set, change.plan)
        else:
            self.leap(change.to, change.tick)

    def leap(self, bar: int, tick: int) -> None:
        """Number the bar under way `bar`, and tell that it begins at `tick`: others were heard in
        the places between. It is composed as it was meant, and nothing drawn is lost; what came
        before it cannot be changed any more."""
        assert bar >= self.next_bar, "numbers only rise"
        line = self.lines[-1]
        self.percussion.leap(line.bar, bar)
        self.lines = [line._replace(bar=bar, told=tick - line.start, meant=line.planned_as)]
        if self._outline is not None:
            self._outline.planned = numbered(self._outline.planned, bar)
        self.commit(bar)

    def close_with(self, bar: int) -> None:
        """Have the piece close with this bar, which is not composed yet; what comes after it, if
        anything does, begins anew."""
        assert bar >= self.next_bar, "a bar that is composed cannot close"
        self.last = bar
        self.percussion.close_with(bar)
        self.rewind(self.next_bar)

    def rewind(self, bar: int) -> None:
        """Forget everything from the bar line before `bar` on and begin there again."""
        while self.lines[-1].bar > bar:
            dropped = self.lines.pop().bar
            self.heard.pop(dropped - 1, None)
        line = self.lines[-1]
        assert line.bar == bar, "the bar line was not kept"
        self.percussion.rewind(bar)
        self.lease.rewind(line.mark)
        self._begin()

    def begin_at(self, line: BarLine) -> None:
        """Go on from this bar line; the row's state must be the one that belongs to it."""
        self.lines = [line]
        self.committed = line.bar
        self._begin()

    def close(self) -> None:
        """Give the row back."""
        self.lease.close()
        self.percussion.close()

    @property
    def is_aside(self) -> bool:
        """Whether it has no row, and only waits."""
        return self.lease.is_aside and not self.percussion.is_drawing

    # -- composing -------------------------------------------------------------------------------

    def compose_bar(self) -> Bar:
        """The next bar, alone on the pool's thread."""
        bar = self.finished()
        while bar is None:
            self.prepare()
            self.pool.run([self.row])
            bar = self.absorb()
        return bar

    @property
    def is_under_way(self) -> bool:
        """Whether a note of the present bar is to be drawn next: `finished` would give None."""
        return self._outline is not None

    @property
    def has_room(self) -> bool:
        """Whether one more step leaves the first uncommitted bar within reach of a rewind.

        A single bar longer than the ring allows is composed all the same.
        """
        if len(self.lines) == 1:
            return True
        room = self.lease.step + 1 - self.lines[0].mark.step <= self.pool.margin
        return room and self.percussion.has_room

    def _begin(self) -> None:
        """Set out on the bar after the last bar line."""
        line = self.lines[-1]
        self._in_force = self.setting  # of this bar: a change may come that only reaches the next
        self._bar = begun_at(line, self._in_force.metre.ticks)
        self._pace = self._pace_from(line)
        # Worked out when the first note is drawn or the bar is done.
        self._outline: BarOutline | None = None

    def _pace_from(self, line: BarLine) -> float:
        """How many times as long as in an even tempo the bar under way lasts."""
        expression = self._in_force.controls.expression
        if not expression:
            return 1.0
        bar = line.planned_as
        settings = until(self.last, bar, self._in_force.form)
        form = self.plan_ahead.form_of(bar, line.form, settings)
        return pace(form.phrase, form.ending, expression, (self.seed, self.stream, bar))

    def _plan(self) -> BarOutline:
        """Plan the bar under way and write everything that holds for all of it."""
        line, setting = self.lines[-1], self._in_force
        conditions = conditions_at(line, setting, self.last)
        planned, next_chord = self.plan_ahead.plan(
            line.planned_as, line.form, line.planner, conditions, self.overrides
        )
        if line.planned_as != line.bar:
            planned = numbered(planned, line.bar)
        before = self.heard.get(line.planned_as - 1, NOTHING_HEARD)
        outline = BarOutline(
            conditions,
            planned,
            context_at(self.names, conditions, planned, next_chord, self.heard),
            limits_at(line, conditions, planned, self.codec, (self.seed, self.stream)),
            paired_bias_at(self._bar.lines, line, conditions, planned.section, before)
            if self.pool.paired.size
            else None,
            overdue_at(line, setting),
        )
        outline.write(self.pool, self.row, self.codec)
        self._outline = outline
        return outline

    def prepare(self) -> None:
        """Fill this stream's row for one step. Only if `finished()` gave None."""
        if self.percussion.is_drawing:
            self.percussion.prepare()
            return
        outline, bar = self._outline, self._bar
        assert outline is not None
        pool, row, cursor = self.pool, self.row, bar.cursor
        place = cursor.tick - bar.start
        cursor.constrain(pool.bias[row], outline.limits)
        if outline.overdue:
            weight = urge(place / (bar.end - bar.start))
            self.codec.lean_to(pool.bias[row], outline.overdue, weight)
        context = outline.context.at(place, cursor.rank, bar.drawn, cursor.voices)
        if outline.paired is not None:
            outline.paired.write(cursor.tick, outline.context.chord_at_tick(place))
        pool.inputs[row, 0] = bar.event + context
        pool.ticks[row] = cursor.tick
        pool.noise[row] = self._noise.of(int(pool.steps[row, 0]))

    def absorb(self) -> Bar | None:
        """Take what the step drew; the bar, if that completed it."""
        if self.percussion.is_drawing:
            self.percussion.absorb()
            return self.finished()
        outline, pool, row = self._outline, self.pool, self.row
        assert outline is not None
        event, likelihood = pool.event[row].tolist(), pool.likelihood[row].tolist()
        note = self._bar.take(event, likelihood, outline.limits, self.codec, outline.context)
        if note is not None and note.part in outline.overdue:
            outline.overdue.remove(note.part)
            self.codec.lean_to(pool.bias[row], (note.part,), 0.0)
        return self.finished()

    def finished(self) -> Bar | None:
        """The bar under way, if nothing more can begin in it; composing then stands at the next."""
        outline = self._outline or self._plan()
        if not self._bar.is_full or not self._drums_are_done():
            return None
        line, setting = self.lines[-1], self._in_force
        self._bar.notes += self._bar.cursor.leave_bar(self._bar.end)
        notes = tuple(sorted(self._bar.notes))
        if line.bar == self.last:
            is_line = outline.planned.plan.polyphony == 1 or setting.limits.voices == 1
            span, key = self._bar.span, setting.controls.key
            notes = tuple(closed(notes, span, setting.limits, key, is_line=is_line))
        revision = self.revisions.get(line.bar, -1) + 1
        self.revisions[line.bar] = revision
        heard = sounding(notes, setting.limits.transposition, line.transposition)
        heard = tuple(sorted((*heard, *self.percussion.take())))
        quarter, place = self._quarter(line.bar), (self.seed, self.stream)
        bar, harmony = played(heard, line, outline, self._bar, quarter, place)
        self._close_bar(outline, notes, harmony)
        self._begin()
        return moved(replace(bar, revision=revision), line.told)

    def _drums_are_done(self) -> bool:
        line, asked = self.lines[-1], self._in_force.percussion
        return asked is None or self.percussion.is_done(line.bar, line.start, asked)

    def _close_bar(self, outline: BarOutline, notes: tuple[Note, ...], harmony: Harmony) -> None:
        """Remember the bar and draw the bar line."""
        line = self.lines[-1]
        self.heard[line.bar] = self._bar.told
        source = self.heard.get(outline.planned.plan.source)
        mark = self.lease.mark()
        self.lines.append(next_line(line, outline, self._bar, notes, source, harmony, mark))
        if self._retune:
            self.retune()
        self._retune = False
        for bar in out_of_reach(self.heard, self.lines[0], self.lines[-1]):
            del self.heard[bar]
